//! Reads templates from meta for claims that would be refused on the strength of a snapshot: unknown, not published,
//! paused. An operator may just have lifted that through another proxy.
//!
//! One read of a template at a time, for all claims that arrived before it began.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrip_protocol::TemplateId;
use scrip_protocol::v1::Code;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::flow::{Arrival, Flow};
use crate::store::{MetaError, MetaStore};
use crate::watch::watch;

/// Reads of different templates at once: bounds what strangers' template ids cost meta.
const READS_MAX: usize = 8;

/// Serves for ever.
pub async fn run<M: MetaStore>(flow: Arc<Flow>, meta: M, mut arrivals: UnboundedReceiver<Arrival>) {
    let mut waiting: BTreeMap<TemplateId, Vec<Arrival>> = BTreeMap::new();
    let mut reading = JoinSet::new();
    let mut at_it = std::collections::BTreeSet::new();
    loop {
        tokio::select! {
            biased;
            Some(done) = reading.join_next() => if let Ok(template) = done {
                at_it.remove(&template);
            },
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => waiting.entry(arrival.template).or_default().push(arrival),
                None => return,
            },
        }
        while let Ok(arrival) = arrivals.try_recv() {
            waiting.entry(arrival.template).or_default().push(arrival);
        }
        while reading.len() < READS_MAX {
            let Some(template) = waiting.keys().copied().find(|template| !at_it.contains(template)) else { break };
            let Some(group) = waiting.remove(&template) else { break };
            at_it.insert(template);
            reading.spawn(verify(Arc::clone(&flow), meta.clone(), template, group));
        }
    }
}

async fn verify<M: MetaStore>(flow: Arc<Flow>, meta: M, template: TemplateId, mut group: Vec<Arrival>) -> TemplateId {
    let record = watch(meta.template(template), |_| refuse_late(&mut group)).await;
    let now_ms = flow.clock.now_ms();
    match record {
        Ok(record) => flow.templates.apply(vec![record]),
        Err(MetaError::TemplateNotFound) => {
            refuse(group, Code::TemplateNotFound, "there is no such template");
            return template;
        }
        Err(error) => {
            refuse(group, Code::MetaUnavailable, &format!("the template could not be read: {error}"));
            return template;
        }
    }
    if let Some(found) = flow.templates.get(template) {
        for arrival in group {
            flow.enter(arrival, Arc::clone(&found), now_ms);
        }
    }
    template
}

fn refuse_late(group: &mut Vec<Arrival>) {
    let now = Instant::now();
    let late = group.extract_if(.., |arrival| now >= arrival.deadline).collect();
    refuse(late, Code::DeadlineExceeded, "the deadline passed before the template was read");
}

fn refuse(group: Vec<Arrival>, code: Code, detail: &str) {
    for arrival in group {
        arrival.refuse(code, detail);
    }
}
