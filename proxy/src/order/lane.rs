//! The order lane: one a primary.

mod sealed;
mod spend;

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use scrip_protocol::v1::{Code, Coupon};
use tokio::time::{Instant, sleep};

use self::sealed::Sealed;
use super::funds::Funds;
use super::plan::{Logs, Plan, is_superseded, plan, validity};
use super::rules::{self, Verdict};
use super::{Item, OrderTask, Sent};
use crate::admin::Health;
use crate::dial::{STUCK_AFTER, dial};
use crate::flow::{Flow, OrderQueue};
use crate::gate::Latch;
use crate::generations::Generations;
use crate::pace::{Pace, PaceLimits};
use crate::record_lane::Sizes;
use crate::store::steps::{CouponKey, CouponLog, NewStep, Spend};
use crate::store::{MetaStore, RecordError, RecordStore, RecordWriter, StoreError};
use crate::watch::watch;

/// How often one group is tried before its requests are refused as contended.
const ROUNDS_MAX: usize = 8;

/// As for record lanes: what a transaction costs by itself is shared by what it carries.
const PACE: PaceLimits = PaceLimits { times: 2, max: Duration::from_millis(20), enough: 256 };

const LATE: &str = "the deadline passed before the order's coupons were changed";
const IN_COMMIT: &str = "the primary has not answered whether the order's coupons were changed";

/// The connection was lost, or never made.
struct Lost;

/// The lane of one primary.
#[derive(Debug)]
pub struct OrderLane<W, R, M> {
    flow: Arc<Flow>,
    writer: W,
    index: usize,
    rows_max: usize,
    latch: Latch,
    pace: Pace,
    group: Vec<OrderTask>,
    recent: Generations<CouponKey, CouponLog>,
    funds: Funds<R, M>,
    sealed: Sealed,
    health: Arc<Health>,
}

impl<W: RecordWriter, R: RecordStore, M: MetaStore> OrderLane<W, R, M> {
    /// The lane of the primary with this index in the topology.
    pub fn new(
        flow: Arc<Flow>,
        writer: W,
        funds: Funds<R, M>,
        index: usize,
        sizes: Sizes,
        health: Arc<Health>,
    ) -> Self {
        let (latch, pace, group) = (Latch::default(), Pace::new(PACE), Vec::new());
        let Sizes { rows_max, recent_max } = sizes;
        let (recent, sealed) = (Generations::new(recent_max), Sealed::default());
        Self { flow, writer, index, rows_max, latch, pace, group, recent, funds, sealed, health }
    }

    /// Serves for ever. Cancelling is a crash: the transaction in flight commits or not.
    pub async fn run(mut self) {
        loop {
            self.connect().await;
            while self.serve().await.is_ok() {
                self.queue().tasks.wait().await;
                let Self { flow, index, latch, pace, rows_max, group, .. } = &mut self;
                let queue = &flow.orders[*index];
                pace.wait(&queue.tasks, || sweep_queue(queue, latch)).await;
                queue.tasks.take(*rows_max, group);
                let taken = Instant::now();
                flow.meter.stages.order_queue.record_each(group.iter().map(|task| taken - task.since));
            }
        }
    }

    fn queue(&self) -> &OrderQueue {
        &self.flow.orders[self.index]
    }

    async fn connect(&mut self) {
        let Self { flow, writer, index, latch, group, health, .. } = self;
        let queue = &flow.orders[*index];
        let backend = (queue.primary, &*queue.gate, latch);
        let sweep = |latch: &Latch| {
            refuse_late(group);
            sweep_queue(queue, latch);
        };
        dial(writer, backend, health, || flow.roll(), sweep).await;
    }

    /// Brings the group to its end.
    async fn serve(&mut self) -> Result<(), Lost> {
        for _ in 0..ROUNDS_MAX {
            refuse_late(&mut self.group);
            self.group.retain(|task| !task.is_answered());
            if self.group.is_empty() {
                return Ok(());
            }
            // A read may make a new connection; what was remembered of the one before must not pass as seen on it.
            let connection = self.writer.connection();
            let logs = self.read().await?;
            self.learn_of_absent(&logs).await?;
            let steps = self.plan(&logs, connection);
            if steps.is_empty() {
                continue;
            }
            let spends = self.spends(&steps);
            match self.append(&steps, &spends).await {
                Ok(()) => self.committed(logs, steps),
                // Some log has grown since it was read. Which one, reading all of them tells.
                Err(RecordError::Conflict) => self.flow.meter.conflicts.add(1),
                Err(RecordError::RolledBack(detail)) => {
                    tracing::debug!(primary = %self.queue().primary, detail, "rolled back; trying again");
                    sleep(Duration::from_millis(1 + self.flow.roll() % 5)).await;
                }
                Err(RecordError::Refused(detail)) => self.give_up(Code::StoreRefused, &detail),
                Err(RecordError::Fenced) => self.raise_budgets(&spends).await?,
                Err(RecordError::Unreachable(detail)) => {
                    self.give_up(Code::PrimaryUnavailable, &detail);
                    return Err(Lost);
                }
                Err(RecordError::Unknown(detail)) => {
                    self.unknown(&steps, &detail);
                    return Err(Lost);
                }
            }
        }
        self.give_up(Code::Contended, Code::Contended.cause());
        Ok(())
    }

