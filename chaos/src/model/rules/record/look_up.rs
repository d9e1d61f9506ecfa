//! Looking up what a user has, in a new transaction: after a conflict, or after an unknown outcome with a locking read.

use super::refuse;
use crate::model::rules::{Successors, release};
use crate::model::state::{Claim, SEQ_MAX, Stage};
use crate::model::step::{Found, Step};

impl Successors<'_> {
    pub(super) fn look_up(&mut self, index: usize) {
        let claim = self.state.claims[index];
        let found = self.find(index);
        let generation = self.state.primaries[self.rules.bound.primary_of(index as u8)].generation;
        let mutant = self.rules.mutant;
        self.push(Step::LookUp { claim: index, found }, |next| match (found, claim.stage) {
            // "Row exists with this request id -> replay; the unit goes back."
            (Found::Own, _) => {
                if !claim.burned {
                    release::send(next, claim, mutant);
                }
                next.claims[index] = Claim { stage: Stage::Granted, ..Claim::default() };
            }
            // "Limit reached -> refusal; the unit goes back."
            (Found::Limit, _) => refuse(next, index, mutant),
            (Found::Next(seq), stage) => {
                let seen = if seq > 1 { generation } else { 0 };
                let known = Claim { seq, seen, ..claim };
                next.claims[index] = match stage {
                    Stage::DoubtFenced => Claim { stage: Stage::New, seq, seen, ..Claim::default() },
                    _ if claim.burned => Claim { stage: Stage::Doubt, ..known },
                    _ => Claim { stage: Stage::Holding, ..known },
                };
            }
        });
        if self.out.last().is_some_and(|(_, next)| next == self.state) {
            self.out.pop();
        }
    }

    fn find(&self, index: usize) -> Found {
        let bound = self.rules.bound;
        let send = bound.sends[index];
        let rows = &self.state.primaries[bound.primary_of(index as u8)].data.rows[usize::from(send.user)];
        let own = rows.iter().flatten().any(|row| bound.sends[usize::from(row.claim)].request == send.request);
        let highest = (0..SEQ_MAX).rev().find(|&slot| rows[slot].is_some()).map_or(0, |slot| slot as u8 + 1);
        match highest {
            _ if own => Found::Own,
            highest if highest >= bound.limit => Found::Limit,
            highest => Found::Next(highest + 1),
        }
    }
}
