//! The named bounds. Each turns on a few things at once, so that it can be searched to the end.

use super::bound::{Bound, Change, Rejoin, Send, Size};
use super::state::Faults;

const NONE: Faults =
    Faults { empty: 0, old: 0, save: 0, split: 0, vanish: 0, duplicate: 0, fail_over: 0, unknown: 0, meta: 0 };

const fn send(user: u8, request: u8, proxy: u8) -> Send {
    Send { user, request, proxy }
}

/// Two users, one request each.
const TWO: &[Send] = &[send(0, 0, 0), send(1, 1, 1)];
/// Three users, one request each.
const THREE: &[Send] = &[send(0, 0, 0), send(1, 1, 0), send(2, 2, 0)];
/// One request through two proxies, and another user.
const TWICE: &[Send] = &[send(0, 0, 0), send(0, 0, 1), send(1, 1, 0)];
/// Two requests of one user, one of them through two proxies.
const GREEDY: &[Send] = &[send(0, 0, 0), send(0, 0, 1), send(0, 1, 0)];
/// Three requests of one user, one of them through two proxies.
const GREEDIER: &[Send] = &[send(0, 0, 0), send(0, 0, 1), send(0, 1, 0), send(0, 2, 1)];

const PLAIN: Bound = Bound {
    name: "",
    about: "",
    allotments: &[1],
    users: &[0, 1],
    limit: 1,
    sends: TWO,
    settles: 1,
    batches: false,
    changes: &[],
    moves: false,
    faults: NONE,
    rejoin: Rejoin::Never,
    size: Size::Small,
};

/// All of them, by size.
pub const BOUNDS: &[Bound] = &[
    Bound { name: "settles", about: "three overlapping settles, two primaries", settles: 3, ..PLAIN },
    Bound {
        name: "doubt",
        about: "late records, releases, a request through two proxies",
        sends: TWICE,
        settles: 2,
        faults: Faults { unknown: 2, ..NONE },
        ..PLAIN
    },
    Bound {
        name: "restart",
        about: "Redis restarts empty and with old data, fails over and back; an install arrives twice",
        settles: 2,
        faults: Faults { empty: 1, old: 1, save: 1, duplicate: 1, ..NONE },
        ..PLAIN
    },
    Bound {
        name: "split",
        about: "two Redis processes answer as the shard; an install arrives twice",
        settles: 2,
        faults: Faults { split: 1, save: 1, duplicate: 1, ..NONE },
        ..PLAIN
    },
    Bound {
        name: "vanish",
        about: "a key vanishes in a living process",
        settles: 2,
        faults: Faults { vanish: 1, ..NONE },
        ..PLAIN
    },
    Bound {
        name: "fail-over",
        about: "a primary fails over, losing the last commits or not; a late record",
        settles: 2,
        faults: Faults { fail_over: 1, unknown: 1, ..NONE },
        ..PLAIN
    },
    Bound {
        name: "rejoin",
        about: "two fail-overs: the first server comes back under its name, with a term",
        settles: 1,
        faults: Faults { fail_over: 2, ..NONE },
        rejoin: Rejoin::SameIdentity,
        ..PLAIN
    },
    Bound {
        name: "batch",
        about: "claims of different epochs in one transaction",
        allotments: &[2],
        users: &[0, 0, 0],
        sends: THREE,
        batches: true,
        settles: 2,
        faults: Faults { unknown: 1, ..NONE },
        ..PLAIN
    },
    Bound {
        name: "limit",
        about: "two coupons a user, a request through two proxies, a fail-over",
        allotments: &[3],
        users: &[0],
        limit: 2,
        sends: GREEDY,
        settles: 1,
        faults: Faults { fail_over: 1, ..NONE },
        ..PLAIN
    },
    Bound {
        name: "stock",
        about: "two sub-stocks: shrink, then replenish; sold out",
        allotments: &[1, 1],
        users: &[0, 0],
        settles: 2,
        changes: &[Change::Shrink(0, 1), Change::Grow(0, 1)],
        ..PLAIN
    },
    Bound {
        name: "move",
        about: "two sub-stocks: what is left of one moves to the other; three settles",
        allotments: &[1, 0],
        users: &[0, 0],
        settles: 3,
        moves: true,
        ..PLAIN
    },
    Bound { name: "meta", about: "meta is replaced", settles: 2, faults: Faults { meta: 1, ..NONE }, ..PLAIN },
    Bound {
        name: "settles-large",
        about: "three overlapping settles, a late record, a request through two proxies",
        sends: TWICE,
        settles: 3,
        faults: Faults { unknown: 2, ..NONE },
        size: Size::Large,
        ..PLAIN
    },
    Bound {
        name: "shard-large",
        about: "everything that Redis can do, with a late record",
        settles: 2,
        faults: Faults { empty: 1, old: 1, save: 1, split: 1, duplicate: 1, unknown: 1, ..NONE },
        size: Size::Large,
        ..PLAIN
    },
    Bound {
        name: "fail-over-large",
        about: "two fail-overs, a late record",
        settles: 2,
        faults: Faults { fail_over: 2, unknown: 1, ..NONE },
        size: Size::Large,
        ..PLAIN
    },
    Bound {
        name: "rejoin-large",
        about: "two fail-overs, the first server comes back, two settles, a late record",
        settles: 2,
        faults: Faults { fail_over: 2, unknown: 1, ..NONE },
        rejoin: Rejoin::SameIdentity,
        size: Size::Large,
        ..PLAIN
    },
    Bound {
        name: "limit-large",
        about: "two coupons a user, three requests, a fail-over, a late record",
        allotments: &[3],
        users: &[0],
        limit: 2,
        sends: GREEDIER,
        settles: 1,
        faults: Faults { fail_over: 1, unknown: 1, ..NONE },
        size: Size::Large,
        ..PLAIN
    },
    Bound {
        name: "batch-large",
        about: "batches, a fail-over, a late record",
        allotments: &[2],
        users: &[0, 0, 0],
        sends: THREE,
        batches: true,
        settles: 2,
        faults: Faults { fail_over: 1, unknown: 1, ..NONE },
        size: Size::Large,
        ..PLAIN
    },
    Bound {
        name: "stock-large",
        about: "shrink, replenish and moves, three settles",
        allotments: &[1, 1],
        users: &[0, 0],
        settles: 3,
        changes: &[Change::Shrink(0, 1), Change::Grow(0, 1)],
        moves: true,
        faults: Faults { unknown: 1, ..NONE },
        size: Size::Large,
        ..PLAIN
    },
    Bound {
        name: "move-large",
        about: "both sub-stocks have a unit, three claims, two primaries; Redis restarts",
        allotments: &[1, 1],
        users: &[0, 1, 0],
        sends: THREE,
        settles: 3,
        moves: true,
        faults: Faults { empty: 1, old: 1, save: 1, ..NONE },
        size: Size::Large,
        ..PLAIN
    },
    Bound {
        name: "everything",
        about: "three settles, two fail-overs, Redis restarts and splits, installs arrive twice, late records",
        settles: 3,
        faults: Faults { empty: 1, old: 1, save: 1, split: 1, duplicate: 1, fail_over: 2, unknown: 1, ..NONE },
        size: Size::Huge,
        ..PLAIN
    },
    Bound {
        name: "everything-limit",
        about: "three requests of one user and all faults",
        allotments: &[3],
        users: &[0],
        limit: 2,
        sends: GREEDIER,
        settles: 2,
        faults: Faults { empty: 1, old: 1, split: 1, duplicate: 1, fail_over: 2, unknown: 2, ..NONE },
        size: Size::Huge,
        ..PLAIN
    },
];
