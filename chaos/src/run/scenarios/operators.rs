//! The stock runs out, grows and shrinks while things break.

use super::{Hit, PLAIN, Scenario, Stock};
use crate::run::fault::{Fault, Order, Planned, ProxyFault, ShardFault};

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        name: "sold-out",
        about: "the stock runs out while a proxy that holds units is killed: a coupon, or a definite sold out",
        plan: |clock, _| vec![clock.middle(Fault::Proxy(0, ProxyFault::Killed))],
        hit: |_| Hit::Everybody,
        stock: Stock::RunsOut,
        ..PLAIN
    },
    Scenario {
        name: "operators",
        about: "units are added and withdrawn, and the template is paused, while a shard and a proxy die",
        plan: |clock, _| {
            let planned = |from, until, fault| Planned { from: clock.at(from), until: clock.at(until), fault };
            let order = |from, until, order| planned(from, until, Fault::Operator(order));
            vec![
                order(0.15, 0.15, Order::Stock(500)),
                planned(0.3, 0.5, Fault::Shard(0, ShardFault::Killed)),
                order(0.35, 0.35, Order::Stock(-200)),
                order(0.4, 0.55, Order::Paused),
                planned(0.45, 0.6, Fault::Proxy(0, ProxyFault::Killed)),
                order(0.5, 0.5, Order::Stock(300)),
                order(0.65, 0.65, Order::Stock(-100)),
            ]
        },
        hit: |_| Hit::Everybody,
        stock: Stock::RunsOut,
        ..PLAIN
    },
];
