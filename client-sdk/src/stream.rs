//! Many requests in flight without a task for each: push requests in, take completions out in batches.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::call::Call;
use crate::client::Client;
use crate::coupon::{Claim, Coupon};
use crate::error::{ClaimError, OrderError};
use crate::order::OrderRequest;

mod carried;

pub use carried::Streamed;
pub(crate) use carried::{coupon_of, coupons_of};

/// How one request of a stream ended: the same result that the client's method for it gives.
#[derive(Debug, Clone)]
pub struct Completion<T = Result<Coupon, ClaimError>> {
    /// What the caller gave with the request.
    pub tag: u64,
    /// What came of it.
    pub result: T,
    /// From the submission to the end, over all attempts.
    pub latency: Duration,
}

/// How one request of an [`OrderStream`] ended.
pub type OrderCompletion = Completion<Result<Vec<Coupon>, OrderError>>;

/// Claims in, completions out, in any order. Made with [`Client::claim_stream`].
pub type ClaimStream = RequestStream<Claim>;

/// Requests of orders in, completions out, in any order. Made with [`Client::order_stream`].
pub type OrderStream = RequestStream<OrderRequest>;

/// Requests in, completions out, in any order. They go the same way as those of the client's methods: the same retries, the same
/// deadline, the same honesty about what is not known.
///
/// Dropping the stream abandons what is in flight: those requests may still be applied.
#[derive(Debug)]
pub struct RequestStream<R: Streamed> {
    client: Client,
    state: Arc<StreamState<R::Result>>,
    in_flight_max: usize,
}

#[derive(Debug)]
pub(crate) struct StreamState<T> {
    done: Mutex<Vec<Completion<T>>>,
    arrived: Notify,
    /// Submitted and not yet taken out by the caller.
    outstanding: AtomicUsize,
    closed: AtomicBool,
}

impl<T> StreamState<T> {
    fn new() -> Self {
        let (done, arrived) = (Mutex::default(), Notify::new());
        Self { done, arrived, outstanding: AtomicUsize::new(0), closed: AtomicBool::new(false) }
    }

    pub(crate) fn complete(&self, batch: &mut Vec<Completion<T>>) {
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

impl<R: Streamed> RequestStream<R> {
    pub(crate) fn new(client: Client, in_flight_max: usize) -> Self {
        Self { client, state: Arc::new(StreamState::new()), in_flight_max }
    }

    /// How many more requests may be submitted now.
    pub fn room(&self) -> usize {
        self.in_flight_max.saturating_sub(self.outstanding())
    }

    /// Requests that were submitted and whose completion was not yet taken out.
    pub fn outstanding(&self) -> usize {
        self.state.outstanding.load(Ordering::Relaxed)
    }

    /// Submits as many of these as there is room for and returns how many: the rest of the iterator is not consumed. Never waits.
    /// Two threads that submit at the same moment may together exceed the limit once.
    pub fn submit(&self, requests: &mut impl Iterator<Item = (u64, R)>) -> usize {
        let now = Instant::now();
        let room = self.room();
        let calls: Vec<_> = requests.take(room).map(|(tag, request)| self.call(tag, request, now)).collect();
        let count = calls.len();
        self.state.outstanding.fetch_add(count, Ordering::Relaxed);
        self.client.shared().send_all(calls, now);
        count
    }

    /// Takes out everything that has completed, waiting until there is something, and puts it into `batch`, which is cleared first.
    /// Leaves it empty only when nothing is outstanding. Cancelling loses nothing: completions stay until they are taken.
    pub async fn completed(&self, batch: &mut Vec<Completion<R::Result>>) {
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
    pub fn try_completed(&self, batch: &mut Vec<Completion<R::Result>>) {
        batch.clear();
        self.take(batch);
    }

    fn take(&self, batch: &mut Vec<Completion<R::Result>>) {
        mem::swap(&mut *self.state.done.lock(), batch);
        self.state.outstanding.fetch_sub(batch.len(), Ordering::Relaxed);
    }

    fn call(&self, tag: u64, request: R, now: Instant) -> Call {
        let deadline = now + request.deadline(&self.client);
        Call::new(request.operation(), deadline, R::sink(Arc::clone(&self.state), tag, now))
    }
}

impl<R: Streamed> Drop for RequestStream<R> {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::Relaxed);
    }
}
