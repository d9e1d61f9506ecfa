//! Faults in their times, made from a seed.

use std::collections::HashSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::fault::{Fault, Order, Party, Planned, PrimaryFault, ProxyFault, ShardFault, Trouble, Which, Wire};
use crate::testbed::{CutAt, Direction};

/// The size of what is broken.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Database servers.
    pub primaries: usize,
    /// Redis servers.
    pub shards: usize,
    /// Proxies.
    pub proxies: usize,
    /// Clients.
    pub clients: usize,
}

/// What cannot have two faults at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Primary(usize),
    Shard(usize),
    Proxy(usize),
    Links(usize, usize),
    Template,
}

/// Where two faults would undo each other.
struct Taken {
    place: Place,
    until: Duration,
}

/// The same seed gives the same schedule. Some 1 fault a second, each up to 2 s long; the last fifth of the time is left for
/// recovery under load.
pub(super) fn random(seed: u64, size: Size, duration: Duration) -> Vec<Planned> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x5eed_fa17);
    let (first, last) = (duration.mul_f64(0.1), duration.mul_f64(0.8));
    let count = random.random_range(3..=duration.as_secs().max(3) + 3);
    let mut starts: Vec<Duration> = (0..count).map(|_| between(&mut random, first, last)).collect();
    starts.sort_unstable();
    let mut plan = Vec::new();
    let mut taken: Vec<Taken> = Vec::new();
    let mut once = HashSet::new();
    for from in starts {
        let (place, fault) = draw(&mut random, size);
        let until = (from + Duration::from_millis(random.random_range(100..2_000))).min(last);
        let free = !taken.iter().any(|other| other.place == place && other.until >= from);
        // A fail-over takes a copy of all data: once a primary is enough.
        if free && (!is_costly(fault) || once.insert(place)) {
            // Restarting takes a while.
            taken.push(Taken { place, until: until + Duration::from_millis(1_500) });
            plan.push(Planned { from, until, fault });
        }
    }
    plan
}

fn between(random: &mut StdRng, first: Duration, last: Duration) -> Duration {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(random.random_range(millis(first)..=millis(last)))
}

fn is_costly(fault: Fault) -> bool {
    matches!(fault, Fault::Primary(_, PrimaryFault::FailedOver))
}

fn draw(random: &mut StdRng, size: Size) -> (Place, Fault) {
    match random.random_range(0..100) {
        0..40 => link(random, size),
        40..58 => primary(random, size),
        58..78 => shard(random, size),
        78..92 => proxy(random, size),
        _ => operator(random),
    }
}

fn link(random: &mut StdRng, size: Size) -> (Place, Fault) {
    let proxy = which(random, size.proxies);
    let (place, party) = match random.random_range(0..10) {
        0..2 => (Place::Links(0, 0), Party::Client(which(random, size.clients))),
        2..7 => {
            let primary = random.random_range(0..size.primaries);
            (Place::Links(1, primary), Party::Primary(primary))
        }
        _ => {
            let shard = random.random_range(0..size.shards);
            (Place::Links(2, shard), Party::Shard(shard))
        }
    };
    (place, Fault::Link(Wire { proxy, party }, trouble(random)))
}

fn which(random: &mut StdRng, count: usize) -> Which {
    if random.random_bool(0.3) { Which::All } else { Which::One(random.random_range(0..count)) }
}

fn trouble(random: &mut StdRng) -> Trouble {
    let direction = if random.random() { Direction::ToServer } else { Direction::ToClient };
    let moment = if random.random() { CutAt::BeforeRequest } else { CutAt::BeforeAnswer };
    let late = Duration::from_millis(random.random_range(1..200));
    let troubles = [
        Trouble::Cut,
        Trouble::Refused,
        Trouble::CutAfterBytes(direction, random.random_range(0..20_000)),
        Trouble::CutAtInsert(moment),
        Trouble::OneWay(direction),
        Trouble::BlackHole,
        Trouble::Delay(late),
        Trouble::Jitter(late),
        Trouble::TinyChunks(random.random_range(1..8)),
        Trouble::Bandwidth(random.random_range(2_000..100_000)),
    ];
    *troubles.choose(random).unwrap_or(&Trouble::Cut)
}

