//! One connection to one proxy: its queue, what is in flight on it, and whether it takes work.
//!
//! The lane is locked for a batch at a time: by who submits, by the writer (queue to table), by the reader (table to answers) and by
//! the sweep. No lock is held across an await, and no outcome is delivered under it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::sync::Notify;

use self::lane::Lane;

use crate::call::Call;
use crate::config::ClientConfig;
use crate::error::ProxyFailure;
use crate::reply::{Incoming, Malformed, Outcome};

pub(crate) mod handshake;
mod lane;
pub(crate) mod session;

/// The most bytes that one write gathers.
const WRITE_LEN_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Link {
    /// Which of the configured proxies.
    pub(crate) proxy: u16,
    pub(crate) address: String,
    queued_max: usize,
    /// Takes new work. Written under the lane's lock; read without it when a link is chosen.
    ready: AtomicBool,
    /// Queued and in flight; the same.
    load: AtomicUsize,
    lane: Mutex<Lane>,
    /// The writer waits here for work or for room.
    work: Notify,
    /// The session waits here for the order to give the connection up.
    given_up: Notify,
}

/// What a connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// Its first attempt is under way.
    Connecting,
    Ready,
    /// The proxy said that it is about to stop: what is in flight may finish until then.
    Draining {
        until: Instant,
    },
    /// The proxy cannot be reached now.
    Down(ProxyFailure),
    /// The proxy does not want this client, which waiting does not mend.
    Refused(ProxyFailure),
}

/// Why a link did not take a call.
pub(crate) enum NotTaken {
    NotReady(Call),
    Full(Call),
}

/// What the writer leaves behind: calls that are not worth a frame.
#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    pub(crate) expired: Vec<Call>,
    pub(crate) too_large: Vec<Call>,
}

impl Unwritten {
    pub(crate) fn is_empty(&self) -> bool {
        self.expired.is_empty() && self.too_large.is_empty()
    }
}

