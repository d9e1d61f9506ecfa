//! Where tasks that make load report to, and the window over them: warm-up, measurement, end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use scrip_chaos::testbed::ProxyProcess;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Error;
use crate::counts::Counts;
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::screen::Screen;
use crate::spec::WindowSpec;
use crate::usage::{CpuTimes, Tiers};

const TICK: Duration = Duration::from_millis(50);

/// What tasks report to.
pub(crate) struct Board {
    stopped: AtomicBool,
    sent: AtomicU64,
    state: Mutex<State>,
}

struct State {
    measured_since: Option<Instant>,
    recorder: Recorder,
    transactions: u64,
    done: u64,
}

/// What is watched beside the tasks.
pub(crate) struct Target<'a> {
    pub(crate) proxies: &'a [ProxyProcess],
    pub(crate) tiers: &'a Tiers,
    pub(crate) screen: Screen,
}

/// What was measured.
pub(crate) struct Watched {
    pub(crate) recorder: Recorder,
    /// Transactions that tasks reported.
    pub(crate) transactions: u64,
    pub(crate) window: Duration,
    pub(crate) cpu: CpuTimes,
    /// What the proxies counted over the window.
    pub(crate) counts: Counts,
}

/// Everything counted at one moment.
struct Mark {
    at: Instant,
    cpu: CpuTimes,
    counts: JoinHandle<Result<Counts, Error>>,
}

impl Mark {
    fn take(target: &Target<'_>) -> Result<Self, Error> {
        let proxies = target.proxies.to_vec();
        let counts = tokio::spawn(async move { Counts::read(&proxies).await });
        Ok(Self { at: Instant::now(), cpu: target.tiers.read()?, counts })
    }
}

impl Board {
    pub(crate) fn new() -> Self {
        let state = State { measured_since: None, recorder: Recorder::new(), transactions: 0, done: 0 };
        Self { stopped: AtomicBool::new(false), sent: AtomicU64::new(0), state: Mutex::new(state) }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn sent(&self, count: usize) {
        self.sent.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Answers came. Within the window `record` is called, with the time since it began.
    pub(crate) fn answered(&self, count: usize, record: impl FnOnce(&mut Recorder, Duration)) {
        let mut state = self.state.lock();
        state.done += count as u64;
        if let Some(since) = state.measured_since {
            record(&mut state.recorder, since.elapsed());
        }
    }

    /// A transaction with so many coupons was committed.
    pub(crate) fn committed(&self, coupons: u64, took: Duration) {
        let mut state = self.state.lock();
        state.done += coupons;
        let Some(since) = state.measured_since else { return };
        state.transactions += 1;
        state.recorder.committed(coupons, took, since.elapsed());
    }

    /// Warm-up and window; then the tasks are told to stop.
    pub(crate) async fn watch(&self, target: &Target<'_>, window: &WindowSpec) -> Result<Watched, Error> {
        let stop = StopOnDrop(self);
        let mut progress = Progress::new(target.screen, window.warm_up + window.duration);
        let started = Instant::now();
        self.wait(started + window.warm_up, &mut progress, "warm-up", started).await;
        let first = Mark::take(target)?;
        self.state.lock().measured_since = Some(first.at);
        self.wait(first.at + window.duration, &mut progress, "measured", started).await;
        let last = Mark::take(target)?;
        drop(stop);
        let (recorder, transactions) = self.close();
        Ok(Watched {
            recorder,
            transactions,
            window: last.at - first.at,
            cpu: last.cpu - first.cpu,
            counts: last.counts.await?? - first.counts.await??,
        })
    }

    fn close(&self) -> (Recorder, u64) {
        let mut state = self.state.lock();
        state.measured_since = None;
        let mut recorder = std::mem::replace(&mut state.recorder, Recorder::new());
        recorder.close();
        (recorder, state.transactions)
    }

    async fn wait(&self, until: Instant, progress: &mut Progress, phase: &str, started: Instant) {
        while Instant::now() < until {
            sleep(TICK.min(until.saturating_duration_since(Instant::now()))).await;
            let done = self.state.lock().done;
            let in_flight = self.sent.load(Ordering::Relaxed).saturating_sub(done);
            progress.show(phase, started.elapsed(), done, in_flight);
        }
    }
}

/// Stops the tasks also when the bench is given up.
struct StopOnDrop<'a>(&'a Board);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}
