//! Marks on primaries, and looks at replicas. Every call is repeated for ever, so whatever became of one does not matter: a
//! mark that is written late says less than it could, and never too much.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Followed, Replicas};
use crate::config;
use crate::flow::Flow;
use crate::store::Replica;
use crate::store::mysql::MysqlStore;
use crate::tasks::Tasks;

/// Looks at a replica for each mark: how late a mark is seen adds to the staleness.
const LOOKS_PER_MARK: u32 = 4;

/// Starts a task for each primary with replicas, and one for each replica. Without replicas nothing is written and nobody is
/// asked.
pub fn start(flow: &Arc<Flow>, store: &MysqlStore, settings: &config::Replicas, tasks: &Tasks) {
    let every = settings.mark_interval;
    for (at, followed) in flow.replicas.primaries.iter().enumerate() {
        tasks.spawn(mark(Arc::clone(flow), at, store.clone(), every));
        for index in 0..followed.copies.len() {
            tasks.spawn(look(Arc::clone(flow), at, index, store.clone(), every / LOOKS_PER_MARK));
        }
    }
}

async fn mark(flow: Arc<Flow>, at: usize, store: MysqlStore, every: Duration) {
    let Replicas { primaries, run } = &flow.replicas;
    let followed = &primaries[at];
    if let Err(error) = store.forget_old_marks(followed.primary).await {
        tracing::debug!(primary = %followed.primary, %error, "old marks stay until the next start");
    }
    loop {
        let number = followed.marks.lock().next(Instant::now());
        if let Err(error) = store.mark(followed.primary, *run, number).await {
            // The primary's own lanes say so louder.
            tracing::debug!(primary = %followed.primary, %error, "a mark was not written");
        }
        sleep(every).await;
    }
}

async fn look(flow: Arc<Flow>, at: usize, index: usize, store: MysqlStore, every: Duration) {
    let Replicas { primaries, run } = &flow.replicas;
    let followed: &Followed = &primaries[at];
    let mut answers = true;
    loop {
        // At most sixteen replicas.
        let replica = Replica { primary: followed.primary, index: index as u16, run: *run, mark: 0 };
        let seen = store.mark_shown(replica).await;
        match &seen {
            Err(error) if answers => tracing::warn!(%error, "a replica cannot be used: the primary serves its reads"),
            Ok(_) if !answers => tracing::info!(primary = %followed.primary, index, "the replica is back"),
            Err(_) | Ok(_) => {}
        }
        answers = seen.is_ok();
        followed.saw(index, seen.ok());
        sleep(every).await;
    }
}
