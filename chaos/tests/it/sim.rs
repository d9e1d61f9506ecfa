//! The simulation: it holds on a fixed set of seeds, is the same every time, and notices what is wrong.

mod patrol;

use std::ops::Range;
use std::path::Path;
use std::process::Command;

use scrip_chaos::sim::fault::{FaultPlan, What, When};
use scrip_chaos::sim::mutant::Mutant;
use scrip_chaos::sim::pinned::Pinned;
use scrip_chaos::sim::plan::{Change, ChangePlan, ClaimPlan, LASTS_S, Plan, Size, TemplatePlan};
use scrip_chaos::sim::run;
use scrip_chaos::sim::shrink::shrink;
use scrip_chaos::sim::sweep::sweep;
use scrip_chaos::sim::wire::Weather;

#[test]
fn every_promise_holds_on_a_fixed_set_of_seeds() {
    let tally = sweep(0..240, 2, None, usize::MAX, |_| {});
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
    assert!(tally.seeds == 240 && tally.coupons > 1_000, "{tally:?}");
    assert!(tally.patrol_steps > 500 && tally.reminders > 500, "{tally:?}");
    assert!(tally.faults.len() == 15 && tally.faults.values().all(|count| *count > 0), "{:?}", tally.faults);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 14, 159, 2_653] {
        let plan = Plan::of(seed);
        let (one, other) = (run(&plan, None, true), run(&plan, None, true));
        assert_eq!(one, other, "seed {seed}");
        assert!(one.lines > 20, "seed {seed}: {one:?}");
        let again = || {
            let seed = seed.to_string();
            let program =
                Command::new(env!("CARGO_BIN_EXE_scrip-chaos")).args(["sim", "--trace", "--seed", &seed]).output();
            String::from_utf8(program.expect("the program runs").stdout).expect("UTF-8")
        };
        let (one_process, other_process) = (again(), again());
        assert_eq!(one_process, other_process, "seed {seed}, two processes");
        assert!(one.trace.iter().all(|line| one_process.contains(line)), "seed {seed}: another trace in a process");
    }
}

/// The smallest there is.
const ONE_OF_EACH: Size = Size {
    proxies: 1,
    primaries: 1,
    shards: 1,
    sub_stocks_per_shard: 1,
    stripes: 1,
    lanes: 1,
    batch_rows_max: 8,
    recent_max: 0,
    move_after_ms: 5_000,
};

/// The stores leave out one rule: then some run goes wrong, in one of the ways expected, that goes well with it.
fn check(mutant: Mutant, expect: &[&str]) {
    check_within(0..800, mutant, expect);
}

fn check_within(seeds: Range<u64>, mutant: Mutant, expect: &[&str]) {
    let tally = sweep(seeds, 2, Some(mutant), 1, |_| {});
    let (seed, found) = tally.failed.first_key_value().unwrap_or_else(|| panic!("{mutant:?} is not noticed"));
    assert!(expect.iter().any(|text| found.contains(text)), "{mutant:?}, seed {seed}: {found}");
    let well = run(&Plan::of(*seed), None, false).findings;
    assert!(well.is_empty(), "seed {seed}: {well:?}");
}

#[test]
fn a_missing_rule_is_noticed() {
    check(Mutant::ReleaseTwice, &["oversold"]);
    check(Mutant::UnknownIsRefused, &[""]);
    check(Mutant::NonceSurvives, &["oversold"]);
    check(Mutant::DeductIgnoresNonce, &["oversold"]);
    check(Mutant::ReleaseIgnoresEpoch, &["oversold", "StockAboveRest"]);
    check(Mutant::FenceUnchecked, &["oversold"]);
    check(Mutant::SoldOutEarly, &["SoldOutTooSoon"]);
    check(Mutant::CommitsNotDurable, &["Missing", "RequestTwice", "CouponWithoutUse"]);
}

