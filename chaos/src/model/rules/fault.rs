//! What breaks by itself.

use super::Successors;
use crate::model::bound::Rejoin;
use crate::model::mutant::Mutant;
use crate::model::rules::Rules;
use crate::model::state::{Key, Process, State};
use crate::model::step::Step;

impl Successors<'_> {
    pub(super) fn faults(&mut self) {
        for process in 0..self.state.shard.processes.len() {
            if self.state.shard.processes[process].alive {
                self.redis_restarts(process);
                self.key_vanishes(process);
            }
        }
        self.redis_copies();
        for primary in 0..self.rules.bound.primaries() {
            self.primary_fails_over(primary);
        }
        self.meta_restored();
    }

    /// "After a restart, a promotion or a full resynchronisation the library is loaded anew, so every key is stale by
    /// itself, whatever data came back."
    fn redis_restarts(&mut self, process: usize) {
        if self.state.faults.empty > 0 {
            self.push(Step::RedisEmpty { process }, |next| {
                next.faults.empty -= 1;
                load_library(next, process);
                next.shard.processes[process].keys = Default::default();
            });
        }
        if self.state.faults.old > 0 {
            self.push(Step::RedisOld { process }, |next| {
                next.faults.old -= 1;
                load_library(next, process);
                next.shard.processes[process].keys = next.shard.saved;
            });
            // The library is loaded anew, but the run_id stays.
            let run_id = self.is(Mutant::RunIdAsNonce);
            self.push(Step::RedisThereAndBack { process }, |next| {
                next.faults.old -= 1;
                if !run_id {
                    load_library(next, process);
                }
                next.shard.processes[process].keys = next.shard.saved;
            });
        }
    }

    /// Excluded by `noeviction`; harmless as long as installs are sent once.
    fn key_vanishes(&mut self, process: usize) {
        for sub_stock in 0..self.rules.bound.allotments.len() {
            let there = self.state.shard.processes[process].keys[sub_stock] != Key::default();
            if self.state.faults.vanish > 0 && there {
                self.push(Step::KeyVanishes { process, sub_stock }, |next| {
                    next.faults.vanish -= 1;
                    next.shard.processes[process].keys[sub_stock] = Key::default();
                });
            }
        }
    }

    fn redis_copies(&mut self) {
        let current = self.state.shard.processes[0].keys;
        if self.state.faults.save > 0 && self.state.shard.saved != current {
            self.push(Step::RedisSaves, |next| {
                next.faults.save -= 1;
                next.shard.saved = current;
            });
        }
        if self.state.faults.split > 0 && !self.state.shard.processes[1].alive {
            self.push(Step::RedisSplits, |next| {
                next.faults.split -= 1;
                next.shard.processes[1] = Process { alive: true, run: 0, keys: next.shard.saved };
                load_library(next, 1);
            });
        }
    }

    fn primary_fails_over(&mut self, primary: usize) {
        let at = self.state.primaries[primary];
        if self.state.faults.fail_over == 0 {
            return;
        }
        if at.replica != at.data {
            self.push(Step::ReplicaCatchesUp { primary }, |next| next.primaries[primary].replica = at.data);
        }
        let rules = self.rules;
        self.push(Step::FailOver { primary, lost: at.replica != at.data }, |next| rules.fail_over(next, primary));
    }

    /// "Meta must not lose commits; if its server is ever replaced, every epoch restarts above every fence."
    fn meta_restored(&mut self) {
        if self.state.faults.meta == 0 {
            return;
        }
        let low = self.is(Mutant::EpochsRestartLow);
        self.push(Step::MetaRestored, |next| {
            next.faults.meta -= 1;
            for (index, sub_stock) in next.meta.sub_stocks.iter_mut().enumerate() {
                let highest = next.primaries.iter().map(|primary| primary.data.ledgers[index].epoch).max().unwrap_or(0);
                sub_stock.epoch = if low { 1 } else { sub_stock.epoch.max(highest) + 1 };
            }
        });
    }
}

impl Rules<'_> {
    /// A new server with what the replica has. "*It must never come back*: a primary that rejoins is a new server"; or
    /// else meta raises the term with every change.
    fn fail_over(&self, state: &mut State, primary: usize) {
        state.faults.fail_over -= 1;
        let at = &mut state.primaries[primary];
        for (old, kept) in at.data.rows.iter().flatten().zip(at.replica.rows.iter().flatten()) {
            if let Some(row) = old.filter(|_| kept.is_none()) {
                state.lost |= 1 << self.bound.sends[usize::from(row.claim)].request;
            }
        }
        at.data = at.replica;
        at.generation += 1;
        at.identity = match self.bound.rejoin {
            Rejoin::Never => at.generation,
            Rejoin::SameIdentity => at.generation % 2,
        };
        let known = &mut state.meta.servers[primary];
        if self.bound.rejoin == Rejoin::SameIdentity {
            known.identity = at.identity;
            known.term += u8::from(!self.is(Mutant::NoTerm));
        }
    }
}

/// A new life of the library draws a new nonce at its first call.
fn load_library(state: &mut State, process: usize) {
    state.shard.runs += 1;
    state.shard.processes[process].run = state.shard.runs;
}
