//! The load, through the SDK's `ClaimStream`s: one task a client, no task for each claim.

mod caller;

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Client, Completion, RequestStream, Streamed};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::caller::Caller;
use crate::Error;
use crate::board::{Board, Target, Watched};
use crate::book::Book;
use crate::spec::{Load, LoadShare, WindowSpec};
use crate::workload::Workload;

/// Everybody who claims. Between two phases nothing is in flight.
pub(crate) struct Driver {
    callers: Vec<Caller>,
}

impl Driver {
    /// Sends are numbered over all phases, so that no two callers and no two phases share one.
    pub(crate) fn new(clients: &[Client], workload: &Arc<Workload>, in_flight_max: usize) -> Self {
        let count = clients.len();
        let in_flight = in_flight_max.div_ceil(count.max(1));
        let caller = |(index, client): (usize, &Client)| {
            Caller::new(client.claim_stream(in_flight), Arc::clone(workload), index as u64, count as u64)
        };
        Self { callers: clients.iter().enumerate().map(caller).collect() }
    }

    /// Warm-up, measurement, and the end of all that is under way.
    pub(crate) async fn phase(
        &mut self,
        target: &Target<'_>,
        load: Load,
        window: &WindowSpec,
    ) -> Result<Watched, Error> {
        let board = Arc::new(Board::new());
        let mut tasks = JoinSet::new();
        let count = self.callers.len();
        for (index, caller) in self.callers.drain(..).enumerate() {
            let share = LoadShare { load, index, count, seed: window.seed };
            tasks.spawn(caller.claim(share, Arc::clone(&board)));
        }
        let watched = board.watch(target, window).await;
        self.callers = tasks.join_all().await;
        watched
    }

    /// Sends at least so many claims over all callers, and waits for their answers.
    pub(crate) async fn fill(&mut self, claims: u64) {
        let mut tasks = JoinSet::new();
        let each = claims.div_ceil(self.callers.len().max(1) as u64);
        self.callers.drain(..).for_each(|caller| _ = tasks.spawn(caller.fill(each)));
        self.callers = tasks.join_all().await;
    }

    /// From now on the book keeps the ids of the coupons.
    pub(crate) fn keep_coupons(&mut self) {
        self.callers.iter_mut().for_each(Caller::keep_coupons);
    }

    /// Asks for what is unknown. Tells what callers know, and how many claims were sent.
    pub(crate) async fn finish(self) -> (Book, u64) {
        let (mut book, mut sent) = (Book::default(), 0);
        for caller in self.callers {
            let (own, count) = caller.finish().await;
            book.merge(own);
            sent += count;
        }
        (book, sent)
    }
}

/// What has completed, after a wait of at most `limit`.
pub(crate) async fn take<R: Streamed>(
    stream: &RequestStream<R>,
    batch: &mut Vec<Completion<R::Result>>,
    limit: Duration,
) {
    if stream.outstanding() == 0 {
        tokio::time::sleep(limit).await;
        batch.clear();
    // Nothing is lost by giving up: answers stay until they are taken.
    } else if timeout(limit, stream.completed(batch)).await.is_err() {
        batch.clear();
    }
}
