//! One run: the world, the proxies, and everybody who does something to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use scrip_client::TemplateId;
use scrip_shard_config::Topology;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::dice::Dice;
use super::fault::{Trigger, When, strike};
use super::fleet::{Asked, Fleet, Heard};
use super::plan::Plan;
use super::world::Sim;
use super::{bulk, client, code, ending, look, operator, order, pack};

/// How often copies of the stores are taken: what a replica has lags by up to this, and by multiples of it.
const COPY_EVERY: Duration = Duration::from_millis(120);
const COPIES_MAX: usize = 3;

/// One run.
#[derive(Debug)]
pub struct Stage {
    /// What happens.
    pub plan: Plan,
    /// The stores.
    pub sim: Sim,
    /// The proxies.
    pub fleet: Fleet,
    /// The routes.
    pub topology: Arc<Topology>,
    /// The templates, in the order of the plan.
    pub templates: Mutex<Vec<TemplateId>>,
    dice: Mutex<Dice>,
    lives: AtomicU64,
    healed: AtomicBool,
    healing: Notify,
}

impl Stage {
    /// Everything in its place, and no proxy yet.
    pub fn new(plan: Plan, sim: Sim, topology: Arc<Topology>) -> Arc<Self> {
        let fleet = Fleet::new(plan.size.proxies);
        let dice = Mutex::new(Dice::apart(plan.seed, 3));
        let (lives, healed, healing) = (AtomicU64::new(0), AtomicBool::new(false), Notify::new());
        Arc::new(Self { plan, sim, fleet, topology, templates: Mutex::default(), dice, lives, healed, healing })
    }

    /// A roll for what clients and operators do.
    pub fn dice<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.dice.lock())
    }

    /// All faults are over.
    pub fn is_healed(&self) -> bool {
        self.healed.load(Ordering::Relaxed)
    }

    /// Sleeps, but not beyond the healing.
    pub async fn pause(&self, duration: Duration) {
        let healing = self.healing.notified();
        if !self.is_healed() {
            // Either way it is over.
            drop(timeout(duration, healing).await);
        }
    }

    /// Starts a proxy; each life has a seed of its own.
    pub fn start_proxy(&self, slot: usize) {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let seed = Dice::apart(self.plan.seed, 100 + life).roll();
        self.fleet.start(&self.sim, &self.topology, &self.plan, slot, seed);
    }

    /// Asks a proxy; what is on the way takes a moment.
    pub async fn ask(&self, slot: usize, asked: Asked, deadline_ms: u64, patience_ms: u64) -> Heard {
        let way = Duration::from_millis(self.dice(|dice| dice.within(0..=2)));
        let (deadline, patience) = (Duration::from_millis(deadline_ms), Duration::from_millis(patience_ms));
        self.fleet.ask(slot, asked, way, deadline, patience).await
    }

    /// Any of the proxies.
    pub fn any_proxy(&self) -> usize {
        self.dice(|dice| dice.index(self.plan.size.proxies))
    }
}

