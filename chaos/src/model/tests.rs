//! The protocol holds in every small bound; every mutant is caught; the livelock is there and gone.

use super::command::story;
use super::livelock::{Eagerness, always_sells, cycle};
use super::*;

fn quiet(_: usize, _: usize) {}

#[test]
fn the_protocol_holds_in_every_small_bound() {
    for bound in BOUNDS.iter().filter(|bound| bound.size == Size::Small) {
        let search = check(bound, None, &mut quiet);
        println!("{:<10} {:>8} states, depth {:>2}, {:.1?}", bound.name, search.states, search.depth, search.took);
        let told = search.counterexample.map(|(invariant, sentences)| format!("{invariant:?}\n{}", story(&sentences)));
        assert_eq!(told, None, "{}", bound.name);
    }
}

/// Caught, for the reason that was expected, with a story of as many steps as a shortest one has.
fn expect(name: &str, steps: usize) {
    let trial = TRIALS.iter().find(|trial| trial.name == name).expect(name);
    let bound = bound(trial.bound).expect(trial.bound);
    let (invariant, sentences) = check(bound, Some(trial.mutant), &mut quiet).counterexample.expect("not caught");
    println!("{name}: {invariant:?} broken\n{}", story(&sentences));
    assert_eq!((invariant, sentences.len()), (trial.breaks, steps), "{name}");
}

macro_rules! caught {
    ($($test:ident: $name:literal in $steps:literal steps;)*) => {
        $(#[test] fn $test() { expect($name, $steps); })*

        #[test]
        fn every_mutant_has_a_test() {
            assert_eq!(TRIALS.iter().map(|trial| trial.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

caught! {
    release_twice: "release-twice" in 10 steps;
    release_after_unknown: "release-after-unknown" in 8 steps;
    install_unbound: "install-unbound" in 13 steps;
    run_id_as_nonce: "run-id-as-nonce" in 7 steps;
    no_fence: "no-fence" in 11 steps;
    fence_without_server: "fence-without-server" in 12 steps;
    servers_asked_late: "servers-asked-late" in 19 steps;
    issued_before_fence: "issued-before-fence" in 13 steps;
    allotment_read_outside: "allotment-read-outside" in 12 steps;
    install_before_last_fence: "install-before-last-fence" in 11 steps;
    epoch_ignored_in_release: "epoch-ignored-in-release" in 14 steps;
    nonce_ignored_in_deduct: "nonce-ignored-in-deduct" in 7 steps;
    one_fence_check_per_batch: "one-fence-check-per-batch" in 11 steps;
    fence_unlocked: "fence-unlocked" in 13 steps;
    install_twice: "install-twice" in 13 steps;
    no_term: "no-term" in 13 steps;
    term_remembered: "term-remembered" in 13 steps;
    seq_of_another_server: "seq-of-another-server" in 17 steps;
    doubt_forgotten: "doubt-forgotten" in 9 steps;
    withdrawn_before_fences: "withdrawn-before-fences" in 7 steps;
    move_of_another_epoch: "move-of-another-epoch" in 20 steps;
    move_and_install: "move-and-install" in 16 steps;
    sold_out_too_early: "sold-out-too-early" in 5 steps;
    epochs_restart_low: "epochs-restart-low" in 9 steps;
}

fn told(eagerness: Eagerness) -> livelock::Cycle {
    let cycle = cycle(eagerness).expect("a livelock");
    println!("{eagerness:?}\n{}for ever:\n{}", story(&cycle.beginning), story(&cycle.repeats));
    cycle
}

#[test]
fn settling_on_every_empty_livelocks() {
    let fenced = told(Eagerness::EveryEmpty).repeats.iter().filter(|sentence| sentence.contains("is fenced")).count();
    assert_eq!(fenced, 2);
}

#[test]
fn settling_on_every_fenced_livelocks() {
    let fenced = told(Eagerness::EveryFenced).repeats.iter().filter(|sentence| sentence.contains("is fenced")).count();
    assert_eq!(fenced, 2);
}

#[test]
fn the_quiet_rule_ends_the_livelock_and_sells_every_unit() {
    assert!(cycle(Eagerness::Quiet).is_none());
    assert!(always_sells(Eagerness::Quiet));
}
