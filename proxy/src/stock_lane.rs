//! The stock lane: one a Redis shard. Takes all that queued while its last call was in flight, asks each sub-stock
//! once for the whole group, hands on what was granted.
//!
//! A shard whose call takes unusually long does not hold its claims: they go to a shard that answers.
//!
//! Crash points: units granted and not recorded are lost to their epoch, and the next settle brings them back. A
//! deduction whose outcome is unknown is forgotten, never given back; its claims go to another sub-stock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use scrip_protocol::v1::Code;
use scrip_shard_config::ShardId;
use tokio::time::Instant;

use crate::admin::{Component, Health, Status};
use crate::claim::{ClaimTask, Unit};
use crate::flow::{Flow, StockQueue};
use crate::gate::Latch;
use crate::pace::{Pace, PaceLimits};
use crate::store::{Deducted, Release, StockKey, StockStore, StoreError, Want};
use crate::template::{Due, SlotState};
use crate::watch::{nap, watch};

/// Claims that one call carries at most: bounds the arguments of one function call.
const GROUP_MAX: usize = 1000;

/// The most is what a claim should lose by it at most; the timer ticks every millisecond.
const PACE: PaceLimits = PaceLimits { times: 2, max: Duration::from_millis(2), enough: 256 };

/// A call that takes so many times as long as usual, and at least so long, is slow: its claims do not wait for it while
/// another shard can serve them. A machine that is busy makes all calls longer, and slow ones with them.
const SLOW_TIMES: u32 = 8;
const SLOW_LEAST: Duration = Duration::from_millis(10);

/// How long a shard that failed is left alone before it is asked again.
const PROBE_FIRST: Duration = Duration::from_millis(20);
const PROBE_MAX: Duration = Duration::from_millis(500);

/// The lane of one shard.
#[derive(Debug)]
pub struct StockLane<S> {
    flow: Arc<Flow>,
    store: S,
    index: usize,
    shard: ShardId,
    latch: Latch,
    pace: Pace,
    /// How long a call takes of late.
    usual: Duration,
    health: Arc<Health>,
}

impl<S: StockStore> StockLane<S> {
    /// The lane of the shard with this index in the topology.
    pub fn new(flow: Arc<Flow>, store: S, index: usize, health: Arc<Health>) -> Self {
        let shard = flow.topology.shards[index].id;
        Self {
            flow,
            store,
            index,
            shard,
            latch: Latch::default(),
            pace: Pace::new(PACE),
            usual: Duration::ZERO,
            health,
        }
    }

    /// Serves for ever. Cancelling loses the units of the group in flight, as a crash would.
    pub async fn run(mut self) {
        let mut group = Vec::new();
        self.until_it_answers().await;
        loop {
            self.queue().claims.wait().await;
            let queue = &self.flow.stock[self.index];
            self.pace.wait(&queue.claims, || drop_late_of(queue)).await;
            self.give_back().await;
            self.queue().claims.take(GROUP_MAX, &mut group);
            drop_late(&mut group);
            if !group.is_empty() {
                self.serve(&mut group).await;
            }
        }
    }

    fn queue(&self) -> &StockQueue {
        &self.flow.stock[self.index]
    }

    async fn serve(&mut self, group: &mut Vec<ClaimTask>) {
        let wants = wants(group);
        let queue = &self.flow.stock[self.index];
        let call = self.store.deduct(self.shard, &wants);
        let (began, claims, flow) = (Instant::now(), group.len(), &self.flow);
        let patience = self.usual.saturating_mul(SLOW_TIMES).max(SLOW_LEAST);
        flow.meter.stages.stock_queue.record_each(group.iter().map(|task| began - task.since));
        let result = watch(call, |took| {
            drop_late(group);
            drop_late_of(queue);
            if took >= patience {
                queue.slow.store(true, Ordering::Relaxed);
                go_elsewhere(flow, queue, group);
            }
        })
        .await;
        queue.slow.store(false, Ordering::Relaxed);
        let answered = Instant::now();
        let took = answered - began;
        self.pace.called(took);
        self.usual = (self.usual * 7 + took.min(patience)) / 8;
        self.flow.meter.stages.stock_call.record(took, claims);
        queue.calls.add(claims, took);
        group.iter_mut().for_each(|task| task.since = answered);
        match result {
            Ok(deducted) => self.hand_on(group, &wants, &deducted),
            Err(error) => self.fail(group, &error).await,
        }
    }

