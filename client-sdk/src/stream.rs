//! Many claims in flight without a task for each: push claims in, take completions out in batches.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use scrip_protocol::v1::Code;
use tokio::sync::Notify;

use crate::call::{Call, Operation};
use crate::client::Client;
use crate::coupon::{Claim, Coupon};
use crate::delivery::Sink;
use crate::error::ClaimError;
use crate::failure::Failure;
use crate::reply::{Answer, Outcome};

/// How one claim of a [`ClaimStream`] ended.
#[derive(Debug, Clone)]
pub struct Completion {
    /// What the caller gave with the claim.
    pub tag: u64,
    /// The same result that [`Client::claim`] gives.
    pub result: Result<Coupon, ClaimError>,
    /// From the submission to the end, over all attempts.
    pub latency: Duration,
}

/// Claims in, completions out, in any order. Made with [`Client::claim_stream`]. Claims go the same way as those of
/// [`Client::claim`]: the same retries, the same deadline, the same honesty about what is not known.
///
/// Dropping the stream abandons what is in flight: those claims may still be applied.
#[derive(Debug)]
pub struct ClaimStream {
    client: Client,
    state: Arc<StreamState>,
    in_flight_max: usize,
}

#[derive(Debug, Default)]
pub(crate) struct StreamState {
    done: Mutex<Vec<Completion>>,
    arrived: Notify,
    /// Submitted and not yet taken out by the caller.
    outstanding: AtomicUsize,
    closed: AtomicBool,
}

impl StreamState {
    pub(crate) fn complete(&self, batch: &mut Vec<Completion>) {
        let was_empty = {
            let mut done = self.done.lock();
            let was_empty = done.is_empty();
            if was_empty {
                mem::swap(&mut *done, batch);
            } else {
                done.append(batch);
            }
            was_empty
        };
        if was_empty {
            self.arrived.notify_one();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

impl ClaimStream {
    pub(crate) fn new(client: Client, in_flight_max: usize) -> Self {
        Self { client, state: Arc::default(), in_flight_max }
    }

    /// How many more claims may be submitted now.
    pub fn room(&self) -> usize {
        self.in_flight_max.saturating_sub(self.outstanding())
    }

    /// Claims that were submitted and whose completion was not yet taken out.
    pub fn outstanding(&self) -> usize {
        self.state.outstanding.load(Ordering::Relaxed)
    }

    /// Submits as many of these as there is room for and returns how many: the rest of the iterator is not consumed. Never waits.
    /// Two threads that submit at the same moment may together exceed the limit once.
    pub fn submit(&self, claims: &mut impl Iterator<Item = (u64, Claim)>) -> usize {
        let now = Instant::now();
        let room = self.room();
        let calls: Vec<_> = claims.take(room).map(|(tag, claim)| self.call(tag, claim, now)).collect();
        let count = calls.len();
        self.state.outstanding.fetch_add(count, Ordering::Relaxed);
        self.client.shared().send_all(calls, now);
        count
    }

    /// Takes out everything that has completed, waiting until there is something, and puts it into `batch`, which is cleared first.
    /// Leaves it empty only when nothing is outstanding. Cancelling loses nothing: completions stay until they are taken.
    pub async fn completed(&self, batch: &mut Vec<Completion>) {
        batch.clear();
        loop {
            self.take(batch);
            if !batch.is_empty() || self.outstanding() == 0 {
                return;
            }
            self.state.arrived.notified().await;
        }
    }

    /// The same without waiting.
    pub fn try_completed(&self, batch: &mut Vec<Completion>) {
        batch.clear();
        self.take(batch);
    }

    fn take(&self, batch: &mut Vec<Completion>) {
        mem::swap(&mut *self.state.done.lock(), batch);
        self.state.outstanding.fetch_sub(batch.len(), Ordering::Relaxed);
    }

    fn call(&self, tag: u64, claim: Claim, now: Instant) -> Call {
        let deadline = now + self.client.deadline_of(&claim);
        let sink = Sink::Stream { state: Arc::clone(&self.state), tag, submitted: now };
        Call::new(Operation::Claim(claim), deadline, sink)
    }
}

impl Drop for ClaimStream {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn coupon_of(outcome: Outcome) -> Result<Coupon, ClaimError> {
    match outcome {
        Ok(Answer::Coupon(coupon)) => Ok(coupon),
        Ok(_) => Err(Failure::local(Code::OutcomeUnknown, "the answer is of another kind").into()),
        Err(failure) => Err(failure.into()),
    }
}