impl Link {
    pub(crate) fn new(proxy: u16, address: String, config: &ClientConfig) -> Self {
        Self {
            proxy,
            address,
            queued_max: config.queued_per_connection_max,
            ready: AtomicBool::new(false),
            load: AtomicUsize::new(0),
            lane: Mutex::new(Lane::new(Status::Connecting)),
            work: Notify::new(),
            given_up: Notify::new(),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(crate) fn status(&self) -> Status {
        self.lane.lock().status.clone()
    }

    /// Takes the calls into the queue, all under one lock; what it cannot take goes to `refused`.
    pub(crate) fn enqueue(&self, calls: impl Iterator<Item = Call>, refused: &mut Vec<NotTaken>) {
        let mut lane = self.lane.lock();
        for call in calls {
            if lane.status != Status::Ready {
                refused.push(NotTaken::NotReady(call));
            } else if lane.queue.len() >= self.queued_max {
                refused.push(NotTaken::Full(call));
            } else {
                lane.note_deadline(call.deadline);
                lane.queue.push_back(call);
            }
        }
        self.lane_changed(&mut lane);
    }

    /// Moves calls from the queue into flight, as frames in `buffer`. Returns how many of them are sent for the first time.
    pub(crate) fn fill(&self, now: Instant, buffer: &mut BytesMut, unwritten: &mut Unwritten) -> usize {
        let mut lane = self.lane.lock();
        let mut first_attempts = 0;
        while buffer.len() < WRITE_LEN_MAX && lane.table.occupied() < lane.in_flight_max {
            let Some(call) = lane.queue.pop_front() else { break };
            if call.sink.is_abandoned() {
                continue;
            }
            if call.deadline <= now {
                unwritten.expired.push(call);
                continue;
            }
            first_attempts += usize::from(call.sent == 0);
            lane.write(call, now, buffer, &mut unwritten.too_large);
        }
        lane.writer_waits = buffer.is_empty();
        if !buffer.is_empty() && lane.unanswered_since.is_none() {
            lane.unanswered_since = Some(now);
        }
        self.load.store(lane.load(), Ordering::Relaxed);
        first_attempts
    }

    /// Takes the calls that these replies answer out of flight. An answer that fits no request spoils the connection; the replies
    /// before it count.
    pub(crate) fn answered(
        &self,
        now: Instant,
        incoming: impl Iterator<Item = Incoming>,
        answered: &mut Vec<(Call, Outcome)>,
        notices: &mut Vec<Incoming>,
    ) -> Result<(), Malformed> {
        let mut lane = self.lane.lock();
        let mut verdict = Ok(());
        for message in incoming {
            match message {
                Incoming::Reply { id, outcome } => verdict = lane.answer(id, outcome, answered),
                Incoming::GoAway(_) | Incoming::Closing(_) => notices.push(message),
            }
            if verdict.is_err() {
                break;
            }
        }
        lane.unanswered_since = (lane.table.occupied() > 0).then_some(now);
        lane.overdue = false;
        self.lane_changed(&mut lane);
        verdict
    }

    /// Takes out what is past its deadline, and gives up a connection that is silent or has drained. The two lists are the calls that
    /// were never written and those that were. Returns whether there is anything left to watch.
    pub(crate) fn sweep(
        &self,
        now: Instant,
        silence_max: Duration,
        queued: &mut Vec<Call>,
        sent: &mut Vec<Call>,
    ) -> bool {
        let mut lane = self.lane.lock();
        if lane.earliest.is_some_and(|earliest| earliest <= now) {
            lane.expire(now, silence_max, queued, sent);
        }
        // Silence alone is no sign: an operation with a long deadline may take its time.
        let unanswered = |since| now.saturating_duration_since(since) > silence_max;
        let silent = lane.overdue && lane.unanswered_since.is_some_and(unanswered);
        let drained = match lane.status {
            Status::Draining { until } => until <= now || lane.table.occupied() == 0,
            Status::Connecting | Status::Ready | Status::Down(_) | Status::Refused(_) => false,
        };
        if silent || drained {
            lane.given_up = true;
            self.given_up.notify_one();
        }
        self.lane_changed(&mut lane);
        lane.load() > 0 || lane.overdue || matches!(lane.status, Status::Draining { .. })
    }

    /// The connection is up and its `Hello` was accepted.
    pub(crate) fn open(&self, in_flight_max: usize, request_len_max: usize) {
        let mut lane = self.lane.lock();
        lane.status = Status::Ready;
        lane.in_flight_max = in_flight_max;
        lane.request_len_max = request_len_max;
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Takes no new work from now on. Returns what was not yet written.
    pub(crate) fn drain(&self, until: Instant) -> Vec<Call> {
        let mut lane = self.lane.lock();
        self.ready.store(false, Ordering::Relaxed);
        lane.status = Status::Draining { until };
        let queued = lane.queue.drain(..).collect();
        self.lane_changed(&mut lane);
        queued
    }

    /// Returns when the writer has something to do. Cancelling loses no call: they are in the lane.
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }

    /// Returns when the sweep wants this connection closed. A permit that an earlier connection left behind is not enough.
    pub(crate) async fn given_up(&self) {
        while !self.lane.lock().given_up {
            self.given_up.notified().await;
        }
    }

    pub(crate) fn has_drained(&self) -> bool {
        let lane = self.lane.lock();
        matches!(lane.status, Status::Draining { .. }) && lane.table.occupied() == 0
    }

    /// The connection is gone. Returns what was not written and what may have been.
    pub(crate) fn close(&self, status: Status) -> (Vec<Call>, Vec<Call>) {
        let mut lane = self.lane.lock();
        self.ready.store(false, Ordering::Relaxed);
        let taken = (lane.queue.drain(..).collect(), lane.table.drain());
        *lane = Lane::new(status);
        self.load.store(0, Ordering::Relaxed);
        taken
    }

    fn lane_changed(&self, lane: &mut Lane) {
        self.load.store(lane.load(), Ordering::Relaxed);
        let room = lane.table.occupied() < lane.in_flight_max;
        if lane.writer_waits && room && !lane.queue.is_empty() {
            lane.writer_waits = false;
            self.work.notify_one();
        }
    }
}
