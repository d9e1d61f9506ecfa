//! Cut, slow and lossy between any two.

use std::time::Duration;

use super::{Hit, PLAIN, Scenario};
use crate::run::budget::Budget;
use crate::run::fault::{Fault, Party, Planned, Trouble, Which, Wire};
use crate::run::scenario::Clock;
use crate::run::schedule::Size;
use crate::testbed::{CutAt, Direction};

const EVERY_CLIENT: Wire = Wire { proxy: Which::All, party: Party::Client(Which::All) };

pub(super) const ALL: &[Scenario] = &[
    Scenario {
        name: "cut-in-commit",
        about: "connections are lost between commits and their answers: resolved with the same ids",
        plan: |clock, size| everywhere(size).flat_map(|wire| cuts_in_commit(clock, wire)).collect(),
        hit: |_| Hit::Everybody,
        ..PLAIN
    },
    Scenario {
        name: "cut-off-proxy",
        about: "one proxy cannot reach a primary and a shard that the other reaches",
        plan: |clock, _| {
            let wire = |party| Wire { proxy: Which::One(0), party };
            let off = |party| clock.middle(Fault::Link(wire(party), Trouble::BlackHole));
            vec![off(Party::Primary(1)), off(Party::Shard(0))]
        },
        hit: |_| Hit::Primaries(vec![1]),
        budgets: &[Budget::OthersAllServed, Budget::HitDefinite(0.9), Budget::ServedAfterMending(1_000)],
        ..PLAIN
    },
    Scenario {
        name: "cut-off-client",
        about: "the connections of one client to all proxies are a black hole",
        plan: |clock, _| {
            let wire = Wire { proxy: Which::All, party: Party::Client(Which::One(0)) };
            vec![clock.middle(Fault::Link(wire, Trouble::BlackHole))]
        },
        hit: |_| Hit::Clients(vec![0]),
        budgets: &[Budget::OthersAllServed, Budget::OthersP99Ratio(1.5)],
        ..PLAIN
    },
    Scenario {
        name: "one-way",
        about: "answers of a primary, of a shard and to a client do not arrive; requests do",
        plan: |clock, _| {
            let held = Trouble::OneWay(Direction::ToClient);
            let parties = [Party::Primary(1), Party::Shard(0), Party::Client(Which::One(0))];
            let one = |party| clock.middle(Fault::Link(Wire { proxy: Which::One(0), party }, held));
            parties.map(one).to_vec()
        },
        hit: |_| Hit::Everybody,
        ..PLAIN
    },
    Scenario {
        name: "slow-network",
        about: "everything is late by 20 ms and by up to 30 ms more",
        plan: |clock, size| {
            let late = [Trouble::Delay(Duration::from_millis(20)), Trouble::Jitter(Duration::from_millis(30))];
            let wires = everywhere(size).chain([EVERY_CLIENT]);
            wires.flat_map(|wire| late.map(|trouble| clock.middle(Fault::Link(wire, trouble)))).collect()
        },
        hit: |_| Hit::Everybody,
        budgets: &[Budget::HitDefinite(0.99)],
        ..PLAIN
    },
    Scenario {
        name: "lossy-network",
        about: "connections between all parties break again and again",
        plan: |clock, size| {
            let bytes = |wire| {
                let direction = if wire == EVERY_CLIENT { Direction::ToServer } else { Direction::ToClient };
                clock.again(Duration::from_millis(300), Fault::Link(wire, Trouble::CutAfterBytes(direction, 5_000)))
            };
            everywhere(size).chain([EVERY_CLIENT]).flat_map(bytes).collect()
        },
        hit: |_| Hit::Everybody,
        ..PLAIN
    },
    Scenario {
        name: "crumbs",
        about: "everything comes in pieces of 3 bytes, and clients have 50,000 bytes a second",
        plan: |clock, size| {
            let crumbs = |wire| clock.middle(Fault::Link(wire, Trouble::TinyChunks(3)));
            let narrow = clock.middle(Fault::Link(EVERY_CLIENT, Trouble::Bandwidth(50_000)));
            everywhere(size).map(crumbs).chain([narrow]).collect()
        },
        hit: |_| Hit::Everybody,
        budgets: &[Budget::HitDefinite(0.99)],
        ..PLAIN
    },
];

/// All proxies with each of their backends.
fn everywhere(size: Size) -> impl Iterator<Item = Wire> {
    let primaries = (0..size.primaries).map(Party::Primary);
    primaries.chain((0..size.shards).map(Party::Shard)).map(|party| Wire { proxy: Which::All, party })
}

fn cuts_in_commit(clock: Clock, wire: Wire) -> Vec<Planned> {
    match wire.party {
        Party::Primary(primary) => {
            let moment = if primary.is_multiple_of(2) { CutAt::BeforeAnswer } else { CutAt::BeforeRequest };
            clock.again(Duration::from_millis(150), Fault::Link(wire, Trouble::CutAtInsert(moment)))
        }
        _ => Vec::new(),
    }
}
