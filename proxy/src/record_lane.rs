//! The record lane: one or more a primary. Takes all that queued while its last transaction was in flight, and records
//! it in one transaction: fences checked, rows inserted, ledger raised, committed.
//!
//! What became of a batch decides what happens to its units:
//!
//! | outcome            | rows            | units                        | claims                               |
//! |--------------------|-----------------|------------------------------|--------------------------------------|
//! | committed          | there           | used                         | answered                             |
//! | conflict           | rolled back     | held                         | looked up, then recorded or answered |
//! | fenced             | rolled back     | those of old epochs forgotten | start again at deduct               |
//! | rolled back        | not there       | held                         | recorded again                       |
//! | refused, not sent  | not there       | given back                   | *not applied*                        |
//! | unknown            | perhaps there   | never given back             | looked up with a lock, recorded again with the same ids; *unknown* at the deadline |
//!
//! Cancelling the lane is a crash: the batch in flight commits or not, its units are used or return with a settle.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxBuildHasher;
use scrip_protocol::v1::Code;
use tokio::time::Instant;

use crate::admin::Health;
use crate::claim::{Absent, ClaimTask, Step};
use crate::flow::{Flow, LaneQueue};
use crate::lane::{During, Front, LaneStages, Lost, Queued, ROUNDS_MAX};
use crate::load::Load;
use crate::meter::Meter;
use crate::pace::PaceLimits;
use crate::store::{CouponRow, NewCoupon, RecordError, RecordWriter};
use crate::template::Due;
use recent::Recent;

mod look_up;
mod recent;
#[cfg(test)]
mod tests;

/// A transaction of 256 rows spends a sixth of its CPU on itself, one of 512 an eleventh, one of 10 rows five sixths.
const PACE: PaceLimits = PaceLimits { times: 2, max: Duration::from_millis(20), enough: 512 };

/// Bounds of one lane.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Rows of one transaction.
    pub rows_max: usize,
    /// Users and templates whose coupons it remembers.
    pub recent_max: usize,
}

/// How often groups met a coupon that existed, of late. A conflict costs a transaction that is rolled back, a look-up
/// and a second one: when more than one group in five meets one, it is cheaper to look up first.
#[derive(Debug, Default)]
struct Conflicts {
    score: u8,
}

impl Conflicts {
    fn add(&mut self, met: bool) {
        self.score = if met { self.score.saturating_add(4).min(16) } else { self.score.saturating_sub(1) };
    }

    fn are_likely(&self) -> bool {
        self.score >= 8
    }
}

/// One lane of one primary.
#[derive(Debug)]
pub struct RecordLane<W> {
    front: Front<ClaimTask>,
    writer: W,
    stripe: u16,
    load: Arc<Load>,
    recent: Recent,
    conflicts: Conflicts,
    rows: Vec<NewCoupon>,
}

impl Queued for ClaimTask {
    const LATE: &'static str = "the deadline passed before the coupon was recorded";

    fn queue(flow: &Flow, index: usize) -> &LaneQueue<Self> {
        &flow.record[index]
    }

    fn stages(meter: &Meter) -> LaneStages<'_> {
        let stages = &meter.stages;
        LaneStages { queue: &stages.record_queue, read: &stages.look_up, call: &stages.record_call }
    }

    fn is_late(&self, now: Instant) -> bool {
        self.is_late(now)
    }

    fn is_answered(&self) -> bool {
        self.is_answered()
    }

    fn is_burned(&self) -> bool {
        self.unit.is_some_and(|unit| unit.burned)
    }

    fn since(&self) -> Instant {
        self.since
    }

    fn enters(&mut self) {
        self.since = Instant::now();
    }

    fn refuse_in_flight(&mut self, during: During) {
        match during {
            During::Read if !self.is_burned() => {
                self.refuse(Code::DeadlineExceeded, "the primary did not answer before the deadline");
            }
            During::Read | During::Write => {
                self.refuse(Code::OutcomeUnknown, "the primary has not answered whether the coupon was recorded");
            }
        }
    }

    /// A claim that ends without a coupon. With a burned unit it may have been recorded.
    fn end(mut self, flow: &Flow, code: Code, detail: &str) {
        if self.is_burned() {
            self.refuse(Code::OutcomeUnknown, "the connection was lost during the commit, and not found again in time");
        }
        flow.turn_back(self, code, detail);
    }
}

impl<W: RecordWriter> RecordLane<W> {
    /// The lane with this index in the flow. `stripe`: any number; lanes of different proxies should differ, so that
    /// they do not queue on one ledger row.
    pub fn new(flow: Arc<Flow>, writer: W, index: usize, stripe: u16, sizes: Sizes, health: Arc<Health>) -> Self {
        let Sizes { rows_max, recent_max } = sizes;
        let load = Arc::clone(&flow.loads[index]);
        let front = Front::new(flow, index, rows_max, PACE, health);
        let (recent, conflicts, rows) = (Recent::new(recent_max), Conflicts::default(), Vec::new());
        Self { front, writer, stripe, load, recent, conflicts, rows }
    }

    /// Serves for ever.
    pub async fn run(mut self) {
        loop {
            self.front.connect(&mut self.writer).await;
            while self.serve_group().await.is_ok() {
                self.front.take().await;
            }
        }
    }

    async fn serve_group(&mut self) -> Result<(), Lost> {
        let (began, claims) = (Instant::now(), self.front.group.len());
        let served = self.serve().await;
        self.load.served(claims, began.elapsed());
        served
    }

