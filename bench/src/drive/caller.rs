//! One client's part of the load.

use std::iter::from_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scrip_client::{ClaimStream, Completion};

use super::take;
use crate::arrival::Arrivals;
use crate::board::Board;
use crate::book::Book;
use crate::spec::LoadShare;
use crate::workload::{Send, Workload};

/// The longest wait without a look at the clock.
const TICK: Duration = Duration::from_millis(50);
/// Claims in flight while stores are filled: few enough that none is refused.
const FILL_IN_FLIGHT: usize = 2_000;
/// How long unknown outcomes are asked for.
const FOLLOW_UP_MAX: Duration = Duration::from_secs(30);

/// One client. Its sends are numbered `index`, `index + stride`, and so on.
pub(super) struct Caller {
    stream: ClaimStream,
    workload: Arc<Workload>,
    index: u64,
    stride: u64,
    sent: u64,
    lags: Lags,
    book: Book,
    batch: Vec<Completion>,
}

/// In an open loop: from due to submitted, by the number of the send among this caller's.
#[derive(Default)]
struct Lags {
    first: u64,
    us: Vec<u32>,
}

impl Lags {
    fn of(&self, send: u64) -> Duration {
        let index = send.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        Duration::from_micros(index.and_then(|index| self.us.get(index)).copied().unwrap_or(0).into())
    }
}

impl Caller {
    pub(super) fn new(stream: ClaimStream, workload: Arc<Workload>, index: u64, stride: u64) -> Self {
        let (lags, book, batch) = (Lags::default(), Book::default(), Vec::new());
        Self { stream, workload, index, stride, sent: 0, lags, book, batch }
    }

    pub(super) fn keep_coupons(&mut self) {
        self.book.keeps_coupons = true;
    }

    /// Claims until the board says stop, then waits for all answers.
    pub(super) async fn claim(mut self, share: LoadShare, board: Arc<Board>) -> Self {
        let mut arrivals = share.arrivals();
        self.lags = Lags { first: self.sent, us: Vec::new() };
        let started = Instant::now();
        while !board.is_stopped() {
            board.sent(self.submit(started.elapsed(), arrivals.as_mut(), u64::MAX));
            let due = arrivals.as_ref().filter(|_| self.stream.room() > 0).map(Arrivals::due);
            let wait = due.map_or(TICK, |due| due.saturating_sub(started.elapsed()).min(TICK));
            take(&self.stream, &mut self.batch, wait).await;
            self.note(Some(&board));
        }
        self.drain().await;
        self
    }

    /// Sends so many claims, never many at once, and waits for their answers.
    pub(super) async fn fill(mut self, claims: u64) -> Self {
        let end = self.sent + claims;
        while self.sent < end {
            let room = FILL_IN_FLIGHT.saturating_sub(self.stream.outstanding()) as u64;
            self.submit(Duration::ZERO, None, end.min(self.sent + room));
            take(&self.stream, &mut self.batch, TICK).await;
            self.note(None);
        }
        self.drain().await;
        self
    }

    /// Asks again for every outcome that is not known; tells what is known, and how many claims were sent.
    pub(super) async fn finish(mut self) -> (Book, u64) {
        self.resolve().await;
        (self.book, self.sent)
    }

    fn submit(&mut self, elapsed: Duration, mut arrivals: Option<&mut Arrivals>, end: u64) -> usize {
        let Self { workload, sent, lags, index, stride, .. } = self;
        let mut claims = from_fn(|| {
            if *sent >= end {
                return None;
            }
            if let Some(arrivals) = &mut arrivals {
                let lag = elapsed.checked_sub(arrivals.due())?;
                lags.us.push(u32::try_from(lag.as_micros()).unwrap_or(u32::MAX));
                arrivals.advance();
            }
            let (tag, number) = (*sent, *index + *sent * *stride);
            *sent += 1;
            Some((tag, workload.claim(&workload.send(number))))
        });
        self.stream.submit(&mut claims)
    }

    fn note(&mut self, board: Option<&Board>) {
        for completion in &self.batch {
            let number = self.index + completion.tag * self.stride;
            self.book.note(self.workload.send(number).request, &completion.result);
        }
        if let Some(board) = board.filter(|_| !self.batch.is_empty()) {
            board.answered(self.batch.len(), |recorder, at| {
                self.batch.iter().for_each(|done| recorder.record(done, self.lags.of(done.tag), at));
            });
        }
    }

    async fn drain(&mut self) {
        while self.stream.outstanding() > 0 {
            take(&self.stream, &mut self.batch, TICK).await;
            self.note(None);
        }
    }

    /// Under the same request id, until it is known.
    async fn resolve(&mut self) {
        let until = Instant::now() + FOLLOW_UP_MAX;
        while !self.book.unknown.is_empty() && Instant::now() < until {
            let requests = std::mem::take(&mut self.book.unknown);
            let workload = Arc::clone(&self.workload);
            let again = |number: u64| (number, workload.claim(&Send { first_try: false, ..workload.send(number) }));
            let mut claims = requests.into_iter().map(again);
            while claims.len() > 0 || self.stream.outstanding() > 0 {
                self.stream.submit(&mut claims);
                take(&self.stream, &mut self.batch, TICK).await;
                // The tag is the request itself here.
                self.batch.iter().for_each(|done| self.book.note(done.tag, &done.result));
            }
        }
    }
}
