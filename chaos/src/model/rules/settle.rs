//! Settle: re-derives what may be handed out. Each step of it can be interleaved with everything else.

use super::Successors;
use super::deduct::is_living;
use super::record::ask;
use crate::model::bound::Bound;
use crate::model::mutant::Mutant;
use crate::model::rules::Rules;
use crate::model::state::{Key, Phase, SETTLES_MAX, Settle, State};
use crate::model::step::Step;

impl Successors<'_> {
    pub(super) fn settles(&mut self) {
        let mut may_begin = true;
        for index in 0..usize::from(self.rules.bound.settles).min(SETTLES_MAX) {
            let settle = self.state.settles[index];
            match settle.phase {
                // Settles do not differ before they begin: they begin in their order.
                Phase::Fresh if may_begin => {
                    may_begin = false;
                    self.prepare(index);
                }
                Phase::Prepared => self.advance(index),
                Phase::Advanced => self.raise(index, settle),
                Phase::Raised => {
                    self.count(index);
                    self.move_rest(index, settle);
                }
                Phase::Counted => self.install(index, settle),
                Phase::Fresh | Phase::Ended => {}
            }
        }
    }

    /// Step 0: "Read the shard's nonce and the identity of the server behind every primary. *Before step 1.*"
    fn prepare(&mut self, index: usize) {
        let rules = self.rules;
        for sub_stock in 0..rules.bound.allotments.len() {
            for process in 0..self.state.shard.processes.len() {
                if self.state.shard.processes[process].alive {
                    let step = Step::Prepare { settle: index, sub_stock, process };
                    self.push(step, |next| rules.prepare(next, index, sub_stock, process));
                }
            }
        }
    }

    /// Step 1: "Meta, one transaction." Who loses the compare-and-set gives up, so only winners are a step.
    fn advance(&mut self, index: usize) {
        let rules = self.rules;
        let epoch = self.state.meta.sub_stocks[usize::from(self.state.settles[index].sub_stock)].epoch + 1;
        self.push(Step::Advance { settle: index, epoch }, |next| rules.advance(next, index));
    }

    /// Step 2: each primary, in any order.
    fn raise(&mut self, index: usize, settle: Settle) {
        let rules = self.rules;
        if !settle.asked {
            return self.push(Step::AskLate { settle: index }, |next| rules.ask_servers(next, index));
        }
        for primary in 0..rules.bound.primaries() {
            let bit = 1 << primary;
            if rules.is(Mutant::IssuedBeforeFence) && settle.read & bit == 0 {
                let issued = rules.issued(self.state, index, primary);
                let step = Step::ReadIssued { settle: index, primary, issued };
                self.push(step, |next| rules.read_issued(next, index, primary));
            } else if settle.raised & bit == 0 {
                let issued = rules.issued(self.state, index, primary);
                let up = rules.may_raise(self.state, index, primary);
                let step = Step::Raise { settle: index, primary, epoch: settle.epoch, up, issued };
                self.push(step, |next| rules.raise(next, index, primary));
            }
        }
        if rules.is(Mutant::InstallBeforeLastFence)
            && settle.raised.count_ones() as usize + 1 == rules.bound.primaries()
        {
            self.push(Step::SkipLastFence { settle: index }, |next| rules.skip_last_fence(next, index));
        }
    }

    /// Step 3.
    fn count(&mut self, index: usize) {
        let rules = self.rules;
        let mut next = *self.state;
        rules.count(&mut next, index);
        let step = Step::Count { settle: index, count: next.settles[index].count, sold_out: next.meta.sold_out };
        self.push(step, |state| *state = next);
    }

    /// In place of step 3: "**Moving units** away from a sub-stock whose shard is dead".
    fn move_rest(&mut self, index: usize, settle: Settle) {
        let (from, rules) = (usize::from(settle.sub_stock), self.rules);
        let to = 1 - from;
        if !rules.bound.moves || self.state.meta.pending.units > 0 || to >= rules.bound.allotments.len() {
            return;
        }
        let mut next = *self.state;
        if let Some(units) = rules.move_rest(&mut next, index, to) {
            self.push(Step::Move { settle: index, units, to }, |state| *state = next);
        }
    }

    /// Step 4: "*Sent once.*" It may be late. A second copy, where a bound has it, is refused as long as no key vanishes.
    fn install(&mut self, index: usize, settle: Settle) {
        let rules = self.rules;
        for process in 0..self.state.shard.processes.len() {
            if self.state.shard.processes[process].alive {
                let done = rules.may_install(self.state, index, process);
                let step = Step::Install { settle: index, process, epoch: settle.epoch, count: settle.count, done };
                self.push(step, |next| rules.install(next, index, process));
                if done && (self.state.faults.duplicate > 0 || self.is(Mutant::InstallTwice)) {
                    self.push(step, |next| {
                        rules.install(next, index, process);
                        next.faults.duplicate = next.faults.duplicate.saturating_sub(1);
                        next.settles[index] = settle;
                    });
                }
            }
        }
    }
}

