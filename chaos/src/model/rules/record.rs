//! Record: one transaction on the user's primary, from the proxy's side.

mod look_up;
mod transaction;

use super::{Successors, release};
use crate::model::mutant::Mutant;
use crate::model::state::{Claim, NewRow, PACKETS_MAX, Packet, Server, Stage, State};
use crate::model::step::Step;

impl Successors<'_> {
    pub(super) fn records(&mut self) {
        for (index, claim) in self.claims() {
            match claim.stage {
                Stage::Holding | Stage::Doubt if self.saw_another_server(index) => self.look_up(index),
                Stage::Holding => {
                    self.send(index, None);
                    self.send_two(index);
                    self.turn_back(index);
                }
                Stage::Recording => self.give_up_waiting(index),
                // "Outcome unknown -> look the row up with a locking read, or run the record again with the same ids."
                Stage::Doubt => {
                    self.look_up(index);
                    self.send(index, None);
                }
                Stage::Conflict | Stage::DoubtFenced => self.look_up(index),
                Stage::New | Stage::Granted | Stage::Refused => {}
            }
        }
        for index in 0..PACKETS_MAX {
            if let Some(packet) = self.state.packets[index] {
                self.arrive(index, packet);
            }
        }
    }

    /// A number above 1 holds only for the server that it was seen on: a fail-over may have lost the rows before it.
    fn saw_another_server(&self, claim: usize) -> bool {
        let Claim { seq, seen, .. } = self.state.claims[claim];
        let generation = self.state.primaries[self.rules.bound.primary_of(claim as u8)].generation;
        seq > 1 && seen != generation && !self.is(Mutant::SeqOfAnotherServer)
    }

    /// A batch: claims of other users on the same primary, of whatever epochs.
    fn send_two(&mut self, first: usize) {
        let bound = self.rules.bound;
        for (second, claim) in self.claims() {
            let other_user = bound.sends[first].user != bound.sends[second].user;
            let together = bound.primary_of(first as u8) == bound.primary_of(second as u8)
                && bound.sends[first].proxy == bound.sends[second].proxy;
            let ready = claim.stage == Stage::Holding && !self.saw_another_server(second);
            if bound.batches && other_user && together && ready {
                self.send(first, Some(second));
            }
        }
    }

    fn send(&mut self, first: usize, second: Option<usize>) {
        let Some(room) = self.state.packets.iter().position(Option::is_none) else { return };
        let primary = self.rules.bound.primary_of(first as u8);
        let proxy = usize::from(self.rules.bound.sends[first].proxy);
        let row = |claim: usize| {
            let Claim { seq, epoch, sub_stock, .. } = self.state.claims[claim];
            NewRow { claim: claim as u8, seq, epoch, sub_stock }
        };
        let rows = [Some(row(first)), second.map(row)];
        let remembers = self.is(Mutant::TermRemembered);
        self.push(Step::Send { primary, first, second }, |next| {
            let server = server_of(next, proxy, primary, remembers);
            let generation = next.primaries[primary].generation;
            next.packets[room] =
                Some(Packet { primary: primary as u8, generation, server, awaited: true, unlocked: false, rows });
            for row in rows.iter().flatten() {
                next.claims[usize::from(row.claim)].stage = Stage::Recording;
            }
        });
    }

    /// The sender gives up waiting; what it sent may still arrive.
    fn give_up_waiting(&mut self, index: usize) {
        if self.state.faults.unknown == 0 {
            return;
        }
        let mutant = self.rules.mutant;
        self.push(Step::GiveUpWaiting { claim: index }, |next| {
            next.faults.unknown -= 1;
            let own = |row: &NewRow| usize::from(row.claim) == index;
            let sent =
                next.packets.iter_mut().flatten().find(|packet| packet.awaited && packet.rows().any(|row| own(&row)));
            if let Some(packet) = sent {
                packet.awaited = false;
                let rows = packet.rows();
                rows.for_each(|row| doubt(next, row, mutant));
            }
        });
    }

    /// Nothing of the claim is under way: it is refused (deadline, overload, primary away), and its unit goes back.
    fn turn_back(&mut self, index: usize) {
        let mutant = self.rules.mutant;
        self.push(Step::TurnBack { claim: index }, |next| refuse(next, index, mutant));
    }
}

/// The outcome of its record is unknown: "*that unit is never given back*".
fn doubt(state: &mut State, row: NewRow, mutant: Option<Mutant>) {
    let claim = &mut state.claims[usize::from(row.claim)];
    (claim.stage, claim.burned) = (Stage::Doubt, true);
    if mutant == Some(Mutant::ReleaseAfterUnknown) {
        let claim = *claim;
        release::send(state, claim, mutant);
    }
}

/// Refuses a claim; its unit goes back unless it is burned.
fn refuse(state: &mut State, index: usize, mutant: Option<Mutant>) {
    let claim = state.claims[index];
    if !claim.burned {
        release::send(state, claim, mutant);
    }
    state.claims[index] = Claim { stage: Stage::Refused, ..Claim::default() };
}

/// The server that a connection made now leads to, as the fence names it. Meta is asked, and raises the term if it knew
/// another server.
pub(super) fn ask(state: &mut State, primary: usize) -> Server {
    let (identity, known) = (state.primaries[primary].identity, &mut state.meta.servers[primary]);
    if known.identity != identity {
        *known = Server { identity, term: known.term + 1 };
    }
    *known
}

fn server_of(state: &mut State, proxy: usize, primary: usize, remembers: bool) -> Server {
    if remembers && state.known[proxy][primary].identity == state.primaries[primary].identity {
        return state.known[proxy][primary];
    }
    let server = ask(state, primary);
    if remembers {
        state.known[proxy][primary] = server;
    }
    server
}
