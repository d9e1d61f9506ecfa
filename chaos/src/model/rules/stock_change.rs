//! Replenish, shrink.

use super::Successors;
use crate::model::bound::Change;
use crate::model::mutant::Mutant;
use crate::model::rules::Rules;
use crate::model::state::{Pending, State};
use crate::model::step::Step;

impl Successors<'_> {
    /// The next change of the bound, unless a withdrawal is still under way.
    pub(super) fn stock_changes(&mut self) {
        let changes = self.rules.bound.changes;
        let Some(&change) = changes.get(usize::from(self.state.changes)) else { return };
        if self.state.meta.pending.units > 0 {
            return;
        }
        let rules = self.rules;
        self.push(Step::Change { change }, |next| {
            next.changes += 1;
            rules.change(next, change);
        });
    }
}

impl Rules<'_> {
    fn change(&self, state: &mut State, change: Change) {
        match change {
            Change::Grow(sub_stock, units) => grow(state, usize::from(sub_stock), units),
            Change::Shrink(from, units) => self.shrink(state, Pending { units, from }),
        }
    }

    /// "**Shrink** lowers `allotment` with the epoch."
    fn shrink(&self, state: &mut State, pending: Pending) {
        let sub_stock = &mut state.meta.sub_stocks[usize::from(pending.from)];
        sub_stock.allotment -= pending.units;
        sub_stock.epoch += 1;
        state.meta.pending = pending;
        if self.is(Mutant::WithdrawnBeforeFences) {
            self.freed(state, pending.units);
        }
    }

    /// "Units count as withdrawn only when all fences are up": what was issued stays allotted.
    pub(super) fn finish_change(&self, state: &mut State, sub_stock: usize, issued: u8) {
        let pending = state.meta.pending;
        if pending.units == 0 || usize::from(pending.from) != sub_stock {
            return;
        }
        let lowered = &mut state.meta.sub_stocks[sub_stock];
        let kept = issued.saturating_sub(lowered.allotment).min(pending.units);
        lowered.allotment += kept;
        self.freed(state, pending.units - kept);
    }

    fn freed(&self, state: &mut State, units: u8) {
        state.meta.pending = Pending::default();
        state.meta.total -= units;
    }
}

/// "**Replenish** raises `allotment` and the epoch in one step of meta", and clears *sold out*.
fn grow(state: &mut State, sub_stock: usize, units: u8) {
    let grown = &mut state.meta.sub_stocks[sub_stock];
    grown.allotment += units;
    grown.epoch += 1;
    state.meta.total += units;
    state.meta.sold_out = false;
}
