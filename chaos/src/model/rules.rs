//! What may happen next: every rule of the protocol and every fault, each as one step.
//!
//! The rules are in the order of the design's section 6, one module each, and carry its names. A [`Mutant`] is asked
//! for at exactly the rule that it removes.

mod deduct;
mod fault;
mod record;
mod release;
mod settle;
mod stock_change;

use super::bound::Bound;
use super::mutant::Mutant;
use super::state::{Claim, State};
use super::step::Step;

/// The protocol, or a deviation from it, within a bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) bound: &'a Bound,
    pub(super) mutant: Option<Mutant>,
}

/// Collects the successors of a state.
pub(super) struct Successors<'a> {
    pub(super) rules: Rules<'a>,
    pub(super) state: &'a State,
    pub(super) out: &'a mut Vec<(Step, State)>,
}

impl Rules<'_> {
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Every step that is possible, with the state that it leads to. The order is always the same.
    pub(super) fn successors(&self, state: &State, out: &mut Vec<(Step, State)>) {
        out.clear();
        let mut successors = Successors { rules: *self, state, out };
        successors.deducts();
        successors.records();
        successors.releases();
        successors.settles();
        successors.stock_changes();
        successors.faults();
    }
}

impl Successors<'_> {
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.rules.is(mutant)
    }

    /// One more step, which `change` describes.
    pub(super) fn push(&mut self, step: Step, change: impl FnOnce(&mut State)) {
        let mut next = *self.state;
        change(&mut next);
        next.sort_messages();
        self.out.push((step, next));
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = (usize, Claim)> + use<> {
        let claims = self.state.claims;
        (0..self.rules.bound.sends.len()).map(move |index| (index, claims[index]))
    }

    /// Sends that do not differ begin in their order: nothing is lost by that, and many states are.
    pub(super) fn may_begin(&self, claim: usize) -> bool {
        let bound = self.rules.bound;
        let untouched = |other: usize| self.state.claims[other] == Claim::default();
        !(self.state.claims[claim] == Claim::default()
            && (0..claim).any(|other| bound.alike(other, claim) && untouched(other)))
    }
}
