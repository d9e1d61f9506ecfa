//! The simulation: it holds on a fixed set of seeds, is the same every time, and notices what is wrong.

use std::process::Command;

use scrip_chaos::sim::mutant::Mutant;
use scrip_chaos::sim::plan::Plan;
use scrip_chaos::sim::run;
use scrip_chaos::sim::shrink::shrink;
use scrip_chaos::sim::sweep::sweep;

#[test]
fn every_promise_holds_on_a_fixed_set_of_seeds() {
    let tally = sweep(0..240, 2, None, usize::MAX, |_| {});
    assert!(tally.failed.is_empty(), "{:#?}", tally.failed);
    assert!(tally.seeds == 240 && tally.coupons > 1_000, "{tally:?}");
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

/// The stores leave out one rule: then some run goes wrong, in the way expected, that goes well with it.
fn check(mutant: Mutant, expect: &str) {
    let tally = sweep(0..800, 2, Some(mutant), 1, |_| {});
    let (seed, found) = tally.failed.first_key_value().unwrap_or_else(|| panic!("{mutant:?} is not noticed"));
    assert!(found.contains(expect), "{mutant:?}, seed {seed}: {found}");
    let well = run(&Plan::of(*seed), None, false).findings;
    assert!(well.is_empty(), "seed {seed}: {well:?}");
}

#[test]
fn a_missing_rule_is_noticed() {
    check(Mutant::ReleaseTwice, "oversold");
    check(Mutant::UnknownIsRefused, "");
    check(Mutant::NonceSurvives, "oversold");
    check(Mutant::DeductIgnoresNonce, "oversold");
    check(Mutant::ReleaseIgnoresEpoch, "oversold");
    check(Mutant::FenceUnchecked, "oversold");
    check(Mutant::SoldOutEarly, "SoldOutTooSoon");
    check(Mutant::CommitsNotDurable, "Missing");
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