impl Rules<'_> {
    pub(in crate::model) fn prepare(&self, state: &mut State, index: usize, sub_stock: usize, process: usize) {
        let (run, allotment) = (state.shard.processes[process].run, state.meta.sub_stocks[sub_stock].allotment);
        let sub_stock = sub_stock as u8;
        state.settles[index] = Settle { phase: Phase::Prepared, sub_stock, run, allotment, ..Settle::default() };
        if !self.is(Mutant::ServersAskedLate) {
            self.ask_servers(state, index);
        }
    }

    pub(in crate::model) fn ask_servers(&self, state: &mut State, index: usize) {
        for primary in 0..self.bound.primaries() {
            state.settles[index].servers[primary] = ask(state, primary);
        }
        state.settles[index].asked = true;
    }

    /// "Compare-and-set `epoch: e -> e+1`; *read `allotment` in it*."
    pub(in crate::model) fn advance(&self, state: &mut State, index: usize) {
        let settle = &mut state.settles[index];
        let sub_stock = &mut state.meta.sub_stocks[usize::from(settle.sub_stock)];
        sub_stock.epoch += 1;
        (settle.phase, settle.epoch) = (Phase::Advanced, sub_stock.epoch);
        if !self.is(Mutant::AllotmentReadOutside) {
            settle.allotment = sub_stock.allotment;
        }
    }

    fn issued(&self, state: &State, index: usize, primary: usize) -> u8 {
        state.primaries[primary].data.ledgers[usize::from(state.settles[index].sub_stock)].issued
    }

    /// "*Give up if the server is not the one of step 0*, or if the fence is above e+1."
    fn may_raise(&self, state: &State, index: usize, primary: usize) -> bool {
        let (settle, at) = (state.settles[index], &state.primaries[primary]);
        let same_server = at.identity == settle.servers[primary].identity;
        same_server && at.data.ledgers[usize::from(settle.sub_stock)].epoch <= settle.epoch
    }

    /// "Set the fence to `{e+1, this server}`; *only then* read `issued`."
    pub(in crate::model) fn raise(&self, state: &mut State, index: usize, primary: usize) {
        if !self.may_raise(state, index, primary) {
            state.settles[index] = Settle { phase: Phase::Ended, ..Settle::default() };
            return;
        }
        let settle = state.settles[index];
        let ledger = &mut state.primaries[primary].data.ledgers[usize::from(settle.sub_stock)];
        (ledger.epoch, ledger.server) = (settle.epoch, settle.servers[primary]);
        state.settles[index].raised |= 1 << primary;
        if settle.read & (1 << primary) == 0 {
            self.read_issued(state, index, primary);
        }
        // "*All primaries done.*"
        if usize::from(state.settles[index].raised.count_ones() as u8) == self.bound.primaries() {
            self.raised(state, index);
        }
    }

    fn read_issued(&self, state: &mut State, index: usize, primary: usize) {
        let issued = self.issued(state, index, primary);
        state.settles[index].issued += issued;
        state.settles[index].read |= 1 << primary;
    }

    fn skip_last_fence(&self, state: &mut State, index: usize) {
        for primary in 0..self.bound.primaries() {
            if state.settles[index].read & (1 << primary) == 0 {
                self.read_issued(state, index, primary);
            }
        }
        self.raised(state, index);
    }

    /// Step 3 changes nothing that others see unless a withdrawal waits or nothing is left: then it is part of the
    /// last fence, which saves states and loses none.
    fn raised(&self, state: &mut State, index: usize) {
        let settle = state.settles[index];
        state.settles[index].phase = Phase::Raised;
        let waits = state.meta.pending.units > 0 || !self.bound.changes.is_empty() || self.bound.moves;
        if !waits && settle.allotment > settle.issued {
            self.count(state, index);
        }
    }

    /// "`n = max(0, allotment - sum(issued))`." What meta is told of it counts only while the epoch is still ours.
    pub(in crate::model) fn count(&self, state: &mut State, index: usize) {
        let settle = state.settles[index];
        let (sub_stock, ours) = (usize::from(settle.sub_stock), settle.epoch);
        let count = settle.allotment.saturating_sub(settle.issued);
        if state.meta.sub_stocks[sub_stock].epoch == ours {
            self.finish_change(state, sub_stock, settle.issued);
            if count == 0 {
                state.meta.sub_stocks[sub_stock].drained = ours;
                self.say_sold_out(state);
            }
        }
        // What only mattered until here is forgotten.
        let Settle { run, epoch, sub_stock, .. } = settle;
        state.settles[index] = Settle { phase: Phase::Counted, run, epoch, sub_stock, count, ..Settle::default() };
    }

    /// "Shrink it (steps 1 to 3 need no Redis), then grow another, in one step of meta that marks the move done", while
    /// the epoch is still that of the fences. Nothing is left to install; `None`: nothing moves.
    pub(in crate::model) fn move_rest(&self, state: &mut State, index: usize, to: usize) -> Option<u8> {
        let settle = state.settles[index];
        let from = &mut state.meta.sub_stocks[usize::from(settle.sub_stock)];
        if from.epoch != settle.epoch && !self.is(Mutant::MoveOfAnotherEpoch) {
            return None;
        }
        let units = from.allotment.checked_sub(settle.issued).filter(|&units| units > 0)?;
        from.allotment = settle.issued;
        let grown = &mut state.meta.sub_stocks[to];
        grown.allotment += units;
        grown.epoch += 1;
        if !self.is(Mutant::MoveAndInstall) {
            state.settles[index].allotment = settle.issued;
        }
        self.count(state, index);
        Some(units)
    }

    /// "**Sold out** is set when every sub-stock settles to zero."
    fn say_sold_out(&self, state: &mut State) {
        let every = |bound: &Bound| 0..bound.allotments.len();
        let drained =
            |state: &State, index: usize| state.meta.sub_stocks[index].drained == state.meta.sub_stocks[index].epoch;
        state.meta.sold_out = if self.is(Mutant::SoldOutTooEarly) {
            every(self.bound).any(|index| drained(state, index))
        } else {
            every(self.bound).all(|index| drained(state, index))
        };
    }

    /// "*Only if the shard's nonce is the one of step 0*, and the key is missing, stale or of a lower epoch."
    fn may_install(&self, state: &State, index: usize, process: usize) -> bool {
        let (settle, at) = (state.settles[index], state.shard.processes[process]);
        let sub_stock = usize::from(settle.sub_stock);
        let bound = at.run == settle.run || self.is(Mutant::InstallUnbound);
        bound && (!is_living(&at, sub_stock) || at.keys[sub_stock].epoch < settle.epoch)
    }

    pub(in crate::model) fn install(&self, state: &mut State, index: usize, process: usize) {
        let settle = state.settles[index];
        if self.may_install(state, index, process) {
            let run = state.shard.processes[process].run;
            let key = Key { run, epoch: settle.epoch, left: settle.count };
            state.shard.processes[process].keys[usize::from(settle.sub_stock)] = key;
        }
        state.settles[index] = Settle { phase: Phase::Ended, ..Settle::default() };
    }
}
