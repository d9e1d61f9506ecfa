//! The patrol: what its promises rest on, and what they do not.

use scrip_chaos::history::Act;
use scrip_chaos::sim::fault::{FaultPlan, What, When};
use scrip_chaos::sim::mutant::Mutant;
use scrip_chaos::sim::plan::{ClaimPlan, OrderPlan, PatrolPlan, Plan, Size, TemplatePlan};
use scrip_chaos::sim::run;
use scrip_chaos::sim::sweep::sweep;
use scrip_chaos::sim::wire::Weather;

use super::{ONE_OF_EACH, check};

const SEEDS: u64 = 40;

/// Orders come back about when their locks are freed, and what is sent is at times carried out when its sender has gone on.
fn plan(seed: u64) -> Plan {
    let user = |number: u64| (number + 1) * 7_919;
    let claim = |number: u64| ClaimPlan {
        at_ms: 400 + 300 * number,
        user: user(number),
        template: 0,
        deadline_ms: 500,
        patience_ms: 600,
        sends_max: 5,
        doubled: false,
        promises: true,
        asks: false,
    };
    let order = |number: u64| OrderPlan {
        at_ms: 700 + 300 * number,
        user: user(number),
        coupons_max: 1,
        acts: vec![Act::Lock, if number.is_multiple_of(2) { Act::Redeem } else { Act::Unlock }],
        ttl_ms: 300,
        amount_minor: 1,
        deadline_ms: 500,
        patience_ms: 600,
        sends_max: 5,
        doubled: false,
        pause_ms: 1_000 + 120 * number,
    };
    let weather = Weather { detach: 150, ..Weather::default() };
    Plan {
        seed,
        size: Size { proxies: 2, ..ONE_OF_EACH },
        templates: vec![TemplatePlan { total: 20, limit: 1, daily: 0, budget_minor: 0, lasts_s: 8 }],
        claims: (0..12).map(claim).collect(),
        orders: (0..12).map(order).collect(),
        packs: Vec::new(),
        jobs: Vec::new(),
        codes: Vec::new(),
        patrol: Some(PatrolPlan { slice_rows: 2, round_ms: 300, remind_before_ms: vec![60_000], looks: Vec::new() }),
        changes: Vec::new(),
        faults: vec![FaultPlan {
            when: When::At(300),
            what: What::Weather { proxy: None, place: 1, weather, for_ms: 12_000 },
        }],
        heal_at_ms: 13_000,
    }
}

fn found(mutant: Option<Mutant>, seed: u64) -> Vec<String> {
    run(&plan(seed), mutant, false).findings
}

#[test]
fn a_missing_rule_of_the_patrol_is_noticed() {
    check(Mutant::WalkSkips, &["not written down"]);
    check(Mutant::SaysReminded, &["not reminded"]);
    check(Mutant::ClocksApart, &["before its time", "sees coupon"]);
    for (mutant, expect) in [(Mutant::PatrolUnnumbered, "does not follow"), (Mutant::RemindsAnyway, "reminded twice")] {
        let shows = |seed: &u64| found(Some(mutant), *seed).iter().any(|finding| finding.contains(expect));
        let seed = (0..SEEDS).find(shows).unwrap_or_else(|| panic!("{mutant:?} is not noticed"));
        assert_eq!(found(None, seed), Vec::<String>::new(), "seed {seed}");
    }
}

/// Every proxy patrols every primary, and notes its own position.
#[test]
fn the_lease_of_the_patrol_only_saves_work() {
    let tally = sweep(0..80, 2, Some(Mutant::LeaseOfAll), usize::MAX, |_| {});
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
    assert!(tally.patrol_steps > 100, "{tally:?}");
    let found: Vec<String> = (0..10).flat_map(|seed| found(Some(Mutant::LeaseOfAll), seed)).collect();
    assert_eq!(found, Vec::<String>::new());
}