/// Runs the plan to its end; what is wrong is in the world afterwards.
pub async fn run(stage: Arc<Stage>) {
    let begun = Instant::now();
    (0..stage.plan.size.proxies).for_each(|slot| stage.start_proxy(slot));
    if !operator::publish(&stage).await {
        return stage.sim.world().find("the templates could not be published".to_owned());
    }
    let mut faults = JoinSet::new();
    for (number, fault) in stage.plan.faults.iter().enumerate() {
        match fault.when {
            When::At(at_ms) => drop(faults.spawn(strike_at(Arc::clone(&stage), number, begun, at_ms))),
            When::Nth(moment, nth) => stage.sim.world().triggers.push(Trigger::new(moment, nth, number)),
        }
    }
    let due = tokio::spawn(strike_when_due(Arc::clone(&stage)));
    let copies = tokio::spawn(take_copies(Arc::clone(&stage)));
    let mut clients = JoinSet::new();
    for index in 0..stage.plan.claims.len() {
        clients.spawn(client::claim(Arc::clone(&stage), index, begun));
    }
    let mut orders = JoinSet::new();
    for index in 0..stage.plan.orders.len() {
        orders.spawn(order::order(Arc::clone(&stage), index, begun));
    }
    let mut packs = JoinSet::new();
    for index in 0..stage.plan.packs.len() {
        packs.spawn(pack::pack(Arc::clone(&stage), index, begun));
    }
    let mut jobs = JoinSet::new();
    for index in 0..stage.plan.jobs.len() {
        jobs.spawn(bulk::job(Arc::clone(&stage), index, begun));
    }
    let mut batches = JoinSet::new();
    for index in 0..stage.plan.codes.len() {
        batches.spawn(code::batch(Arc::clone(&stage), index, begun));
    }
    let mut looks = JoinSet::new();
    for &(at_ms, user) in stage.plan.patrol.iter().flat_map(|patrol| &patrol.looks) {
        looks.spawn(look::look(Arc::clone(&stage), (at_ms, user), begun));
    }
    let mut operators = JoinSet::new();
    for index in 0..stage.plan.changes.len() {
        operators.spawn(operator::change(Arc::clone(&stage), index, begun));
    }
    sleep(Duration::from_millis(stage.plan.heal_at_ms).saturating_sub(begun.elapsed())).await;
    stage.sim.world().note(format_args!("HEALED"));
    stage.sim.world().triggers.clear();
    stage.healed.store(true, Ordering::Relaxed);
    stage.healing.notify_waiters();
    copies.abort();
    while faults.join_next().await.is_some() {}
    due.abort();
    sleep(Duration::from_millis(20)).await;
    stage.sim.world().clear_weather();
    (0..stage.plan.size.proxies).for_each(|slot| stage.start_proxy(slot));
    let mut open = Vec::new();
    while let Some(claim) = clients.join_next().await {
        open.extend(claim.ok().flatten());
    }
    let mut deeds = Vec::new();
    while let Some(order) = orders.join_next().await {
        deeds.extend(order.unwrap_or_default());
    }
    let mut open_packs = Vec::new();
    while let Some(pack) = packs.join_next().await {
        open_packs.extend(pack.ok().flatten());
    }
    while jobs.join_next().await.is_some() {}
    let mut by_code = Vec::new();
    while let Some(batch) = batches.join_next().await {
        by_code.extend(batch.unwrap_or_default());
    }
    while operators.join_next().await.is_some() {}
    while looks.join_next().await.is_some() {}
    by_code.sort_by_key(|open: &code::Open| open.request);
    open.sort_by_key(|open: &client::Open| open.request);
    deeds.sort_by_key(|open: &order::OpenDeed| open.deed);
    open_packs.sort_by_key(|open: &pack::OpenPack| open.index);
    ending::run(&stage, ending::Left { open, by_code, deeds, packs: open_packs }).await;
}

async fn strike_at(stage: Arc<Stage>, number: usize, begun: Instant, at_ms: u64) {
    stage.pause(Duration::from_millis(at_ms).saturating_sub(begun.elapsed())).await;
    strike(stage, number).await;
}

async fn strike_when_due(stage: Arc<Stage>) {
    let changed = Arc::clone(&stage.sim.world().due_changed);
    loop {
        changed.notified().await;
        let due = std::mem::take(&mut stage.sim.world().due);
        for number in due {
            tokio::spawn(strike(Arc::clone(&stage), number));
        }
    }
}

async fn take_copies(stage: Arc<Stage>) {
    loop {
        sleep(COPY_EVERY).await;
        let world = &mut *stage.sim.world();
        for shard in &mut world.shards {
            let data = shard.redis().data.clone();
            shard.copies.insert(0, data);
            shard.copies.truncate(COPIES_MAX);
        }
        for primary in world.primaries.iter_mut().filter(|primary| primary.host.up) {
            primary.copies.insert(0, primary.data.clone());
            primary.copies.truncate(COPIES_MAX);
        }
    }
}
