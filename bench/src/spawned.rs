//! Load of requests that have no stream: a task each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use scrip_client::Failure;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Error;
use crate::arrival::Arrivals;
use crate::board::{Board, Target, Watched};
use crate::spec::{Load, LoadShare, WindowSpec};

/// The longest wait without a look at the board.
const TICK: Duration = Duration::from_millis(50);

/// One kind of request.
pub(crate) trait Requests: Send + Sync + 'static {
    /// Sends the request with this number. What a caller may have to live with is in the inner result; an error ends the
    /// measurement.
    fn ask(&self, number: u64) -> impl Future<Output = Result<Result<(), Failure>, Error>> + Send;
}

/// What the tasks of one phase share.
struct Phase<R> {
    requests: Arc<R>,
    board: Arc<Board>,
    next: AtomicU64,
}

/// Warm-up, measurement, and the end of all that is under way.
pub(crate) async fn phase<R: Requests>(
    requests: &Arc<R>,
    target: &Target<'_>,
    load: Load,
    window: &WindowSpec,
) -> Result<Watched, Error> {
    let board = Arc::new(Board::new());
    let phase = Arc::new(Phase { requests: Arc::clone(requests), board: Arc::clone(&board), next: AtomicU64::new(0) });
    let mut tasks = JoinSet::new();
    let arrivals = LoadShare { load, index: 0, count: 1, seed: window.seed }.arrivals();
    match arrivals {
        Some(arrivals) => _ = tasks.spawn(open(phase, arrivals, load.in_flight_max())),
        None => (0..load.in_flight_max()).for_each(|_| _ = tasks.spawn(closed(Arc::clone(&phase)))),
    }
    let watched = board.watch(target, window).await;
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    watched
}

async fn closed<R: Requests>(phase: Arc<Phase<R>>) -> Result<(), Error> {
    while !phase.board.is_stopped() {
        phase.ask(Duration::ZERO).await?;
    }
    Ok(())
}

async fn open<R: Requests>(phase: Arc<Phase<R>>, mut arrivals: Arrivals, in_flight_max: usize) -> Result<(), Error> {
    let places = Arc::new(Semaphore::new(in_flight_max.min(Semaphore::MAX_PERMITS)));
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    while !phase.board.is_stopped() {
        let Some(lag) = started.elapsed().checked_sub(arrivals.due()) else {
            sleep(arrivals.due().saturating_sub(started.elapsed()).min(TICK)).await;
            continue;
        };
        while let Some(task) = tasks.try_join_next() {
            task??;
        }
        // A request that waits for a place is late by as much: the lag is taken when it leaves.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        arrivals.advance();
        let phase = Arc::clone(&phase);
        tasks.spawn(async move {
            let answer = phase.ask(lag).await;
            drop(place);
            answer
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok::<(), Error>(())
}

impl<R: Requests> Phase<R> {
    async fn ask(&self, lag: Duration) -> Result<(), Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.board.sent(1);
        let sent = Instant::now();
        let answer = self.requests.ask(number).await?;
        let service = sent.elapsed();
        self.board.answered(1, |recorder, at| recorder.read(answer.as_ref().copied(), lag, service, at));
        Ok(())
    }
}
