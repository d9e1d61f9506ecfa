//! Where outcomes go: to the future of one call, or to a stream of many.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::reply::Outcome;
use crate::stream::{Completion, StreamState, coupon_of};

/// Who waits for a call.
#[derive(Debug)]
pub(crate) enum Sink {
    One(oneshot::Sender<Outcome>),
    Stream { state: Arc<StreamState>, tag: u64, submitted: Instant },
}

/// Outcomes that are delivered together: one lock for each run of outcomes of the same stream.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    stream: Option<Arc<StreamState>>,
    batch: Vec<Completion>,
}

impl Sink {
    /// Whether nobody waits any longer.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Stream { state, .. } => state.is_closed(),
        }
    }
}

impl Deliveries {
    pub(crate) fn push(&mut self, sink: Sink, outcome: Outcome, now: Instant) {
        match sink {
            // The receiver may be gone: then nobody wants to know.
            Sink::One(sender) => drop(sender.send(outcome)),
            Sink::Stream { state, tag, submitted } => {
                let latency = now.saturating_duration_since(submitted);
                self.enter(state);
                self.batch.push(Completion { tag, result: coupon_of(outcome), latency });
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.complete(&mut self.batch);
        }
    }

    fn enter(&mut self, state: Arc<StreamState>) {
        if self.stream.as_ref().is_some_and(|current| Arc::ptr_eq(current, &state)) {
            return;
        }
        self.flush();
        self.stream = Some(state);
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.flush();
    }
}