fn primary(random: &mut StdRng, size: Size) -> (Place, Fault) {
    let primary = random.random_range(0..size.primaries);
    let faults = [
        PrimaryFault::Killed,
        PrimaryFault::Frozen,
        PrimaryFault::FailedOver,
        PrimaryFault::WritesRefused,
        PrimaryFault::DiskFull,
    ];
    let fault = *faults.choose(random).unwrap_or(&PrimaryFault::Killed);
    // Only the last one has a file system that can be filled.
    let nowhere = fault == PrimaryFault::DiskFull && primary + 1 != size.primaries;
    let fault = if nowhere { PrimaryFault::Frozen } else { fault };
    // Meta must not lose commits: the design says so.
    let fault = if primary == 0 && fault == PrimaryFault::FailedOver { PrimaryFault::Killed } else { fault };
    (Place::Primary(primary), Fault::Primary(primary, fault))
}

fn shard(random: &mut StdRng, size: Size) -> (Place, Fault) {
    let shard = random.random_range(0..size.shards);
    let faults = [
        ShardFault::Killed,
        ShardFault::Frozen,
        ShardFault::OldData,
        ShardFault::Flushed,
        ShardFault::FailedOverAndBack,
        ShardFault::SplitBrain,
    ];
    (Place::Shard(shard), Fault::Shard(shard, *faults.choose(random).unwrap_or(&ShardFault::Killed)))
}

fn proxy(random: &mut StdRng, size: Size) -> (Place, Fault) {
    let proxy = random.random_range(0..size.proxies);
    let faults = [ProxyFault::Killed, ProxyFault::Frozen, ProxyFault::Drained];
    (Place::Proxy(proxy), Fault::Proxy(proxy, *faults.choose(random).unwrap_or(&ProxyFault::Killed)))
}

fn operator(random: &mut StdRng) -> (Place, Fault) {
    let order = match random.random_range(0..3) {
        0 => Order::Stock(random.random_range(1..500)),
        1 => Order::Stock(-random.random_range(1..300)),
        _ => Order::Paused,
    };
    (Place::Template, Fault::Operator(order))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { primaries: 3, shards: 2, proxies: 2, clients: 3 };

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_others_differ() {
        let plan = |seed| random(seed, SIZE, Duration::from_secs(20));
        assert_eq!(plan(7), plan(7));
        let different: HashSet<String> = (0..50).map(|seed| format!("{:?}", plan(seed))).collect();
        assert_eq!(different.len(), 50);
    }

    #[test]
    fn every_kind_of_fault_comes_up_and_meta_never_loses_commits() {
        let faults: Vec<Fault> = (0..400)
            .flat_map(|seed| random(seed, SIZE, Duration::from_secs(20)))
            .inspect(|planned| assert!(planned.from <= planned.until && planned.until <= Duration::from_secs(16)))
            .map(|planned| planned.fault)
            .collect();
        let kinds: HashSet<String> = faults
            .iter()
            .map(|fault| match fault {
                Fault::Link(_, trouble) => format!("link {:?}", std::mem::discriminant(trouble)),
                Fault::Primary(_, fault) => format!("primary {fault:?}"),
                Fault::Shard(_, fault) => format!("shard {fault:?}"),
                Fault::Proxy(_, fault) => format!("proxy {fault:?}"),
                Fault::Operator(order) => format!("operator {:?}", std::mem::discriminant(order)),
            })
            .collect();
        assert_eq!(kinds.len(), 10 + 5 + 6 + 3 + 2, "troubles, primaries, shards, proxies, orders: {kinds:?}");
        assert!(!faults.contains(&Fault::Primary(0, PrimaryFault::FailedOver)));
    }

    #[test]
    fn one_place_has_one_fault_at_a_time() {
        for seed in 0..200 {
            let plan = random(seed, SIZE, Duration::from_secs(20));
            for (index, planned) in plan.iter().enumerate() {
                let Fault::Proxy(proxy, _) = planned.fault else { continue };
                let later = plan[index + 1..].iter().filter(|l| matches!(l.fault, Fault::Proxy(p, _) if p == proxy));
                later.for_each(|later| assert!(later.from > planned.until, "{seed}"));
            }
        }
    }
}