    /// The logs of all coupons of the group: remembered or read. Those of which a step may yet be written are read under a
    /// lock, which waits for the transaction that writes it.
    async fn read(&mut self) -> Result<Logs, Lost> {
        let mut logs = self.remembered();
        for lock in [true, false] {
            let tasks = self.group.iter().filter(|task| task.is_burned() == lock);
            let keys = tasks.flat_map(|task| task.items.iter().map(|item| item.key));
            let keys: Vec<_> = keys.filter(|key| !logs.contains_key(key)).collect();
            if keys.is_empty() {
                continue;
            }
            let Self { flow, writer, index, latch, group, .. } = self;
            let queue = &flow.orders[*index];
            let sent = Instant::now();
            let found = watch(writer.logs(&keys, lock), |_| {
                refuse_late(group);
                sweep_queue(queue, latch);
            })
            .await;
            flow.meter.stages.order_read.record(sent.elapsed(), keys.len());
            match found {
                Ok(found) => logs.extend(found.into_iter().map(|log| (log.row.key(), log))),
                Err(error) => return self.lost(&error).map(|()| logs),
            }
        }
        Ok(logs)
    }

    /// What is remembered is taken out: it may have grown since, and who commits puts it back. Only a step can be decided on
    /// it, because the primary key then tells; that nothing is to be done, or that something may not be, is decided on what
    /// was read. So is everything that a request of unknown outcome names, whoever else names it.
    fn remembered(&mut self) -> Logs {
        let Self { flow, writer, group, recent, .. } = self;
        let (connection, now_ms) = (writer.connection(), flow.clock.now_ms());
        let (mut logs, mut doubted) = (Logs::default(), Vec::new());
        for task in group {
            if task.is_burned() {
                doubted.extend(task.items.iter().map(|item| item.key));
                continue;
            }
            for item in &task.items {
                let log = match logs.entry(item.key) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => match recent.take(connection, &item.key) {
                        Some(log) => place.insert(log),
                        None => continue,
                    },
                };
                match rules::decide(log, validity(item, log), &task.order, item.wish, now_ms) {
                    Verdict::Append(_) => {}
                    Verdict::Done | Verdict::Refuse(_) => doubted.push(item.key),
                }
            }
        }
        for key in doubted {
            logs.remove(&key);
        }
        logs
    }

    /// Answers what needs no step, and gives the steps of the others. Of several requests for one coupon only the first is
    /// tried now; the others read what became of it. What is left in the group beyond that goes back to the queue.
    fn plan(&mut self, logs: &Logs, connection: u64) -> Vec<NewStep> {
        let now_ms = self.flow.clock.now_ms();
        let mut steps: Vec<NewStep> = Vec::new();
        let mut taken: FxHashSet<CouponKey> = FxHashSet::default();
        let mut kept = Vec::with_capacity(self.group.len());
        let mut known = std::mem::take(&mut self.sealed);
        let sealed = known.on(connection);
        for mut task in std::mem::take(&mut self.group) {
            if task.is_answered() {
                continue;
            }
            if task.sent.iter().any(|sent| is_superseded(logs.get(&sent.key), sent, &task)) {
                task.sent.clear();
            }
            let is_double = task.items.iter().any(|item| taken.contains(&item.key));
            if is_double || (!steps.is_empty() && steps.len() + task.items.len() > self.rows_max) {
                self.put_back(task);
                continue;
            }
            match plan(&task, logs, sealed, now_ms) {
                Plan::Refuse(code, detail) => task.refuse(code, &detail),
                Plan::Done => {
                    task.sent.clear();
                    let coupons = task.items.iter().filter_map(|item| self.coupon(item, logs.get(&item.key)?, true));
                    let coupons = coupons.collect();
                    task.grant(coupons);
                }
                Plan::Append(new) => {
                    taken.extend(task.items.iter().map(|item| item.key));
                    steps.extend(new.into_iter().map(|(key, step)| NewStep { key, step, seen_on: connection }));
                    kept.push(task);
                }
            }
        }
        self.group = kept;
        self.sealed = known;
        steps
    }

    fn put_back(&self, mut task: OrderTask) {
        task.since = Instant::now();
        if let Err(mut task) = self.queue().tasks.push(task) {
            task.refuse(Code::Overloaded, "the queue to the primary of this user is full");
        }
    }

    fn coupon(&self, item: &Item, log: &CouponLog, replayed: bool) -> Option<Coupon> {
        Some(self.flow.coupon(&item.template, &log.row, replayed))
    }

    async fn append(&mut self, steps: &[NewStep], spends: &[Spend]) -> Result<(), RecordError> {
        let Self { flow, writer, index, latch, pace, group, .. } = self;
        let queue = &flow.orders[*index];
        let began = Instant::now();
        let result = watch(writer.append(steps, spends), |took| {
            let now = Instant::now();
            for task in group.iter_mut().filter(|task| task.is_late(now)) {
                task.refuse(Code::OutcomeUnknown, IN_COMMIT);
            }
            if took > STUCK_AFTER && latch.close(&queue.gate) {
                tracing::warn!(primary = %queue.primary, "primary is stuck; its users are refused");
            }
            sweep_queue(queue, latch);
        })
        .await;
        let took = began.elapsed();
        pace.called(took);
        flow.meter.stages.order_call.record(took, group.len());
        let answered = !matches!(result, Err(RecordError::Unknown(_) | RecordError::Unreachable(_)));
        if answered && latch.open(&queue.gate) {
            tracing::info!(primary = %queue.primary, "primary answers again");
        }
        result
    }

    fn committed(&mut self, mut logs: Logs, steps: Vec<NewStep>) {
        self.flow.meter.order_transactions.add(1);
        self.flow.meter.coupon_steps.add(steps.len());
        let connection = self.writer.connection();
        let mut changed = FxHashSet::with_capacity_and_hasher(steps.len(), FxBuildHasher);
        for NewStep { key, step, .. } in steps {
            let Some(log) = logs.get_mut(&key) else { continue };
            log.row = log.row.held(&step.hold);
            log.steps.push(step);
            changed.insert(key);
        }
        for mut task in std::mem::take(&mut self.group) {
            let coupons = task
                .items
                .iter()
                .filter_map(|item| self.coupon(item, logs.get(&item.key)?, !changed.contains(&item.key)));
            let coupons = coupons.collect();
            task.sent.clear();
            task.grant(coupons);
        }
        for (key, log) in logs.into_iter().filter(|(key, _)| changed.contains(key)) {
            self.recent.insert(connection, key, log);
        }
    }

    /// The logs are read again on a new connection; until then nothing about these requests is definite.
    fn unknown(&mut self, steps: &[NewStep], detail: &str) {
        self.flow.meter.unknowns.add(1);
        tracing::warn!(primary = %self.queue().primary, detail, requests = self.group.len(), "outcome of a commit unknown");
        let sent: FxHashMap<CouponKey, Sent> = steps.iter().map(|new| (new.key, Sent::new(new))).collect();
        for task in &mut self.group {
            task.sent = task.items.iter().filter_map(|item| sent.get(&item.key).copied()).collect();
        }
    }

    fn give_up(&mut self, code: Code, detail: &str) {
        self.group.drain(..).for_each(|mut task| task.refuse(code, detail));
    }

    /// A read failed, so nothing was written: what is not burned is refused, the rest waits for a connection.
    fn lost(&mut self, error: &StoreError) -> Result<(), Lost> {
        for mut task in self.group.extract_if(.., |task| !task.is_burned()) {
            task.refuse(Code::PrimaryUnavailable, &error.to_string());
        }
        Err(Lost)
    }
}

fn refuse_late(group: &mut [OrderTask]) {
    let now = Instant::now();
    for task in group.iter_mut().filter(|task| task.is_late(now)) {
        task.refuse(Code::DeadlineExceeded, LATE);
    }
}

/// With the gate closed all that queues is doomed and refused at once; else what is late.
fn sweep_queue(queue: &OrderQueue, latch: &Latch) {
    let now = Instant::now();
    let doomed = latch.is_closed();
    for mut task in queue.tasks.take_where(|task| doomed || task.is_late(now)) {
        if task.is_late(now) {
            task.refuse(Code::DeadlineExceeded, LATE);
        } else {
            task.refuse(Code::PrimaryUnavailable, "the primary of this user cannot be written to");
        }
    }
}
