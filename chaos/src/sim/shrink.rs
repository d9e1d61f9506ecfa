//! A failing plan, cut down to what it needs to fail: by leaving parts out and running again.

use super::mutant::Mutant;
use super::plan::Plan;
use super::{Outcome, run};

/// Runs that are spent on it at most.
const RUNS_MAX: usize = 400;

/// A smaller plan that still fails, and its outcome with the trace.
pub fn shrink(plan: &Plan, mutant: Option<Mutant>) -> (Plan, Outcome) {
    let mut best = plan.clone();
    let mut runs = 0;
    let mut fails = |candidate: &Plan| {
        runs += 1;
        runs <= RUNS_MAX && !run(candidate, mutant, false).findings.is_empty()
    };
    loop {
        let before = best.clone();
        best = without(
            best,
            |plan| plan.faults.len(),
            |plan, at, count| drop(plan.faults.drain(at..at + count)),
            &mut fails,
        );
        best = without(
            best,
            |plan| plan.changes.len(),
            |plan, at, count| drop(plan.changes.drain(at..at + count)),
            &mut fails,
        );
        best = without(
            best,
            |plan| plan.orders.len(),
            |plan, at, count| drop(plan.orders.drain(at..at + count)),
            &mut fails,
        );
        best =
            without(best, |plan| plan.jobs.len(), |plan, at, count| drop(plan.jobs.drain(at..at + count)), &mut fails);
        best = without(
            best,
            |plan| plan.codes.len(),
            |plan, at, count| drop(plan.codes.drain(at..at + count)),
            &mut fails,
        );
        best = without(
            best,
            |plan| plan.packs.len(),
            |plan, at, count| drop(plan.packs.drain(at..at + count)),
            &mut fails,
        );
        best = without(
            best,
            |plan| plan.claims.len(),
            |plan, at, count| drop(plan.claims.drain(at..at + count)),
            &mut fails,
        );
        best = simpler(best, &mut fails);
        if best == before {
            break;
        }
    }
    let outcome = run(&best, mutant, true);
    (best, outcome)
}

/// Leaves out as many parts as can be, large pieces first.
fn without(
    mut best: Plan,
    count: impl Fn(&Plan) -> usize,
    cut: impl Fn(&mut Plan, usize, usize),
    fails: &mut impl FnMut(&Plan) -> bool,
) -> Plan {
    let mut piece = count(&best);
    while piece > 0 {
        let mut at = 0;
        while at + piece <= count(&best) {
            let mut candidate = best.clone();
            cut(&mut candidate, at, piece);
            if fails(&candidate) {
                best = candidate;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    best
}

/// Fewer templates and sends, and no patrol.
fn simpler(mut best: Plan, fails: &mut impl FnMut(&Plan) -> bool) -> Plan {
    if best.patrol.is_some() {
        let candidate = Plan { patrol: None, ..best.clone() };
        if fails(&candidate) {
            best = candidate;
        }
    }
    if best.templates.len() > 1 {
        let mut candidate = best.clone();
        candidate.templates.truncate(1);
        candidate.claims.retain(|claim| claim.template == 0);
        candidate.changes.retain(|change| change.template == 0);
        candidate.packs.retain(|pack| pack.items.iter().all(|(template, _)| *template == 0));
        candidate.jobs.retain(|job| job.template == 0);
        candidate.codes.retain(|codes| codes.template == 0);
        if fails(&candidate) {
            best = candidate;
        }
    }
    for index in 0..best.claims.len() {
        let mut candidate = best.clone();
        let claim = &mut candidate.claims[index];
        (claim.sends_max, claim.doubled, claim.asks) = (1, false, false);
        if candidate != best && fails(&candidate) {
            best = candidate;
        }
    }
    best
}
