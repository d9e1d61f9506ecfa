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
use tokio::time::Instant;

use super::PackTask;
use crate::admin::Health;
use crate::flow::{Flow, LaneQueue};
use crate::lane::{During, Front, LaneStages, Lost, Queued, ROUNDS_MAX};
use crate::meter::Meter;
use crate::pace::PaceLimits;
use crate::store::RecordError;
use crate::store::pack::PackWriter;

/// As for record lanes: what a transaction costs by itself is shared by what it carries.
const PACE: PaceLimits = PaceLimits { times: 2, max: Duration::from_millis(20), enough: 64 };

/// The lane of one primary.
#[derive(Debug)]
pub struct PackLane<W> {
    front: Front<PackTask>,
    writer: W,
    stripe: u16,
    rows_max: usize,
}

impl Queued for PackTask {
    const LATE: &'static str = "the deadline passed before the pack was recorded";

    fn queue(flow: &Flow, index: usize) -> &LaneQueue<Self> {
        &flow.packs[index]
    }

    fn stages(meter: &Meter) -> LaneStages<'_> {
        let stages = &meter.stages;
        LaneStages { queue: &stages.pack_queue, read: &stages.pack_read, call: &stages.pack_call }
    }

    fn is_late(&self, now: Instant) -> bool {
        self.is_late(now)
    }

    fn is_answered(&self) -> bool {
        self.is_ended()
    }

    fn is_burned(&self) -> bool {
        self.burned
    }

    fn since(&self) -> Instant {
        self.since
    }

    fn enters(&mut self) {
        self.since = Instant::now();
    }

    fn refuse_in_flight(&mut self, during: During) {
        match during {
            During::Read => self.fail(Code::DeadlineExceeded, Self::LATE),
            During::Write => {
                self.burned |= self.units.is_some();
                self.fail(Code::DeadlineExceeded, "the primary has not answered whether the pack was recorded");
            }
        }
    }

    fn end(mut self, _: &Flow, code: Code, detail: &str) {
        self.fail(code, detail);
    }
}

impl<W: PackWriter> PackLane<W> {
    /// The lane of the primary with this index in the topology. `stripe`: as for a record lane.
    pub fn new(flow: Arc<Flow>, writer: W, index: usize, stripe: u16, rows_max: usize, health: Arc<Health>) -> Self {
        Self { front: Front::new(flow, index, rows_max, PACE, health), writer, stripe, rows_max }
    }

    /// Serves for ever. Connects for the first pack, and not before.
    pub async fn run(mut self) {
        self.front.queue().tasks.wait().await;
        loop {
            self.front.connect(&mut self.writer).await;
            while self.serve().await.is_ok() {
                self.front.take().await;
            }
        }
    }

    /// Brings the group to its end.
    async fn serve(&mut self) -> Result<(), Lost> {
        for _ in 0..ROUNDS_MAX {
            self.front.drop_late();
            if self.front.group.is_empty() {
                return Ok(());
            }
            let Some((read, connection)) = self.read().await? else { continue };
            let now_ms = self.front.flow.clock.now_ms();
            let packs = self.plan(&read, connection, now_ms);
            if packs.is_empty() {
                continue;
            }
            match self.front.write(packs.len(), self.writer.record_packs(&packs)).await {
                Ok(()) => self.committed(packs),
                // Some pack or coupon exists. Which one, reading all of them again tells.
                Err(RecordError::Conflict) => {}
                Err(RecordError::Fenced) => self.fenced().await?,
                Err(error) => {
                    if matches!(error, RecordError::Unknown(_)) {
                        self.unknown();
                    }
                    self.front.go_on_after(error).await?;
                }
            }
        }
        self.front.give_up(Code::Contended, Code::Contended.cause());
        Ok(())
    }
}
