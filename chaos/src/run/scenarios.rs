//! Every scenario: the rows of the design's failure table, and those that have budgets of their own.

mod network;
mod operators;
mod primaries;
mod proxies;
mod shards;

use super::fault::Planned;
use super::felt::Hit;
use super::scenario::{Clock, Offered, Scenario, Stock};
use super::schedule::{self, Size};

/// What most scenarios have.
const PLAIN: Scenario = Scenario {
    name: "",
    about: "",
    plan: |_, _| Vec::new(),
    hit: |_| Hit::Nobody,
    stock: Stock::Lasts,
    offered: Offered::Steady,
    budgets: &[],
};

/// Faults of all kinds, in any combination, from the seed.
pub(super) const RANDOM: Scenario = Scenario {
    name: "random",
    about: "faults of all kinds in any combination, from the seed",
    plan: |clock: Clock, size: Size| -> Vec<Planned> { schedule::random(clock.seed, size, clock.duration) },
    hit: |_| Hit::Everybody,
    ..PLAIN
};

/// Every named scenario.
pub fn all() -> Vec<Scenario> {
    let groups = [proxies::ALL, shards::ALL, primaries::ALL, network::ALL, operators::ALL];
    groups.concat()
}

/// The named one, `random`, or all.
pub fn named(name: &str) -> Option<Vec<Scenario>> {
    match name {
        "all" => Some(all()),
        "random" => Some(vec![RANDOM]),
        _ => all().into_iter().find(|scenario| scenario.name == name).map(|scenario| vec![scenario]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_are_different_and_plans_end_before_the_load() {
        let size = Size { primaries: 3, shards: 2, proxies: 2, clients: 3 };
        let clock = Clock { duration: Duration::from_secs(5), seed: 1 };
        let mut names = HashSet::new();
        for scenario in all() {
            assert!(names.insert(scenario.name), "{}", scenario.name);
            assert!(named(scenario.name).is_some_and(|found| found[0].about == scenario.about));
            for planned in (scenario.plan)(clock, size) {
                assert!(planned.from <= planned.until && planned.until <= clock.duration, "{planned}");
            }
        }
        assert!(named("no-such").is_none());
    }
}
