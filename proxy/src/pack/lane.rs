//! The pack lane: one a primary. Takes all that queued while its last transaction was in flight, reads what is there of each
//! pack, and records those that are not there yet in one transaction: each of them whole, or none.
//!
//! What became of a transaction decides what happens to the units, as at a record lane:
//!
//! | outcome           | coupons       | units                                    | packs                                   |
//! |-------------------|---------------|------------------------------------------|-----------------------------------------|
//! | committed         | there         | used                                     | answered                                |
//! | conflict          | rolled back   | held                                     | read again, then recorded or answered   |
//! | fenced            | rolled back   | those of old epochs forgotten, the others of their packs given back | start again at deduct |
//! | rolled back       | not there     | held                                     | recorded again                          |
//! | refused, not sent | not there     | given back                               | *not applied*                           |
//! | unknown           | perhaps there | never given back                         | read with a lock, recorded again with the same ids; *unknown* at the deadline |
//!
//! Cancelling the lane is a crash: the transaction in flight commits or not, its units are used or return with a settle.

mod end;
mod read;

use std::sync::Arc;
use std::time::Duration;

use scrip_protocol::v1::Code;
use tokio::time::{Instant, sleep};

use super::PackTask;
use crate::admin::Health;
use crate::dial::{STUCK_AFTER, dial};
use crate::flow::{Flow, PackQueue};
use crate::gate::Latch;
use crate::pace::{Pace, PaceLimits};
use crate::store::RecordError;
use crate::store::pack::{NewPack, PackWriter};
use crate::watch::watch;

/// How often one group is tried before its packs are refused as contended.
const ROUNDS_MAX: usize = 8;

/// As for record lanes: what a transaction costs by itself is shared by what it carries.
const PACE: PaceLimits = PaceLimits { times: 2, max: Duration::from_millis(20), enough: 64 };

const LATE: &str = "the deadline passed before the pack was recorded";
const IN_COMMIT: &str = "the primary has not answered whether the pack was recorded";
const UNREACHED: &str = "the primary of this user cannot be written to";

/// The connection was lost, or never made.
struct Lost;

/// The lane of one primary.
#[derive(Debug)]
pub struct PackLane<W> {
    flow: Arc<Flow>,
    writer: W,
    index: usize,
    stripe: u16,
    rows_max: usize,
    latch: Latch,
    pace: Pace,
    group: Vec<PackTask>,
    health: Arc<Health>,
}

impl<W: PackWriter> PackLane<W> {
    /// The lane of the primary with this index in the topology. `stripe`: as for a record lane.
    pub fn new(flow: Arc<Flow>, writer: W, index: usize, stripe: u16, rows_max: usize, health: Arc<Health>) -> Self {
        let (latch, pace, group) = (Latch::default(), Pace::new(PACE), Vec::new());
        Self { flow, writer, index, stripe, rows_max, latch, pace, group, health }
    }

    /// Serves for ever. Connects for the first pack, and not before.
    pub async fn run(mut self) {
        self.queue().tasks.wait().await;
        loop {
            self.connect().await;
            while self.serve().await.is_ok() {
                self.queue().tasks.wait().await;
                let Self { flow, index, latch, pace, rows_max, group, .. } = &mut self;
                let queue = &flow.packs[*index];
                pace.wait(&queue.tasks, || sweep_queue(queue, latch)).await;
                queue.tasks.take(*rows_max, group);
                let taken = Instant::now();
                flow.meter.stages.pack_queue.record_each(group.iter().map(|task| taken - task.since));
            }
        }
    }

    fn queue(&self) -> &PackQueue {
        &self.flow.packs[self.index]
    }

    async fn connect(&mut self) {
        let Self { flow, writer, index, latch, group, health, .. } = self;
        let queue = &flow.packs[*index];
        let backend = (queue.primary, &*queue.gate, latch);
        let sweep = |latch: &Latch| {
            end_late(group);
            sweep_queue(queue, latch);
        };
        dial(writer, backend, health, || flow.roll(), sweep).await;
    }

    /// Brings the group to its end.
    async fn serve(&mut self) -> Result<(), Lost> {
        for _ in 0..ROUNDS_MAX {
            end_late(&mut self.group);
            self.group.retain(|task| !task.is_ended());
            if self.group.is_empty() {
                return Ok(());
            }
            let Some((read, connection)) = self.read().await? else { continue };
            let now_ms = self.flow.clock.now_ms();
            let packs = self.plan(&read, connection, now_ms);
            if packs.is_empty() {
                continue;
            }
            match self.record(&packs).await {
                Ok(()) => self.committed(packs),
                // Some pack or coupon exists. Which one, reading all of them again tells.
                Err(RecordError::Conflict) => self.flow.meter.conflicts.add(1),
                Err(RecordError::Fenced) => self.fenced().await?,
                Err(RecordError::RolledBack(detail)) => {
                    tracing::debug!(primary = %self.queue().primary, detail, "rolled back; trying again");
                    sleep(Duration::from_millis(1 + self.flow.roll() % 5)).await;
                }
                Err(RecordError::Refused(detail)) => self.give_up(Code::StoreRefused, &detail),
                Err(RecordError::Unreachable(detail)) => {
                    self.give_up(Code::PrimaryUnavailable, &detail);
                    return Err(Lost);
                }
                Err(RecordError::Unknown(detail)) => {
                    self.unknown(&detail);
                    return Err(Lost);
                }
            }
        }
        self.give_up(Code::Contended, Code::Contended.cause());
        Ok(())
    }

    async fn record(&mut self, packs: &[NewPack]) -> Result<(), RecordError> {
        let Self { flow, writer, index, latch, pace, group, .. } = self;
        let queue = &flow.packs[*index];
        let began = Instant::now();
        let result = watch(writer.record_packs(packs), |took| {
            let now = Instant::now();
            for task in group.iter_mut().filter(|task| task.is_late(now)) {
                task.burned |= task.units.is_some();
                task.fail(Code::DeadlineExceeded, IN_COMMIT);
            }
            if took > STUCK_AFTER && latch.close(&queue.gate) {
                tracing::warn!(primary = %queue.primary, "primary is stuck; its users are refused");
            }
            sweep_queue(queue, latch);
        })
        .await;
        let took = began.elapsed();
        pace.called(took);
        flow.meter.stages.pack_call.record(took, packs.len());
        let answered = !matches!(result, Err(RecordError::Unknown(_) | RecordError::Unreachable(_)));
        if answered && latch.open(&queue.gate) {
            tracing::info!(primary = %queue.primary, "primary answers again");
        }
        result
    }
}

fn end_late(group: &mut [PackTask]) {
    let now = Instant::now();
    group.iter_mut().filter(|task| task.is_late(now)).for_each(|task| task.fail(Code::DeadlineExceeded, LATE));
}

/// With the gate closed all that queues is doomed and refused at once; else what is late.
fn sweep_queue(queue: &PackQueue, latch: &Latch) {
    let now = Instant::now();
    let doomed = latch.is_closed();
    for mut task in queue.tasks.take_where(|task| doomed || task.is_late(now)) {
        if task.is_late(now) {
            task.fail(Code::DeadlineExceeded, LATE);
        } else {
            task.fail(Code::PrimaryUnavailable, UNREACHED);
        }
    }
}
