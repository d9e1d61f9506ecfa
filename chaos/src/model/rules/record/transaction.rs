//! Record: one transaction on the user's primary, from the server's side, and how its answer is taken.

use super::doubt;
use crate::model::bound::Bound;
use crate::model::mutant::Mutant;
use crate::model::rules::Successors;
use crate::model::state::{Claim, Data, NewRow, Packet, Row, Server, Stage};
use crate::model::step::{Outcome, Step};

impl Successors<'_> {
    /// The transaction runs: at once, or long after its sender gave up.
    pub(super) fn arrive(&mut self, index: usize, packet: Packet) {
        let primary = usize::from(packet.primary);
        let at = self.state.primaries[primary];
        if packet.generation != at.generation {
            return self.connection_lost(index, packet);
        }
        let outcome = self.transaction(&at.data, &packet);
        let rules = self.rules;
        if self.is(Mutant::FenceUnlocked) && !packet.unlocked && outcome == Outcome::Committed {
            return self.push(Step::CheckFence { primary, rows: packet.rows }, |next| {
                next.packets[index] = Some(Packet { unlocked: true, ..packet });
            });
        }
        self.push(Step::Arrive { primary, rows: packet.rows, late: !packet.awaited, outcome }, |next| {
            next.packets[index] = None;
            if outcome == Outcome::Committed {
                insert(&mut next.primaries[primary].data, rules.bound, &packet);
            }
            for row in packet.rows().filter(|_| packet.awaited) {
                let current = !is_fenced(&at.data, row, packet.server, rules.mutant);
                answered(&mut next.claims[usize::from(row.claim)], outcome, current, rules.mutant);
            }
        });
    }

    /// The server that it was sent to is gone, and the connection with it.
    fn connection_lost(&mut self, index: usize, packet: Packet) {
        let mutant = self.rules.mutant;
        self.push(Step::ConnectionLost { primary: usize::from(packet.primary), rows: packet.rows }, |next| {
            next.packets[index] = None;
            packet.rows().filter(|_| packet.awaited).for_each(|row| doubt(next, row, mutant));
        });
    }

    /// "*For every claim of the batch* the fence of its own sub-stock must be `{the granted epoch, this very server}`;
    /// insert the rows; add the number inserted to `issued`; commit." One step, because the fence is *checked under a
    /// lock held until commit*.
    fn transaction(&self, data: &Data, packet: &Packet) -> Outcome {
        let checked = if self.is(Mutant::OneFenceCheckPerBatch) { 1 } else { packet.rows.len() };
        let fenced = packet.rows().take(checked).any(|row| is_fenced(data, row, packet.server, self.rules.mutant));
        if fenced && !packet.unlocked {
            return Outcome::Fenced;
        }
        if packet.rows().any(|row| self.in_the_way(data, row)) { Outcome::Conflict } else { Outcome::Committed }
    }

    fn in_the_way(&self, data: &Data, row: NewRow) -> bool {
        let user = usize::from(self.rules.bound.sends[usize::from(row.claim)].user);
        data.rows[user][usize::from(row.seq) - 1].is_some()
    }
}

fn is_fenced(data: &Data, row: NewRow, server: Server, mutant: Option<Mutant>) -> bool {
    let fence = data.ledgers[usize::from(row.sub_stock)];
    match mutant {
        Some(Mutant::NoFence) => false,
        Some(Mutant::FenceWithoutServer) => fence.epoch != row.epoch,
        _ => fence.epoch != row.epoch || fence.server != server,
    }
}

fn insert(data: &mut Data, bound: &Bound, packet: &Packet) {
    for row in packet.rows() {
        let user = usize::from(bound.sends[usize::from(row.claim)].user);
        data.rows[user][usize::from(row.seq) - 1] = Some(Row { claim: row.claim, sub_stock: row.sub_stock });
        data.ledgers[usize::from(row.sub_stock)].issued += 1;
    }
}

/// The claim learns what became of its record. `current`: its own epoch still is the fence's.
fn answered(claim: &mut Claim, outcome: Outcome, current: bool, mutant: Option<Mutant>) {
    match outcome {
        Outcome::Committed => *claim = Claim { stage: Stage::Granted, ..Claim::default() },
        Outcome::Conflict => claim.stage = Stage::Conflict,
        Outcome::Fenced if current => claim.stage = if claim.burned { Stage::Doubt } else { Stage::Holding },
        // One in doubt looks first whether it was recorded before the fence rose; after that nothing of its epoch is.
        Outcome::Fenced if claim.burned && mutant != Some(Mutant::DoubtForgotten) => claim.stage = Stage::DoubtFenced,
        // "The unit is forgotten, the claim starts again at deduct."
        Outcome::Fenced => *claim = Claim { stage: Stage::New, seq: claim.seq, seen: claim.seen, ..Claim::default() },
    }
}
