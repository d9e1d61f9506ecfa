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
use tokio::time::{Instant, sleep};

use crate::admin::Health;
use crate::claim::{Absent, ClaimTask, Step};
use crate::dial::{STUCK_AFTER, dial};
use crate::flow::{Flow, RecordQueue};
use crate::gate::Latch;
use crate::pace::{Pace, PaceLimits};
use crate::store::{CouponRow, NewCoupon, RecordError, RecordWriter, StoreError};
use crate::template::Due;
use crate::watch::watch;
use recent::Recent;

mod look_up;
mod recent;
#[cfg(test)]
mod tests;

/// How often one group is tried before its claims are refused as contended.
const ROUNDS_MAX: usize = 8;

/// A transaction of 256 rows spends a sixth of its CPU on itself, one of 512 an eleventh, one of 10 rows five sixths.
const PACE: PaceLimits = PaceLimits { times: 2, max: Duration::from_millis(20), enough: 512 };

/// The connection was lost, or never made.
struct Lost;

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
    flow: Arc<Flow>,
    writer: W,
    index: usize,
    stripe: u16,
    rows_max: usize,
    latch: Latch,
    pace: Pace,
    recent: Recent,
    conflicts: Conflicts,
    group: Vec<ClaimTask>,
    rows: Vec<NewCoupon>,
    health: Arc<Health>,
}

impl<W: RecordWriter> RecordLane<W> {
    /// The lane with this index in the flow. `stripe`: any number; lanes of different proxies should differ, so that
    /// they do not queue on one ledger row.
    pub fn new(flow: Arc<Flow>, writer: W, index: usize, stripe: u16, sizes: Sizes, health: Arc<Health>) -> Self {
        let Sizes { rows_max, recent_max } = sizes;
        let (latch, recent, conflicts) = (Latch::default(), Recent::new(recent_max), Conflicts::default());
        let (pace, group, rows) = (Pace::new(PACE), Vec::new(), Vec::new());
        Self { flow, writer, index, stripe, rows_max, latch, pace, recent, conflicts, group, rows, health }
    }

    /// Serves for ever.
    pub async fn run(mut self) {
        loop {
            self.connect().await;
            while self.serve_group().await.is_ok() {
                self.queue().claims.wait().await;
                let Self { flow, index, latch, pace, rows_max, group, .. } = &mut self;
                let queue = &flow.record[*index];
                pace.wait(&queue.claims, || sweep_queue(flow, queue, latch)).await;
                queue.claims.take(*rows_max, group);
                let taken = Instant::now();
                flow.meter.stages.record_queue.record_each(group.iter().map(|task| taken - task.since));
            }
        }
    }

    fn queue(&self) -> &RecordQueue {
        &self.flow.record[self.index]
    }

    /// Until there is a connection, what queues is refused; the group (of unknown outcome) waits for its deadlines.
    async fn connect(&mut self) {
        let Self { flow, writer, index, latch, group, health, .. } = self;
        let queue = &flow.record[*index];
        let backend = (queue.primary, &*queue.gate, latch);
        dial(writer, backend, health, || flow.roll(), |latch| sweep(flow, queue, group, latch)).await;
    }

    async fn serve_group(&mut self) -> Result<(), Lost> {
        let (began, claims) = (Instant::now(), self.group.len());
        let served = self.serve().await;
        self.queue().load.served(claims, began.elapsed());
        served
    }

