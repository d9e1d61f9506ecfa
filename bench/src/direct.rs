//! What the ways without a proxy share: tasks that claim until they are stopped, and the window over them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use scrip_shard_config::{PrimaryId, Topology};
use tokio::time::sleep;

use crate::Error;
use crate::arrival::mix;
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::screen::Screen;
use crate::spec::WindowSpec;
use crate::usage::{CpuTimes, Tiers};

const TICK: Duration = Duration::from_millis(100);

/// What tasks report to.
pub(crate) struct Board {
    stopped: AtomicBool,
    state: Mutex<State>,
}

struct State {
    measured_since: Option<Instant>,
    recorder: Recorder,
    transactions: u64,
    done: u64,
}

/// What was measured.
pub(crate) struct Watched {
    pub(crate) recorder: Recorder,
    pub(crate) transactions: u64,
    pub(crate) window: Duration,
    pub(crate) cpu: CpuTimes,
}

impl Board {
    pub(crate) fn new() -> Self {
        let state = State { measured_since: None, recorder: Recorder::new(), transactions: 0, done: 0 };
        Self { stopped: AtomicBool::new(false), state: Mutex::new(state) }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// A transaction with so many coupons was committed.
    pub(crate) fn committed(&self, coupons: u64, took: Duration) {
        let mut state = self.state.lock();
        state.done += coupons;
        let Some(since) = state.measured_since else { return };
        state.transactions += 1;
        state.recorder.coupons += coupons;
        state.recorder.time(Duration::ZERO, took);
        state.recorder.seconds(since.elapsed(), coupons);
    }

    /// Warm-up and window; then the tasks are told to stop.
    pub(crate) async fn watch(&self, tiers: &Tiers, window: &WindowSpec, screen: Screen) -> Result<Watched, Error> {
        let mut progress = Progress::new(screen, window.warm_up + window.duration);
        let started = Instant::now();
        self.wait(started + window.warm_up, &mut progress, "warm-up", started).await;
        let (first, first_cpu) = (Instant::now(), tiers.read()?);
        self.state.lock().measured_since = Some(first);
        self.wait(first + window.duration, &mut progress, "measured", started).await;
        let (last, last_cpu) = (Instant::now(), tiers.read()?);
        self.stopped.store(true, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.measured_since = None;
        Ok(Watched {
            recorder: std::mem::replace(&mut state.recorder, Recorder::new()),
            transactions: state.transactions,
            window: last - first,
            cpu: last_cpu - first_cpu,
        })
    }

    async fn wait(&self, until: Instant, progress: &mut Progress, phase: &str, started: Instant) {
        while Instant::now() < until {
            sleep(TICK.min(until.saturating_duration_since(Instant::now()))).await;
            let done = self.state.lock().done;
            progress.show(phase, started.elapsed(), done, 0);
        }
    }
}

/// Stops the tasks also when the bench is given up.
pub(crate) struct StopOnDrop<'a>(pub(crate) &'a Board);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// Users of one primary.
#[derive(Debug, Clone)]
pub(crate) struct UsersOf {
    tails: Vec<u64>,
}

impl UsersOf {
    pub(crate) fn new(topology: &Topology, primary: PrimaryId) -> Self {
        let tails = topology.tails().filter(|(_, id)| *id == primary).map(|(tail, _)| u64::from(tail.get()));
        Self { tails: tails.collect() }
    }

    /// Another user for each number below 2^27, in no order: multiplying by an odd number permutes.
    pub(crate) fn user(&self, number: u64) -> u64 {
        let tail = self.tails[(mix(1, number) % self.tails.len() as u64) as usize];
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (1 << 27) + 1) * 10_000 + tail
    }
}
