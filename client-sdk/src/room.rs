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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scrip_protocol::{RequestId, TemplateId, UserId};

    use super::*;
    use crate::call::Operation;
    use crate::coupon::Claim;
    use crate::delivery::Sink;

    fn call(user: u64, deadline: Instant) -> Call {
        let claim = Claim::new(UserId(user), TemplateId::try_new(1).expect("not 0"), RequestId([0; 16]));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::mem::forget(receiver);
        Call::new(Operation::Claim(claim.into()), deadline, Sink::One(sender))
    }

    fn users(calls: &[Call]) -> Vec<u64> {
        let user = |call: &Call| match &call.operation {
            Operation::Claim(claim) => claim.user.get(),
            Operation::Other(_) => 0,
        };
        calls.iter().map(user).collect()
    }

    #[test]
    fn delayed_calls_leave_in_the_order_of_their_time_and_parked_ones_with_a_connection() {
        let (room, now) = (Room::new(10), Instant::now());
        let at = |ms| now + Duration::from_millis(ms);
        for (user, due_ms) in [(1, 30), (2, 10), (3, 10)] {
            room.delay(call(user, at(100)), at(due_ms)).expect("room");
        }
        room.park(call(4, at(50))).expect("room");
        room.park(call(5, at(5))).expect("room");
        let found = room.sweep(at(20), false);
        assert_eq!((users(&found.sendable), users(&found.expired)), (vec![2, 3], vec![5]));
        let found = room.sweep(at(30), true);
        assert_eq!((users(&found.sendable), users(&found.expired)), (vec![4, 1], vec![]));
        assert!(!room.sweep(at(31), true).is_busy);
    }

    #[test]
    fn it_is_bounded_and_closed_for_good() {
        let (room, now) = (Room::new(2), Instant::now());
        room.park(call(1, now)).expect("room");
        room.delay(call(2, now), now).expect("room");
        assert!(room.park(call(3, now)).is_err() && room.delay(call(3, now), now).is_err());
        assert_eq!(users(&room.close()), [1, 2]);
        assert!(room.is_closed() && room.park(call(4, now)).is_err() && room.delay(call(4, now), now).is_err());
    }
}