    /// Brings the group to its end.
    async fn serve(&mut self) -> Result<(), Lost> {
        for round in 0..ROUNDS_MAX {
            self.drop_late();
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
            self.drop_late();
            self.set_doubles_aside();
            // One moment for the check and for the rows: midnight does not come between them.
            let now_ms = self.flow.clock.now_ms();
            self.drop_full_days(now_ms);
            if self.group.is_empty() {
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
        self.give_up(Code::Contended, "too many claims of the same users at once");
        Ok(())
    }

    async fn record(&mut self, now_ms: u64) -> Result<(), RecordError> {
        let stripe = self.stripe;
        self.rows.clear();
        self.rows.extend(self.group.iter().filter_map(|task| row(task, stripe, now_ms)));
        let Self { flow, writer, index, latch, pace, group, rows, .. } = self;
        let queue = &flow.record[*index];
        let (began, claims) = (Instant::now(), rows.len());
        let result = watch(writer.record(rows), |took| {
            let now = Instant::now();
            for task in group.iter_mut().filter(|task| task.is_late(now)) {
                task.refuse(Code::OutcomeUnknown, "the primary has not answered whether the coupon was recorded");
            }
            if took > STUCK_AFTER && latch.close(&queue.gate) {
                tracing::warn!(primary = %queue.primary, "primary is stuck; its users are refused");
            }
            sweep_queue(flow, queue, latch);
        })
        .await;
        let took = began.elapsed();
        pace.called(took);
        flow.meter.stages.record_call.record(took, claims);
        queue.calls.add(claims, took);
        let answered = !matches!(result, Err(RecordError::Unknown(_) | RecordError::Unreachable(_)));
        if answered && latch.open(&queue.gate) {
            tracing::info!(primary = %queue.primary, "primary answers again");
        }
        result
    }

    fn committed(&mut self) {
        let Self { flow, writer, recent, group, rows, .. } = self;
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
        self.flow.meter.conflicts.add(1);
        for task in &mut self.group {
            task.step = Step::LookUp { absent: Absent::Record, lock: false };
        }
    }

    /// Claims whose epoch is no longer the fence's start again at deduct; the unit is forgotten.
    async fn fenced(&mut self) -> Result<(), Lost> {
        self.flow.meter.fenced.add(1);
        let mut keys: Vec<_> = self.group.iter().filter_map(|task| task.unit.map(|unit| unit.key)).collect();
        keys.sort_unstable();
        keys.dedup();
        let Self { flow, writer, index, latch, group, .. } = self;
        let queue = &flow.record[*index];
        let call = writer.epochs(&keys);
        let epochs = watch(call, |_| {
            look_up::refuse_late(group);
            sweep_queue(flow, queue, latch);
        });
        let epochs = match epochs.await {
            Ok(epochs) => epochs,
            Err(error) => return self.lost(&error),
        };
        let fences: BTreeMap<_, _> = keys.into_iter().zip(epochs).collect();
        let flow = Arc::clone(&self.flow);
        let old = |task: &mut ClaimTask| task.unit.is_some_and(|unit| fences.get(&unit.key) != Some(&Some(unit.epoch)));
        let fenced: Vec<ClaimTask> = self.group.extract_if(.., |task| old(task)).collect();
        if fenced.is_empty() {
            // Every epoch is right, so the primary has another topology version: dialling it anew tells.
            self.give_up(Code::PrimaryUnavailable, "the primary has another topology version than this proxy");
            return Err(Lost);
        }
        for mut task in fenced {
            let Some(unit) = task.unit else { continue };
            task.template.live.set_due(unit.slot, Due::Fenced { epoch: unit.epoch });
            flow.tend(task.template.record.template);
            if unit.burned {
                // An earlier send of its record may have been committed before the fence went up. After it nothing is:
                // what a locking look-up says now is definite.
                task.step = Step::LookUp { absent: Absent::Deduct, lock: true };
                self.group.push(task);
            } else if !task.is_answered() {
                task.unit = None;
                task.since = Instant::now();
                flow.to_stock(task);
            }
        }
        Ok(())
    }

    /// The outcome is resolved with the same ids on a new connection; these units are never given back.
    fn unknown(&mut self, detail: &str) {
        self.flow.meter.unknowns.add(1);
        tracing::warn!(primary = %self.queue().primary, detail, claims = self.group.len(), "outcome of a commit unknown");
        for task in &mut self.group {
            if let Some(unit) = &mut task.unit {
                unit.burned = true;
            }
            task.step = Step::LookUp { absent: Absent::Record, lock: true };
        }
    }

    fn give_up(&mut self, code: Code, detail: &str) {
        for task in self.group.drain(..) {
            give_up_one(&self.flow, task, code, detail);
        }
    }

    /// A read failed, so nothing was written: what holds no burned unit is refused, the rest waits for a connection.
    fn lost(&mut self, error: &StoreError) -> Result<(), Lost> {
        let burned = |task: &mut ClaimTask| task.unit.is_some_and(|unit| unit.burned);
        for task in self.group.extract_if(.., |task| !burned(task)) {
            self.flow.turn_back(task, Code::PrimaryUnavailable, &error.to_string());
        }
        Err(Lost)
    }

    /// What is late is refused before it costs the primary anything.
    fn drop_late(&mut self) {
        let now = Instant::now();
        for task in self.group.extract_if(.., |task| task.is_late(now) || task.is_answered()) {
            give_up_one(&self.flow, task, Code::DeadlineExceeded, "the deadline passed before the coupon was recorded");
        }
    }

    /// Claims that would be above the limit of the day which has come by now.
    fn drop_full_days(&mut self, now_ms: u64) {
        for task in self.group.extract_if(.., |task| task.is_day_full(now_ms)) {
            give_up_one(&self.flow, task, Code::DailyLimitReached, Code::DailyLimitReached.cause());
        }
    }

    /// Of several claims of one user and template only the first is tried now; the others read what became of it.
    fn set_doubles_aside(&mut self) {
        let mut seen = HashSet::with_capacity_and_hasher(self.group.len(), FxBuildHasher);
        let flow = &self.flow;
        for mut task in self.group.extract_if(.., |task| !seen.insert((task.user, task.template.record.template))) {
            task.since = Instant::now();
            flow.look_up(task, Absent::Record, false);
        }
    }
}

/// A claim that ends without a coupon. With a burned unit it may have been recorded.
fn give_up_one(flow: &Flow, mut task: ClaimTask, code: Code, detail: &str) {
    if task.unit.is_some_and(|unit| unit.burned) {
        task.refuse(Code::OutcomeUnknown, "the connection was lost during the commit, and not found again in time");
    }
    flow.turn_back(task, code, detail);
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

/// While the lane waits for a connection: deadlines of the group, and of the queue.
fn sweep(flow: &Flow, queue: &RecordQueue, group: &mut Vec<ClaimTask>, latch: &Latch) {
    let now = Instant::now();
    for task in group.extract_if(.., |task| task.is_late(now) || task.is_answered()) {
        give_up_one(flow, task, Code::DeadlineExceeded, "the deadline passed before the coupon was recorded");
    }
    sweep_queue(flow, queue, latch);
}

/// With the gate closed all that queues is doomed and refused at once; else what is late.
fn sweep_queue(flow: &Flow, queue: &RecordQueue, latch: &Latch) {
    let now = Instant::now();
    let doomed = latch.is_closed();
    for task in queue.claims.take_where(|task| doomed || task.is_late(now)) {
        if task.is_late(now) {
            give_up_one(flow, task, Code::DeadlineExceeded, "the deadline passed before the coupon was recorded");
        } else {
            give_up_one(flow, task, Code::PrimaryUnavailable, "the primary of this user cannot be written to");
        }
    }
}
