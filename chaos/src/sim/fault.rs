//! What breaks, and when.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::primary::Primary;
use super::shard::{Data, Redis};
use super::stage::Stage;
use super::wire::{CallKind, Weather};
use super::world::{Backend, World};

/// A moment at which a fault may strike: a call is about to be carried out, or was, and nobody was told yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Which call.
    pub kind: CallKind,
    /// Before it, or after it.
    pub done: bool,
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// So many milliseconds after the start.
    At(u64),
    /// When such a moment comes for the n-th time.
    Nth(Moment, u32),
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// When.
    pub when: When,
    /// What.
    pub what: What,
}

/// What breaks, and for how long, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum What {
    /// A proxy is gone, with all that it had in memory.
    KillProxy { proxy: usize, down_ms: u64 },
    /// A proxy stands still, and goes on later.
    StopProxy { proxy: usize, for_ms: u64 },
    /// A shard restarts empty.
    EmptyShard { shard: usize, down_ms: u64 },
    /// A shard restarts with older data, or fails over to a replica (and back) that has it.
    OldShard { shard: usize, down_ms: u64, copy: usize },
    /// A shard takes requests and carries them out later.
    FreezeShard { shard: usize, for_ms: u64 },
    /// A second process answers some of the proxies as the shard.
    SplitShard { shard: usize, for_ms: u64, proxies: u64, second_stays: bool },
    /// A shard has no memory left.
    FullShard { shard: usize, for_ms: u64 },
    /// A primary restarts with all that was committed.
    CrashPrimary { primary: usize, down_ms: u64 },
    /// A primary takes requests and carries them out later.
    FreezePrimary { primary: usize, for_ms: u64 },
    /// A primary is replaced by a replica, which may lack the last commits.
    FailOver { primary: usize, down_ms: u64, copy: usize },
    /// A primary refuses writes.
    FullPrimary { primary: usize, for_ms: u64 },
    /// Commits take long, and some transactions are victims of deadlocks.
    SlowPrimary { primary: usize, for_ms: u64, commit_ms: u64, deadlocks: u32 },
    /// Meta restarts with all that was committed.
    CrashMeta { down_ms: u64 },
    /// Meta takes requests and carries them out later.
    FreezeMeta { for_ms: u64 },
    /// The network between one proxy or all and one store.
    Weather { proxy: Option<usize>, place: usize, weather: Weather, for_ms: u64 },
}

/// A fault that waits for its moment.
#[derive(Debug)]
pub struct Trigger {
    moment: Moment,
    left: u32,
    fault: usize,
}

impl Trigger {
    /// Of the fault with this number.
    pub fn new(moment: Moment, nth: u32, fault: usize) -> Self {
        Self { moment, left: nth.max(1), fault }
    }
}

/// A moment has come; whether a fault is due.
pub fn come(world: &mut World, moment: Moment) -> bool {
    let mut due = Vec::new();
    for trigger in world.triggers.iter_mut().filter(|trigger| trigger.moment == moment) {
        trigger.left -= 1;
        if trigger.left == 0 {
            due.push(trigger.fault);
        }
    }
    world.triggers.retain(|trigger| trigger.left > 0);
    let is_due = !due.is_empty();
    world.due.extend(due);
    if is_due {
        world.due_changed.notify_one();
    }
    is_due
}

impl What {
    /// For counts by kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KillProxy { .. } => "proxy killed",
            Self::StopProxy { .. } => "proxy frozen",
            Self::EmptyShard { .. } => "shard restarted empty",
            Self::OldShard { .. } => "shard back with old data",
            Self::FreezeShard { .. } => "shard frozen",
            Self::SplitShard { .. } => "shard split",
            Self::FullShard { .. } => "shard full",
            Self::CrashPrimary { .. } => "primary crashed",
            Self::FreezePrimary { .. } => "primary frozen",
            Self::FailOver { .. } => "primary failed over",
            Self::FullPrimary { .. } => "primary full",
            Self::SlowPrimary { .. } => "primary slow",
            Self::CrashMeta { .. } => "meta crashed",
            Self::FreezeMeta { .. } => "meta frozen",
            Self::Weather { .. } => "network",
        }
    }

    fn lasts(&self) -> Duration {
        Duration::from_millis(match *self {
            Self::KillProxy { down_ms, .. }
            | Self::EmptyShard { down_ms, .. }
            | Self::OldShard { down_ms, .. }
            | Self::CrashPrimary { down_ms, .. }
            | Self::FailOver { down_ms, .. }
            | Self::CrashMeta { down_ms } => down_ms,
            Self::StopProxy { for_ms, .. }
            | Self::FreezeShard { for_ms, .. }
            | Self::SplitShard { for_ms, .. }
            | Self::FullShard { for_ms, .. }
            | Self::FreezePrimary { for_ms, .. }
            | Self::FullPrimary { for_ms, .. }
            | Self::SlowPrimary { for_ms, .. }
            | Self::FreezeMeta { for_ms }
            | Self::Weather { for_ms, .. } => for_ms,
        })
    }
}