    fn hand_on(&self, group: &mut Vec<ClaimTask>, wants: &[Want], deducted: &[Deducted]) {
        let meter = &self.flow.meter;
        meter.deductions.add(1);
        meter.deducted_claims.add(group.len());
        let mut grants: BTreeMap<StockKey, Grant> =
            wants.iter().zip(deducted).map(|(want, deducted)| (want.key, Grant::new(want, *deducted))).collect();
        for task in group.drain(..) {
            let key = task.template.slots[task.slot].key;
            let grant = grants.get_mut(&key).and_then(Grant::take);
            match grant {
                Some(epoch) => {
                    meter.units_granted.add(1);
                    let unit = Unit { slot: task.slot, key, epoch, burned: false };
                    self.flow.to_record(task, unit);
                }
                None => self.elsewhere(task, grants.get(&key)),
            }
        }
        self.return_left_over(&grants);
    }

    /// The sub-stock had no unit for this claim.
    fn elsewhere(&self, task: ClaimTask, grant: Option<&Grant>) {
        let live = &task.template.live;
        let stale = grant.is_some_and(|grant| grant.stale);
        let before = if stale { live.set_due(task.slot, Due::Stale) } else { live.set(task.slot, SlotState::Empty) };
        if before == SlotState::Open && (stale || live.slots_in(SlotState::Open).is_empty()) {
            self.flow.tend(task.template.record.template);
        }
        self.flow.to_stock(task);
    }

    /// Claims that were answered at their deadline while the call was in flight leave their units behind.
    fn return_left_over(&self, grants: &BTreeMap<StockKey, Grant>) {
        let left = grants.iter().filter(|(_, grant)| grant.count > 0);
        let left = left.map(|(key, grant)| Release { key: *key, epoch: grant.epoch, count: grant.count });
        self.queue().releases.lock().extend(left);
    }

    /// The shard did not answer: its claims go elsewhere, and it is left alone until it answers again.
    async fn fail(&mut self, group: &mut Vec<ClaimTask>, error: &StoreError) {
        tracing::warn!(shard = %self.shard, %error, "shard does not serve; its claims go to other shards");
        self.close(error);
        self.move_on(group);
        nap(jitter(PROBE_FIRST, self.flow.roll()), |_| self.move_on(&mut Vec::new())).await;
        self.until_it_answers().await;
        tracing::info!(shard = %self.shard, "shard serves again");
    }

    fn close(&mut self, error: &StoreError) {
        self.latch.close(&self.flow.stock[self.index].gate);
        self.health.set(Component::Shard(self.shard), Status::Down(error.to_string()));
    }

    /// Asks the shard for its run, again and again: a library that is missing is loaded on the way.
    async fn until_it_answers(&mut self) {
        let mut pause = PROBE_FIRST;
        while let Err(error) = watch(self.store.run(self.shard), |_| self.move_on_if_closed()).await {
            self.close(&error);
            // A release that waited so long would be no use: the settle that follows brings its units back.
            self.queue().releases.lock().clear();
            nap(jitter(pause, self.flow.roll()), |_| self.move_on_if_closed()).await;
            pause = (pause * 2).min(PROBE_MAX);
        }
        self.latch.open(&self.flow.stock[self.index].gate);
        self.health.set(Component::Shard(self.shard), Status::Up);
    }

    fn move_on_if_closed(&self) {
        if !self.queue().gate.is_open() {
            self.move_on(&mut Vec::new());
        }
    }

