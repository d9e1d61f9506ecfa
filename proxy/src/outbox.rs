//! The answers of one connection, and the ticket that owes one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use parking_lot::Mutex;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{Code, Response};
use scrip_protocol::{check, frame};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::meter::Meter;

/// Encoded answers waiting for the connection to write them.
#[derive(Debug)]
pub struct Outbox {
    state: Mutex<State>,
    wake: Notify,
    meter: Arc<Meter>,
    in_flight: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct State {
    buffer: BytesMut,
    in_flight: usize,
    closed: bool,
}

impl Outbox {
    /// `in_flight` counts the requests of all connections.
    pub fn new(meter: Arc<Meter>, in_flight: Arc<AtomicUsize>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), wake: Notify::new(), meter, in_flight })
    }

    /// A ticket for a request that was just read.
    pub fn ticket(self: &Arc<Self>, id: u64, received: Instant) -> Ticket {
        self.state.lock().in_flight += 1;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ticket { outbox: Some(Arc::clone(self)), id, received }
    }

    /// Sends a notice that answers no request.
    pub fn notice(&self, code: Code, detail: String, result: Option<Answer>) {
        let detail = check::clip(detail);
        self.put(&Response { code: code.into(), detail, result, ..Response::default() }, 0);
    }

    /// Waits for answers to write. Cancelling loses nothing.
    pub async fn filled(&self) {
        if self.state.lock().buffer.is_empty() {
            self.wake.notified().await;
        }
    }

    /// Takes what there is to write.
    pub fn take(&self) -> BytesMut {
        std::mem::take(&mut self.state.lock().buffer)
    }

    /// Requests of this connection that are not answered yet.
    pub fn in_flight(&self) -> usize {
        self.state.lock().in_flight
    }

    /// Bytes that wait to be written.
    pub fn buffered(&self) -> usize {
        self.state.lock().buffer.len()
    }

    /// The connection is gone: answers from now on are dropped.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.buffer = BytesMut::new();
    }

    fn put(&self, response: &Response, answered: usize) {
        let mut state = self.state.lock();
        state.in_flight -= answered;
        if state.closed {
            return;
        }
        let was_empty = state.buffer.is_empty();
        frame::put(response, &mut state.buffer);
        drop(state);
        if was_empty {
            self.wake.notify_one();
        }
    }
}

/// An answer, and how stale it may be.
#[derive(Debug)]
pub struct Reply {
    /// What was asked for.
    pub answer: Answer,
    /// It holds everything that was acknowledged until so many milliseconds ago; 0: it is the primary's.
    pub staleness_ms: u32,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, staleness_ms: 0 }
    }
}

/// One answer owed. Dropping a ticket answers *unknown*: nothing is ever left without an answer.
#[derive(Debug)]
pub struct Ticket {
    outbox: Option<Arc<Outbox>>,
    id: u64,
    received: Instant,
}

impl Ticket {
    /// When the request was read.
    pub fn received(&self) -> Instant {
        self.received
    }

    /// Answers with a result.
    pub fn answer(mut self, result: impl Into<Reply>) {
        let Reply { answer, staleness_ms } = result.into();
        self.send(Code::Ok, Response { result: Some(answer), staleness_ms, ..Response::default() });
    }

    /// Answers with a code other than OK. `retry_after_ms` 0: no advice.
    pub fn refuse(mut self, code: Code, detail: String, retry_after_ms: u32) {
        self.send(code, Response { detail: check::clip(detail), retry_after_ms, ..Response::default() });
    }

    /// Answers with a code other than OK, and what it is about.
    pub fn refuse_about(mut self, code: Code, detail: String, retry_after_ms: u32, about: Answer) {
        let (detail, result) = (check::clip(detail), Some(about));
        self.send(code, Response { detail, retry_after_ms, result, ..Response::default() });
    }

    fn send(&mut self, code: Code, response: Response) {
        let Some(outbox) = self.outbox.take() else { return };
        outbox.meter.answered(code, self.received);
        outbox.in_flight.fetch_sub(1, Ordering::Relaxed);
        outbox.put(&Response { id: self.id, code: code.into(), ..response }, 1);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let detail = "the proxy gave the request up; ask again with the same request id";
        self.send(Code::OutcomeUnknown, Response { detail: detail.to_owned(), ..Response::default() });
    }
}
