//! Where outcomes go: to the future of one call, or to a stream of many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::coupon::Coupon;
use crate::error::{ClaimError, OrderError};
use crate::reply::Outcome;
use crate::stream::{Completion, StreamState, coupon_of, coupons_of};

type Claimed = Result<Coupon, ClaimError>;
type Ordered = Result<Vec<Coupon>, OrderError>;

/// Who waits for a call.
#[derive(Debug)]
pub(crate) enum Sink {
    One(oneshot::Sender<Outcome>),
    Claims { state: Arc<StreamState<Claimed>>, tag: u64, submitted: Instant },
    Orders { state: Arc<StreamState<Ordered>>, tag: u64, submitted: Instant },
}

/// Outcomes that are delivered together: one lock for each run of outcomes of the same stream.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    claims: Run<Claimed>,
    orders: Run<Ordered>,
}

/// Outcomes of one stream.
#[derive(Debug)]
struct Run<T> {
    stream: Option<Arc<StreamState<T>>>,
    batch: Vec<Completion<T>>,
}

impl<T> Default for Run<T> {
    fn default() -> Self {
        Self { stream: None, batch: Vec::new() }
    }
}

impl<T> Run<T> {
    fn push(&mut self, state: Arc<StreamState<T>>, tag: u64, result: T, latency: Duration) {
        if !self.stream.as_ref().is_some_and(|current| Arc::ptr_eq(current, &state)) {
            self.flush();
            self.stream = Some(state);
        }
        self.batch.push(Completion { tag, result, latency });
    }

    fn flush(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.complete(&mut self.batch);
        }
    }
}

impl Sink {
    /// Whether nobody waits any longer.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Claims { state, .. } => state.is_closed(),
            Self::Orders { state, .. } => state.is_closed(),
        }
    }
}

impl Deliveries {
    pub(crate) fn push(&mut self, sink: Sink, outcome: Outcome, now: Instant) {
        match sink {
            // The receiver may be gone: then nobody wants to know.
            Sink::One(sender) => drop(sender.send(outcome)),
            Sink::Claims { state, tag, submitted } => {
                self.claims.push(state, tag, coupon_of(outcome), now.saturating_duration_since(submitted));
            }
            Sink::Orders { state, tag, submitted } => {
                self.orders.push(state, tag, coupons_of(outcome), now.saturating_duration_since(submitted));
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        self.claims.flush();
        self.orders.flush();
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.flush();
    }
}