    /// Sends the group, and all that queued, to other shards.
    fn move_on(&self, group: &mut Vec<ClaimTask>) {
        self.queue().claims.take(usize::MAX, group);
        for task in group.drain(..) {
            if task.is_late(Instant::now()) { late(task) } else { self.flow.to_stock(task) }
        }
    }

    /// Releases are sent once; what is lost is brought back by the next settle.
    async fn give_back(&self) {
        let releases = std::mem::take(&mut *self.queue().releases.lock());
        if releases.is_empty() {
            return;
        }
        let releases = merge(&releases);
        let units: u32 = releases.iter().map(|release| release.count).sum();
        match self.store.release(self.shard, &releases).await {
            Ok(()) => {
                self.flow.meter.units_released.add(units as usize);
                self.reopen(&releases);
            }
            Err(error) => tracing::debug!(shard = %self.shard, %error, units, "release lost; a settle brings it back"),
        }
    }

    /// Sub-stocks that were empty have units again.
    fn reopen(&self, releases: &[Release]) {
        for release in releases {
            let Some(template) = self.flow.templates.get(release.key.template) else { continue };
            let Some(slot) = template.slots.iter().position(|slot| slot.key == release.key) else { continue };
            if template.live.state(slot) == SlotState::Empty {
                template.live.set(slot, SlotState::Open);
            }
        }
    }
}

/// What is left of one sub-stock's answer while it is handed out.
#[derive(Debug)]
struct Grant {
    epoch: u64,
    count: u32,
    stale: bool,
}

impl Grant {
    fn new(want: &Want, deducted: Deducted) -> Self {
        match deducted {
            Deducted::Granted { epoch, count } => Self { epoch, count: count.min(want.count), stale: false },
            Deducted::Stale => Self { epoch: 0, count: 0, stale: true },
        }
    }

    fn take(&mut self) -> Option<u64> {
        self.count = self.count.checked_sub(1)?;
        Some(self.epoch)
    }
}

/// One want for each sub-stock.
fn wants(group: &[ClaimTask]) -> Vec<Want> {
    let mut counts = BTreeMap::new();
    for task in group {
        *counts.entry(task.template.slots[task.slot].key).or_insert(0u32) += 1;
    }
    counts.into_iter().map(|(key, count)| Want { key, count }).collect()
}

/// One release for each sub-stock and epoch.
fn merge(releases: &[Release]) -> Vec<Release> {
    let mut counts = BTreeMap::new();
    for release in releases {
        *counts.entry((release.key, release.epoch)).or_insert(0u32) += release.count;
    }
    counts.into_iter().map(|((key, epoch), count)| Release { key, epoch, count }).collect()
}

/// Claims that wait for a slow shard are served by another one. The units that its call still brings are given back.
fn go_elsewhere(flow: &Flow, queue: &StockQueue, group: &mut Vec<ClaimTask>) {
    let stay: Vec<ClaimTask> = group.drain(..).filter_map(|task| flow.to_other_stock(task)).collect();
    *group = stay;
    let mut waiting = Vec::new();
    queue.claims.take(usize::MAX, &mut waiting);
    for task in waiting {
        if let Some(task) = flow.to_other_stock(task)
            && let Err(mut task) = queue.claims.push(task)
        {
            task.refuse(Code::Overloaded, "the queue to the stock is full");
        }
    }
}

fn drop_late_of(queue: &StockQueue) {
    queue.claims.take_where(|task| task.is_late(Instant::now())).into_iter().for_each(late);
}

fn drop_late(group: &mut Vec<ClaimTask>) {
    let now = Instant::now();
    group.extract_if(.., |task| task.is_late(now)).for_each(late);
}

/// Nothing was recorded, and it will not be.
fn late(mut task: ClaimTask) {
    task.refuse(Code::DeadlineExceeded, "the deadline passed before stock was taken");
}

/// Between half the duration and the whole.
pub(crate) fn jitter(duration: Duration, roll: u64) -> Duration {
    duration.mul_f64(0.5 + (roll % 1_000) as f64 / 2_000.0)
}