#[test]
fn a_missing_rule_of_orders_is_noticed() {
    check(Mutant::StepOverwrites, &["comes after"]);
    // One seed in some thousands.
    check_within(2_800..3_600, Mutant::StepSeenAnywhere, &["comes after"]);
    check_within(400..1_600, Mutant::UnknownStepIsRefused, &["not applied, and applied", "StepAfterAll"]);
    check(Mutant::BudgetUnchecked, &["overspent"]);
}

#[test]
fn a_pack_in_parts_is_noticed() {
    // The proxy itself says nothing definite of a pack that lacks coupons.
    check(Mutant::PackInParts, &["coupons are there", "oversold", "no definite answer", "AppliedAfterAll"]);
}

#[test]
fn a_missing_rule_of_jobs_and_codes_is_noticed() {
    check(Mutant::ResultWithoutCoupon, &["issued, and there is no coupon"]);
    check(Mutant::ShortListTaken, &["JobListDiffers"]);
    check(Mutant::UseUnchecked, &["UsesDiffer", "Missing", "CouponWithoutUse", "RequestTwice"]);
    check(Mutant::UsesUnbounded, &["UsesDiffer"]);
}

/// Units are taken, the shard restarts empty, and a second copy of the last install arrives.
#[test]
fn an_install_that_is_not_bound_to_the_nonce_is_noticed() {
    let claim = |number: u64| ClaimPlan {
        at_ms: 400 + number,
        user: number * 7_919,
        template: 0,
        deadline_ms: 500,
        patience_ms: 600,
        sends_max: 1,
        doubled: false,
        promises: true,
        asks: false,
    };
    let at = |at_ms, what| FaultPlan { when: When::At(at_ms), what };
    let weather = Weather { twice: 1_000, ..Weather::default() };
    let plan = |seed| Plan {
        seed,
        size: ONE_OF_EACH,
        templates: vec![TemplatePlan { total: 4, limit: 1, daily: 0, budget_minor: 0, lasts_s: LASTS_S }],
        claims: (0..5).map(claim).collect(),
        orders: Vec::new(),
        packs: Vec::new(),
        jobs: Vec::new(),
        codes: Vec::new(),
        patrol: None,
        changes: vec![ChangePlan { at_ms: 300, template: 0, change: Change::Stock(4) }],
        faults: vec![
            at(200, What::Weather { proxy: None, place: 2, weather, for_ms: 3_000 }),
            at(600, What::EmptyShard { shard: 0, down_ms: 20 }),
        ],
        heal_at_ms: 3_000,
    };
    let found = |mutant| (0..8).flat_map(|seed| run(&plan(seed), mutant, false).findings).collect::<Vec<_>>();
    assert_eq!(found(None), Vec::<String>::new());
    let found = found(Some(Mutant::InstallUnbound));
    assert!(found.iter().any(|finding| finding.contains("oversold")), "{found:?}");
}

#[test]
fn a_failing_run_is_cut_down_and_still_fails() {
    let plan = Plan::of(1);
    let (small, outcome) = shrink(&plan, Some(Mutant::ReleaseTwice));
    assert!(outcome.findings.iter().any(|finding| finding.contains("oversold")), "{outcome:?}");
    assert!(small.claims.len() < plan.claims.len(), "{} of {}", small.claims.len(), plan.claims.len());
    assert!(outcome.trace.last().is_some_and(|line| line.contains("WRONG")), "{:?}", outcome.trace);
    assert_eq!(run(&small, Some(Mutant::ReleaseTwice), true), outcome, "the short run is the same every time");
}

#[test]
fn what_went_wrong_once_does_not_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let pinned = Pinned::read(&entry).unwrap_or_else(|error| panic!("{error}"));
        assert!(pinned.about.len() > 100, "{}: a paragraph is missing", entry.display());
        for plan in pinned.plans() {
            let findings = run(&plan, None, false).findings;
            assert!(findings.is_empty(), "{}, seed {}: {findings:?}", entry.display(), plan.seed);
        }
        files += 1;
    }
    assert!(files > 0);
}
