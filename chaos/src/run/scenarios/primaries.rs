//! Primaries die, freeze, refuse writes, and fail over to replicas that lack the last commits.

use super::{Hit, PLAIN, Scenario};
use crate::run::budget::Budget;
use crate::run::fault::{Fault, PrimaryFault};

const BUDGETS: &[Budget] = &[
    Budget::OthersAllServed,
    Budget::OthersP99Ratio(1.5),
    Budget::HitDefinite(0.95),
    Budget::ServedAfterMending(1_000),
];

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        name: "killed-primary",
        about: "a primary is killed and restarted: its users are told not applied, the others notice nothing",
        plan: |clock, _| vec![clock.middle(Fault::Primary(1, PrimaryFault::Killed))],
        hit: |_| Hit::Primaries(vec![1]),
        budgets: BUDGETS,
        ..PLAIN
    },
    Scenario {
        name: "frozen-primary",
        about: "a primary is frozen and thawed: its users are told not applied in time, the others notice nothing",
        plan: |clock, _| vec![clock.middle(Fault::Primary(1, PrimaryFault::Frozen))],
        hit: |_| Hit::Primaries(vec![1]),
        budgets: BUDGETS,
        ..PLAIN
    },
    Scenario {
        name: "killed-meta",
        about: "the primary that holds meta is killed and restarted: claims of the others go on",
        plan: |clock, _| vec![clock.middle(Fault::Primary(0, PrimaryFault::Killed))],
        hit: |_| Hit::Primaries(vec![0]),
        budgets: BUDGETS,
        ..PLAIN
    },
    Scenario {
        name: "frozen-meta",
        about: "the primary that holds meta is frozen and thawed: claims of the others go on",
        plan: |clock, _| vec![clock.middle(Fault::Primary(0, PrimaryFault::Frozen))],
        hit: |_| Hit::Primaries(vec![0]),
        budgets: BUDGETS,
        ..PLAIN
    },
    Scenario {
        name: "primary-fails-over",
        about: "a replica that lacks the last commits is promoted: acknowledged coupons may be gone, none is too many",
        plan: |clock, _| vec![clock.middle(Fault::Primary(1, PrimaryFault::FailedOver))],
        hit: |_| Hit::Primaries(vec![1]),
        budgets: &[Budget::OthersAllServed, Budget::ServedAfterMending(1_000)],
        ..PLAIN
    },
    Scenario {
        name: "refused-writes",
        about: "a primary refuses all writes, as a managed server with a full disk: its users are told not applied",
        plan: |clock, _| vec![clock.middle(Fault::Primary(1, PrimaryFault::WritesRefused))],
        hit: |_| Hit::Primaries(vec![1]),
        budgets: BUDGETS,
        ..PLAIN
    },
    Scenario {
        name: "full-disk",
        about: "the file system of a primary is full, then has room again: its users are told not applied",
        plan: |clock, size| vec![clock.middle(Fault::Primary(size.primaries - 1, PrimaryFault::DiskFull))],
        hit: |size| Hit::Primaries(vec![size.primaries - 1]),
        budgets: &[Budget::OthersAllServed, Budget::ServedAfterMending(1_000)],
        ..PLAIN
    },
];
