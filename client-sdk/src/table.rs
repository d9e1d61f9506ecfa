//! The requests in flight on one connection: a slab whose index is part of the correlation id.

use std::time::{Duration, Instant};

use crate::call::Call;

/// Bits of a correlation id that hold the index; the generation of the slot is above them. 2^20 slots are more than a connection
/// may have in flight.
const INDEX_BITS: u32 = 20;

/// Never hands out the same id twice, so that a late answer is told from a wrong one.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    vacant: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Vacant,
    Waiting(Call),
    /// The caller has been told; the proxy may still answer and still counts it as in flight.
    Expired {
        until: Instant,
    },
}

/// What an id stands for.
#[derive(Debug)]
pub(crate) enum Taken {
    Call(Call),
    /// Its caller has been told already.
    Late,
    /// Never handed out, or answered before.
    Strange,
}

impl Table {
    /// Requests that the proxy may still be working on.
    pub(crate) fn occupied(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Puts a call into a slot; `write` sees it with its id just before.
    pub(crate) fn insert(&mut self, mut call: Call, write: impl FnOnce(u64, &mut Call)) {
        let index = self.vacant.pop().unwrap_or_else(|| self.grow());
        let slot = &mut self.slots[index as usize];
        slot.generation += 1;
        write(id_of(index, slot.generation), &mut call);
        slot.state = State::Waiting(call);
    }

    pub(crate) fn take(&mut self, id: u64) -> Taken {
        let (index, generation) = ((id & ((1 << INDEX_BITS) - 1)) as u32, id >> INDEX_BITS);
        let Some(slot) = self.slots.get_mut(index as usize) else { return Taken::Strange };
        if generation != slot.generation {
            return if generation < slot.generation && generation > 0 { Taken::Late } else { Taken::Strange };
        }
        match std::mem::replace(&mut slot.state, State::Vacant) {
            State::Vacant => return Taken::Strange,
            State::Waiting(call) => {
                self.vacant.push(index);
                return Taken::Call(call);
            }
            State::Expired { .. } => self.vacant.push(index),
        }
        Taken::Late
    }

    /// Takes out the calls whose deadline has passed. Their slots stay occupied until the answer comes or `linger` is over. Returns
    /// the earliest deadline that is left.
    pub(crate) fn expire(&mut self, now: Instant, linger: Duration, expired: &mut Vec<Call>) -> Option<Instant> {
        let mut earliest: Option<Instant> = None;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let due = match &slot.state {
                State::Vacant => continue,
                State::Waiting(call) => call.deadline,
                State::Expired { until } => *until,
            };
            if due > now {
                earliest = Some(earliest.map_or(due, |earliest| earliest.min(due)));
                continue;
            }
            match std::mem::replace(&mut slot.state, State::Vacant) {
                State::Waiting(call) => {
                    expired.push(call);
                    let until = now + linger;
                    slot.state = State::Expired { until };
                    earliest = Some(earliest.map_or(until, |earliest| earliest.min(until)));
                }
                State::Expired { .. } | State::Vacant => self.vacant.push(index as u32),
            }
        }
        earliest
    }

    /// Takes out every call: the connection is gone.
    pub(crate) fn drain(&mut self) -> Vec<Call> {
        self.vacant.clear();
        let states = self.slots.drain(..).map(|slot| slot.state);
        states.filter_map(|state| if let State::Waiting(call) = state { Some(call) } else { None }).collect()
    }

    fn grow(&mut self) -> u32 {
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: 0, state: State::Vacant });
        index
    }
}

fn id_of(index: u32, generation: u64) -> u64 {
    (generation << INDEX_BITS) | u64::from(index)
}

#[cfg(test)]
mod tests;