/// Lets a fault begin, waits, and ends it; at the healing it ends at once.
pub async fn strike(stage: Arc<Stage>, fault: usize) {
    let what = stage.plan.faults[fault].what;
    if stage.is_healed() {
        return;
    }
    stage.sim.world().note(format_args!("FAULT {fault}: {what:?}"));
    stage.sim.world().struck.push(what.kind());
    begin(&stage, what);
    stage.pause(what.lasts()).await;
    stage.sim.world().note(format_args!("end of fault {fault}: {}", what.kind()));
    end(&stage, what);
}

fn begin(stage: &Arc<Stage>, what: What) {
    match what {
        What::KillProxy { proxy, .. } => return stage.fleet.kill(proxy),
        What::StopProxy { proxy, .. } => return stage.fleet.stop(proxy),
        _ => {}
    }
    let world = &mut *stage.sim.world();
    match what {
        What::KillProxy { .. } | What::StopProxy { .. } => {}
        What::EmptyShard { shard, .. } | What::OldShard { shard, .. } => world.shards[shard].redis().host.crash(),
        What::FreezeShard { shard, .. } => world.shards[shard].redis().host.freeze(true),
        What::SplitShard { shard, proxies, .. } => split(world, shard, proxies),
        What::FullShard { shard, .. } => world.shards[shard].redis().full = true,
        What::CrashPrimary { primary, .. } => world.crash_primary(primary),
        What::FailOver { primary, .. } => world.primaries[primary].crash(),
        What::FreezePrimary { primary, .. } => world.primaries[primary].host.freeze(true),
        What::FullPrimary { primary, .. } => world.primaries[primary].full = true,
        What::SlowPrimary { primary, commit_ms, deadlocks, .. } => {
            (world.primaries[primary].commit_ms, world.primaries[primary].deadlocks) = (commit_ms, deadlocks);
        }
        What::CrashMeta { .. } => world.meta.host.crash(),
        What::FreezeMeta { .. } => world.meta.host.freeze(true),
        What::Weather { proxy, place, weather, .. } => set_weather(stage, world, proxy, place, weather),
    }
}

fn end(stage: &Arc<Stage>, what: What) {
    match what {
        What::KillProxy { proxy, .. } => return stage.start_proxy(proxy),
        What::StopProxy { proxy, .. } => return stage.fleet.resume(proxy),
        _ => {}
    }
    let world = &mut *stage.sim.world();
    match what {
        What::KillProxy { .. } | What::StopProxy { .. } => {}
        What::EmptyShard { shard, .. } => restart(world, shard, Data::default()),
        What::OldShard { shard, copy, .. } => {
            let data = world.shards[shard].copies.get(copy).cloned();
            let data = data.unwrap_or_else(|| world.shards[shard].redis().data.clone());
            restart(world, shard, data);
        }
        What::FreezeShard { shard, .. } => world.shards[shard].redis().host.freeze(false),
        What::SplitShard { shard, second_stays, .. } => unite(world, shard, second_stays),
        What::FullShard { shard, .. } => world.shards[shard].redis().full = false,
        What::CrashPrimary { primary, .. } => world.primaries[primary].host.start(),
        What::FailOver { primary, copy, .. } => world.fail_over(primary, copy),
        What::FreezePrimary { primary, .. } => world.primaries[primary].host.freeze(false),
        What::FullPrimary { primary, .. } => world.primaries[primary].full = false,
        What::SlowPrimary { primary, .. } => {
            let well = Primary::new(primary);
            (world.primaries[primary].commit_ms, world.primaries[primary].deadlocks) = (well.commit_ms, well.deadlocks);
        }
        What::CrashMeta { .. } => world.meta.host.start(),
        What::FreezeMeta { .. } => world.meta.host.freeze(false),
        What::Weather { proxy, place, .. } => set_weather(stage, world, proxy, place, Weather::default()),
    }
}

fn restart(world: &mut World, shard: usize, data: Data) {
    let survives = world.is(super::mutant::Mutant::NonceSurvives);
    let redis = world.shards[shard].redis();
    let run = redis.run;
    redis.restart(data);
    if survives {
        redis.run = run;
    }
}

/// A second process with what the shard holds now, or held.
fn split(world: &mut World, shard: usize, proxies: u64) {
    let shard = &mut world.shards[shard];
    let data = shard.copies.first().cloned().unwrap_or_else(|| shard.redis().data.clone());
    shard.processes.push(Redis { data, ..Redis::default() });
    let second = shard.processes.len() - 1;
    shard.view = (0..64).filter(|slot| proxies >> slot & 1 == 1).map(|slot| (slot, second)).collect();
}

fn unite(world: &mut World, shard: usize, second_stays: bool) {
    let shard = &mut world.shards[shard];
    let second = shard.processes.len() - 1;
    if second == shard.main || !shard.processes[second].host.up {
        return;
    }
    let loser = if second_stays { std::mem::replace(&mut shard.main, second) } else { second };
    shard.processes[loser].host.crash();
    shard.view.clear();
}

fn set_weather(stage: &Stage, world: &mut World, proxy: Option<usize>, place: usize, weather: Weather) {
    let primaries = usize::from(stage.plan.size.primaries);
    let to = match place {
        0 => Backend::Meta,
        place if place <= primaries => Backend::Primary(place - 1),
        place => Backend::Shard(place - 1 - primaries, 0),
    };
    for slot in (0..stage.plan.size.proxies).filter(|slot| proxy.is_none_or(|proxy| proxy == *slot)) {
        world.set_weather(slot, to, weather);
    }
}
