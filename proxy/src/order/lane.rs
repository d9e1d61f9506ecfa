//! The order lane: one a primary.

mod sealed;
mod spend;

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use scrip_protocol::v1::{Code, Coupon};
use tokio::time::Instant;

use self::sealed::Sealed;
use super::funds::Funds;
use super::plan::{Logs, Plan, is_superseded, plan, validity};
use super::rules::{self, Verdict};
use super::{Item, OrderTask, Sent};
use crate::admin::Health;
use crate::flow::{Flow, LaneQueue};
use crate::generations::Generations;
use crate::lane::{During, Front, LaneStages, Lost, Queued, ROUNDS_MAX};
use crate::meter::Meter;
use crate::pace::PaceLimits;
use crate::record_lane::Sizes;
use crate::store::steps::{CouponKey, CouponLog, NewStep};
use crate::store::{MetaStore, RecordError, RecordStore, RecordWriter};

/// As for record lanes: what a transaction costs by itself is shared by what it carries.
const PACE: PaceLimits = PaceLimits { times: 2, max: Duration::from_millis(20), enough: 256 };

/// The lane of one primary.
#[derive(Debug)]
pub struct OrderLane<W, R, M> {
    front: Front<OrderTask>,
    writer: W,
    rows_max: usize,
    recent: Generations<CouponKey, CouponLog>,
    funds: Funds<R, M>,
    sealed: Sealed,
}

impl Queued for OrderTask {
    const LATE: &'static str = "the deadline passed before the order's coupons were changed";

    fn queue(flow: &Flow, index: usize) -> &LaneQueue<Self> {
        &flow.orders[index]
    }

    fn stages(meter: &Meter) -> LaneStages<'_> {
        let stages = &meter.stages;
        LaneStages { queue: &stages.order_queue, read: &stages.order_read, call: &stages.order_call }
    }

    fn is_late(&self, now: Instant) -> bool {
        self.is_late(now)
    }

    fn is_answered(&self) -> bool {
        self.is_answered()
    }

    fn is_burned(&self) -> bool {
        self.is_burned()
    }

    fn since(&self) -> Instant {
        self.since
    }

    fn enters(&mut self) {
        self.since = Instant::now();
    }

    fn refuse_in_flight(&mut self, during: During) {
        match during {
            During::Read => self.refuse(Code::DeadlineExceeded, Self::LATE),
            During::Write => {
                let detail = "the primary has not answered whether the order's coupons were changed";
                self.refuse(Code::OutcomeUnknown, detail);
            }
        }
    }

    fn end(mut self, _: &Flow, code: Code, detail: &str) {
        self.refuse(code, detail);
    }
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
        let Sizes { rows_max, recent_max } = sizes;
        let front = Front::new(flow, index, rows_max, PACE, health);
        let (recent, sealed) = (Generations::new(recent_max), Sealed::default());
        Self { front, writer, rows_max, recent, funds, sealed }
    }

    /// Serves for ever. Cancelling is a crash: the transaction in flight commits or not.
    pub async fn run(mut self) {
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
            // A read may make a new connection; what was remembered of the one before must not pass as seen on it.
            let connection = self.writer.connection();
            let logs = self.read().await?;
            self.learn_of_absent(&logs).await?;
            let steps = self.plan(&logs, connection);
            if steps.is_empty() {
                continue;
            }
            let spends = self.spends(&steps);
            let append = self.writer.append(&steps, &spends);
            match self.front.write(steps.len(), append).await {
                Ok(()) => self.committed(logs, steps),
                // Some log has grown since it was read. Which one, reading all of them tells.
                Err(RecordError::Conflict) => {}
                Err(RecordError::Fenced) => self.raise_budgets(&spends).await?,
                Err(error) => {
                    if matches!(error, RecordError::Unknown(_)) {
                        self.unknown(&steps);
                    }
                    self.front.go_on_after(error).await?;
                }
            }
        }
        self.front.give_up(Code::Contended, Code::Contended.cause());
        Ok(())
    }

    /// The logs of all coupons of the group: remembered or read. Those of which a step may yet be written are read under a
    /// lock, which waits for the transaction that writes it.
    async fn read(&mut self) -> Result<Logs, Lost> {
        let mut logs = self.remembered();
        for lock in [true, false] {
            let tasks = self.front.group.iter().filter(|task| task.is_burned() == lock);
            let keys = tasks.flat_map(|task| task.items.iter().map(|item| item.key));
            let keys: Vec<_> = keys.filter(|key| !logs.contains_key(key)).collect();
            if keys.is_empty() {
                continue;
            }
            let found = self.front.read(keys.len(), self.writer.logs(&keys, lock)).await?;
            logs.extend(found.into_iter().map(|log| (log.row.key(), log)));
        }
        Ok(logs)
    }

    /// What is remembered is taken out: it may have grown since, and who commits puts it back. Only a step can be decided on
    /// it, because the primary key then tells; that nothing is to be done, or that something may not be, is decided on what
    /// was read. So is everything that a request of unknown outcome names, whoever else names it.
    fn remembered(&mut self) -> Logs {
        let Self { front: Front { flow, group, .. }, writer, recent, .. } = self;
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
        let now_ms = self.front.flow.clock.now_ms();
        let mut steps: Vec<NewStep> = Vec::new();
        let mut taken: FxHashSet<CouponKey> = FxHashSet::default();
        let mut kept = Vec::with_capacity(self.front.group.len());
        let mut known = std::mem::take(&mut self.sealed);
        let sealed = known.on(connection);
        for mut task in std::mem::take(&mut self.front.group) {
            if task.is_answered() {
                continue;
            }
            if task.sent.iter().any(|sent| is_superseded(logs.get(&sent.key), sent, &task)) {
                task.sent.clear();
            }
            let is_double = task.items.iter().any(|item| taken.contains(&item.key));
            if is_double || (!steps.is_empty() && steps.len() + task.items.len() > self.rows_max) {
                self.front.put_back(task);
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
        self.front.group = kept;
        self.sealed = known;
        steps
    }

    fn coupon(&self, item: &Item, log: &CouponLog, replayed: bool) -> Option<Coupon> {
        Some(self.front.flow.coupon(&item.template, &log.row, replayed))
    }

    fn committed(&mut self, mut logs: Logs, steps: Vec<NewStep>) {
        self.front.flow.meter.order_transactions.add(1);
        self.front.flow.meter.coupon_steps.add(steps.len());
        let connection = self.writer.connection();
        let mut changed = FxHashSet::with_capacity_and_hasher(steps.len(), FxBuildHasher);
        for NewStep { key, step, .. } in steps {
            let Some(log) = logs.get_mut(&key) else { continue };
            log.row = log.row.held(&step.hold);
            log.steps.push(step);
            changed.insert(key);
        }
        for mut task in std::mem::take(&mut self.front.group) {
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
    fn unknown(&mut self, steps: &[NewStep]) {
        let sent: FxHashMap<CouponKey, Sent> = steps.iter().map(|new| (new.key, Sent::new(new))).collect();
        for task in &mut self.front.group {
            task.sent = task.items.iter().filter_map(|item| sent.get(&item.key).copied()).collect();
        }
    }
}
