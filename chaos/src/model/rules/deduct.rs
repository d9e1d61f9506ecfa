//! Deduct: a unit of the shard for a claim.

use super::Successors;
use crate::model::mutant::Mutant;
use crate::model::state::{Claim, Process, Stage};
use crate::model::step::Step;

impl Successors<'_> {
    /// "Key missing or `run` is not mine -> *stale*; else grant, subtract, return the epoch."
    ///
    /// Want 1: a group of k is k deductions in a row. A deduction whose answer is lost is a claim that crashes.
    pub(super) fn deducts(&mut self) {
        for (index, claim) in self.claims() {
            if claim.stage != Stage::New || !self.may_begin(index) {
                continue;
            }
            for process in 0..self.state.shard.processes.len() {
                for sub_stock in 0..self.rules.bound.allotments.len() {
                    self.deduct(index, process, sub_stock);
                }
            }
        }
    }

    fn deduct(&mut self, index: usize, process: usize, sub_stock: usize) {
        let from = self.state.shard.processes[process];
        let key = from.keys[sub_stock];
        let living = is_living(&from, sub_stock) || (self.is(Mutant::NonceIgnoredInDeduct) && key.run != 0);
        if !from.alive || !living || key.left == 0 {
            return;
        }
        let step = Step::Deduct { claim: index, process, sub_stock, epoch: key.epoch, left: key.left - 1 };
        self.push(step, |next| {
            next.shard.processes[process].keys[sub_stock].left -= 1;
            let claim = Claim { stage: Stage::Holding, epoch: key.epoch, ..next.claims[index] };
            next.claims[index] = Claim { sub_stock: sub_stock as u8, ..claim };
        });
    }
}

/// The key carries the nonce of the process that holds it.
pub(super) fn is_living(process: &Process, sub_stock: usize) -> bool {
    process.keys[sub_stock].run == process.run
}
