//! Proxies die, freeze and leave; and more is offered than they can serve.

use super::{Hit, Offered, PLAIN, Scenario};
use crate::run::budget::Budget;
use crate::run::fault::{Fault, ProxyFault};

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        name: "killed-proxy",
        about: "a proxy is killed: its clients go on with the other, nothing is doubled or lost",
        plan: |clock, _| vec![clock.middle(Fault::Proxy(0, ProxyFault::Killed))],
        hit: |_| Hit::Everybody,
        budgets: &[Budget::ServedAfterStrike(1_000), Budget::HitDefinite(0.99)],
        ..PLAIN
    },
    Scenario {
        name: "frozen-proxy",
        about: "a proxy is frozen and thawed: its late transactions are refused by the fence",
        plan: |clock, _| vec![clock.middle(Fault::Proxy(0, ProxyFault::Frozen))],
        hit: |_| Hit::Everybody,
        budgets: &[Budget::ServedAfterStrike(1_000), Budget::ServedAfterMending(1_000)],
        ..PLAIN
    },
    Scenario {
        name: "drained-proxy",
        about: "a proxy is told to stop: it finishes what it has, and nobody notices",
        plan: |clock, _| vec![clock.middle(Fault::Proxy(0, ProxyFault::Drained))],
        budgets: &[Budget::OthersAllServed],
        ..PLAIN
    },
    Scenario {
        name: "overload",
        about: "three times what can be served is offered: the excess is refused at once, the rest is served in time",
        hit: |_| Hit::Everybody,
        offered: Offered::ThreeTimesThePeak,
        budgets: &[
            Budget::AnsweredWithin(550),
            Budget::RefusedWithin(50),
            Budget::ShareOfPeak(0.9),
            Budget::MemoryRatio(1.1),
        ],
        ..PLAIN
    },
];
