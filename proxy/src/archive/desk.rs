//! Claims that are about to be refused although they may have been granted long ago: their coupons may be archived.
//!
//! Every claim of a template that is closed, and every question about a claim, comes here from its record lane when the user's
//! coupons did not hold its request. Nothing is written; a question that is given up is asked again.

use std::sync::Arc;

use scrip_protocol::v1::Code;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout_at;

use crate::claim::ClaimTask;
use crate::flow::Flow;
use crate::store::{RecordStore, StoreError};
use crate::tasks::Tasks;

/// Looked up at once. Bounds what claims of closed templates cost the primaries.
const READS_MAX: usize = 64;

/// A claim, and what it is refused with if it made no coupon.
#[derive(Debug)]
pub struct Doubtful {
    /// The claim. It holds no unit.
    pub task: ClaimTask,
    /// What else it is refused with.
    pub refusal: Code,
}

/// Serves for ever.
pub async fn run<R: RecordStore>(flow: Arc<Flow>, record: R, mut doubtful: UnboundedReceiver<Doubtful>, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(READS_MAX));
    while let Some(Doubtful { task, refusal }) = doubtful.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (flow, record) = (Arc::clone(&flow), record.clone());
        tasks.spawn(async move {
            answer(&flow, &record, task, refusal).await;
            drop(place);
        });
    }
}

async fn answer<R: RecordStore>(flow: &Flow, record: &R, mut task: ClaimTask, refusal: Code) {
    let primary = flow.record[task.lane].primary;
    let archived = record.archived(primary, task.user, task.template.record.template);
    match timeout_at(task.deadline, archived).await {
        Ok(Ok(rows)) => match rows.iter().find(|row| row.request == task.request) {
            Some(row) => task.grant(flow.coupon(&task.template.clone(), row, true)),
            None => task.refuse(refusal, refusal.cause()),
        },
        Ok(Err(StoreError::Unreachable(detail) | StoreError::Refused(detail) | StoreError::Unknown(detail))) => {
            // What an earlier send came to is not known after all.
            task.looked_up = false;
            task.refuse(Code::PrimaryUnavailable, &detail);
        }
        Err(_) => {
            task.looked_up = false;
            task.refuse(Code::DeadlineExceeded, "the deadline passed before the archived coupons were looked up");
        }
    }
}
