//! The waiting room: calls that no connection takes now, and resends whose time has not come.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Instant;

use parking_lot::Mutex;

use crate::call::Call;

/// Bounded, and closed for good with the client.
#[derive(Debug)]
pub(crate) struct Room {
    calls_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Waiting for any connection.
    parked: VecDeque<Call>,
    /// Waiting for their time.
    delayed: BinaryHeap<Reverse<Delayed>>,
    delayed_count: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Delayed {
    due: Instant,
    /// Ties are broken by age.
    order: u64,
    call: Call,
}

/// What a look into the room found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) sendable: Vec<Call>,
    pub(crate) expired: Vec<Call>,
    /// Somebody is still waiting.
    pub(crate) is_busy: bool,
}

impl Room {
    pub(crate) fn new(calls_max: usize) -> Self {
        Self { calls_max, state: Mutex::default() }
    }

    /// Gives the call back when the room is full or closed.
    pub(crate) fn park(&self, call: Call) -> Result<(), Call> {
        let mut state = self.state.lock();
        if state.is_closed || state.count() >= self.calls_max {
            return Err(call);
        }
        state.parked.push_back(call);
        Ok(())
    }

    /// The same for a call that is to be sent at a certain time.
    pub(crate) fn delay(&self, call: Call, due: Instant) -> Result<(), Call> {
        let mut state = self.state.lock();
        if state.is_closed || state.count() >= self.calls_max {
            return Err(call);
        }
        let order = state.delayed_count;
        state.delayed_count += 1;
        state.delayed.push(Reverse(Delayed { due, order, call }));
        Ok(())
    }

    /// Takes out whose time has come, and with `connected` everybody who waits for a connection.
    pub(crate) fn sweep(&self, now: Instant, connected: bool) -> Found {
        let mut state = self.state.lock();
        let mut found = Found::default();
        let parked = std::mem::take(&mut state.parked);
        for call in parked.into_iter().filter(|call| !call.sink.is_abandoned()) {
            if call.deadline <= now {
                found.expired.push(call);
            } else if connected {
                found.sendable.push(call);
            } else {
                state.parked.push_back(call);
            }
        }
        while state.delayed.peek().is_some_and(|Reverse(next)| next.due <= now) {
            found.sendable.extend(state.delayed.pop().map(|Reverse(delayed)| delayed.call));
        }
        found.is_busy = state.count() > 0 || !found.sendable.is_empty();
        found
    }

    /// Takes out everybody who waits for a connection.
    pub(crate) fn clear_parked(&self) -> Vec<Call> {
        std::mem::take(&mut self.state.lock().parked).into()
    }

    /// Takes out everybody and lets nobody in any more.
    pub(crate) fn close(&self) -> Vec<Call> {
        let mut state = self.state.lock();
        state.is_closed = true;
        let delayed = std::mem::take(&mut state.delayed);
        let mut calls: Vec<_> = std::mem::take(&mut state.parked).into();
        calls.extend(delayed.into_iter().map(|Reverse(delayed)| delayed.call));
        calls
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }
}

impl State {
    fn count(&self) -> usize {
        self.parked.len() + self.delayed.len()
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}
