//! Readers of what changed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scrip_protocol::RequestId;
use scrip_proxy::store::MetaStore;
use tokio::task::JoinSet;

use super::template::{definition, layout};
use crate::record_store::bed::{Bed, on_each};

#[tokio::test]
async fn a_reader_of_changes_misses_none() {
    on_each("revisions", async |bed: Bed| {
        let done = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn({
            let (store, done) = (bed.store.clone(), Arc::clone(&done));
            async move {
                let (mut last, mut seen) = (0, BTreeSet::new());
                loop {
                    let finished = done.load(Ordering::Acquire);
                    let changed = store.templates_changed(last, 500).await.expect("read");
                    last = changed.last().map_or(last, |template| template.revision);
                    seen.extend(changed.iter().map(|template| template.template));
                    if finished && changed.is_empty() {
                        return seen;
                    }
                }
            }
        });
        let mut writers = JoinSet::new();
        for writer in 0..8_u8 {
            let store = bed.store.clone();
            writers.spawn(async move {
                for number in 0..20 {
                    let request = RequestId([writer * 20 + number + 1; 16]);
                    store.create_template(request, &definition(1), &layout, 0).await.expect("created");
                }
            });
        }
        writers.join_all().await;
        done.store(true, Ordering::Release);
        assert_eq!(reader.await.expect("no panic").len(), 160);
    })
    .await;
}