    /// Brings the group to its end.
    async fn serve(&mut self) -> Result<(), Lost> {
        for round in 0..ROUNDS_MAX {
            self.front.drop_late();
            self.recall();
            let first = round == 0 && self.conflicts.are_likely();
            if first {
                self.look_up_first();
            }
            let met = self.look_up().await?;
            if first {
                self.conflicts.add(met);
            }
            // Who was refused during the look-up must not be recorded after all.
            self.front.drop_late();
            self.set_doubles_aside();
            // One moment for the check and for the rows: midnight does not come between them.
            let now_ms = self.front.flow.clock.now_ms();
            self.drop_full_days(now_ms);
            if self.front.group.is_empty() {
                return Ok(());
            }
            match self.record(now_ms).await {
                Ok(()) => {
                    if !first {
                        self.conflicts.add(false);
                    }
                    self.committed();
                }
                Err(RecordError::Conflict) => {
                    self.conflicts.add(true);
                    self.conflict();
                }
                Err(RecordError::Fenced) => self.fenced().await?,
                Err(error) => {
                    if matches!(error, RecordError::Unknown(_)) {
                        self.unknown();
                    }
                    self.front.go_on_after(error).await?;
                }
            }
        }
        self.front.give_up(Code::Contended, "too many claims of the same users at once");
        Ok(())
    }

    async fn record(&mut self, now_ms: u64) -> Result<(), RecordError> {
        let stripe = self.stripe;
        self.rows.clear();
        self.rows.extend(self.front.group.iter().filter_map(|task| row(task, stripe, now_ms)));
        self.front.write(self.rows.len(), self.writer.record(&self.rows)).await
    }

    fn committed(&mut self) {
        let Self { front: Front { flow, group, .. }, writer, recent, rows, .. } = self;
        let connection = writer.connection();
        flow.meter.transactions.add(1);
        flow.meter.coupons.add(rows.len());
        for (mut task, row) in group.drain(..).zip(rows) {
            recent.recorded(connection, (row.user, row.template), row.seq, row.request);
            task.template.live.settled_well();
            if !task.is_answered() {
                let coupon = flow.coupon(&task.template, &stored(row), false);
                task.grant(coupon);
            }
        }
    }

    /// Some coupon of the batch exists. Which one, a look-up in a new snapshot tells.
    fn conflict(&mut self) {
        for task in &mut self.front.group {
            task.step = Step::LookUp { absent: Absent::Record, lock: false };
        }
    }

    /// Claims whose epoch is no longer the fence's start again at deduct; the unit is forgotten.
    async fn fenced(&mut self) -> Result<(), Lost> {
        let flow = Arc::clone(&self.front.flow);
        flow.meter.fenced.add(1);
        let mut keys: Vec<_> = self.front.group.iter().filter_map(|task| task.unit.map(|unit| unit.key)).collect();
        keys.sort_unstable();
        keys.dedup();
        let epochs = self.front.find(self.writer.epochs(&keys)).await?;
        let fences: BTreeMap<_, _> = keys.into_iter().zip(epochs).collect();
        let old = |task: &mut ClaimTask| task.unit.is_some_and(|unit| fences.get(&unit.key) != Some(&Some(unit.epoch)));
        let fenced: Vec<ClaimTask> = self.front.group.extract_if(.., |task| old(task)).collect();
        if fenced.is_empty() {
            return Err(self.front.has_other_topology());
        }
        for mut task in fenced {
            let Some(unit) = task.unit else { continue };
            task.template.live.set_due(unit.slot, Due::Fenced { epoch: unit.epoch });
            flow.tend(task.template.record.template);
            if unit.burned {
                // An earlier send of its record may have been committed before the fence went up. After it nothing is:
                // what a locking look-up says now is definite.
                task.step = Step::LookUp { absent: Absent::Deduct, lock: true };
                self.front.group.push(task);
            } else if !task.is_answered() {
                task.unit = None;
                task.since = Instant::now();
                flow.to_stock(task);
            }
        }
        Ok(())
    }

    /// The outcome is resolved with the same ids on a new connection; these units are never given back.
    fn unknown(&mut self) {
        for task in &mut self.front.group {
            if let Some(unit) = &mut task.unit {
                unit.burned = true;
            }
            task.step = Step::LookUp { absent: Absent::Record, lock: true };
        }
    }

    /// Claims that would be above the limit of the day which has come by now.
    fn drop_full_days(&mut self, now_ms: u64) {
        let Front { flow, group, .. } = &mut self.front;
        for task in group.extract_if(.., |task| task.is_day_full(now_ms)) {
            task.end(flow, Code::DailyLimitReached, Code::DailyLimitReached.cause());
        }
    }

    /// Of several claims of one user and template only the first is tried now; the others read what became of it.
    fn set_doubles_aside(&mut self) {
        let Front { flow, group, .. } = &mut self.front;
        let mut seen = HashSet::with_capacity_and_hasher(group.len(), FxBuildHasher);
        for mut task in group.extract_if(.., |task| !seen.insert((task.user, task.template.record.template))) {
            task.since = Instant::now();
            flow.look_up(task, Absent::Record, false);
        }
    }
}

fn row(task: &ClaimTask, stripe: u16, now_ms: u64) -> Option<NewCoupon> {
    let unit = task.unit?;
    Some(NewCoupon {
        user: task.user,
        template: task.template.record.template,
        seq: task.seq,
        seen_on: task.seen_on,
        request: task.request,
        sub_stock: unit.key.sub_stock,
        epoch: unit.epoch,
        stripe: stripe % task.template.record.stripes.max(1),
        claimed_at_ms: now_ms,
    })
}

fn stored(row: &NewCoupon) -> CouponRow {
    CouponRow::new(row.user, row.template, row.seq, row.request, row.claimed_at_ms)
}
