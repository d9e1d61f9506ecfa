//! Redis shards die, freeze, forget, go back in time, and are two.

use super::{Hit, PLAIN, Scenario};
use crate::run::budget::Budget;
use crate::run::fault::{Fault, ShardFault};

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        name: "killed-shard",
        about: "a shard is killed and comes back empty: no claim fails, its keys are settled and serve again",
        plan: |clock, _| vec![clock.middle(Fault::Shard(0, ShardFault::Killed))],
        budgets: &[Budget::OthersAllServed, Budget::OthersP99Ratio(1.5), Budget::KeysServe(1_000)],
        ..PLAIN
    },
    Scenario {
        name: "frozen-shard",
        about: "a shard is frozen and thawed: nobody waits for it",
        plan: |clock, _| vec![clock.middle(Fault::Shard(0, ShardFault::Frozen))],
        budgets: &[Budget::OthersAllServed, Budget::OthersP99Ratio(1.5)],
        ..PLAIN
    },
    Scenario {
        name: "shard-with-old-data",
        about: "a shard comes back with old counts: keys of another run are refused and settled",
        plan: |clock, _| vec![clock.middle(Fault::Shard(0, ShardFault::OldData))],
        budgets: &[Budget::OthersAllServed, Budget::KeysServe(1_000)],
        ..PLAIN
    },
    Scenario {
        name: "flushed-shards",
        about: "every shard loses its keys and functions, one after the other",
        plan: |clock, size| {
            let flush = |shard: usize| clock.middle(Fault::Shard(shard, ShardFault::Flushed));
            (0..size.shards).map(flush).collect()
        },
        budgets: &[Budget::OthersAllServed],
        ..PLAIN
    },
    Scenario {
        name: "shard-fails-over-and-back",
        about: "a replica is promoted, and the first one again, its run_id unchanged and its counts old",
        plan: |clock, _| vec![clock.middle(Fault::Shard(0, ShardFault::FailedOverAndBack))],
        budgets: &[Budget::OthersAllServed],
        ..PLAIN
    },
    Scenario {
        name: "split-brain",
        about: "two Redis processes are the shard, and the proxies see different ones: one is fenced",
        plan: |clock, _| vec![clock.middle(Fault::Shard(0, ShardFault::SplitBrain))],
        hit: |_| Hit::Everybody,
        ..PLAIN
    },
    Scenario {
        name: "dead-shard",
        about: "a shard is dead for good: its units are settled away, and the template sells out completely",
        plan: |clock, _| vec![clock.middle(Fault::Shard(0, ShardFault::DeadForGood))],
        budgets: &[Budget::OthersAllServed],
        ..PLAIN
    },
];
