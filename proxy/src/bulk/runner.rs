//! Takes slices of jobs and works on them: one task a slice, as long as it is held.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use super::gauges::{Done, Pending};
use super::slice::Slice;
use super::window::Window;
use crate::flow::Flow;
use crate::meter::Meter;
use crate::store::bulk::{BulkStore, SliceKey};
use crate::tasks::Tasks;

/// How often meta is asked for slices that nobody holds.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Slices of one look: more than this proxy can use may be held by others by then.
const LOOK_MAX: u32 = 256;
/// Slices taken after one look, so that other proxies get their share.
const TAKE_MAX: usize = 8;
/// Slices held at once. Bounds the tasks of a proxy, whatever the number of jobs.
const HELD_MAX: usize = 256;

/// What the tasks of all slices share.
#[derive(Debug)]
pub struct Runner<B> {
    pub(super) flow: Arc<Flow>,
    pub(super) store: B,
    /// Names this proxy, this run of it, in leases.
    pub(super) owner: u64,
    /// Claims of jobs in flight, by record lane.
    pub(super) windows: Vec<Window>,
    /// Counts the answers to claims of jobs: apart from those of callers, whose latency is looked at.
    pub(super) meter: Arc<Meter>,
    pub(super) done: Done,
    pub(super) pending: Pending,
    held: Mutex<HashSet<SliceKey>>,
    tasks: Tasks,
}

/// One slice in the hands of this proxy.
struct Held<B: BulkStore> {
    runner: Arc<Runner<B>>,
    key: SliceKey,
}

impl<B: BulkStore> Drop for Held<B> {
    fn drop(&mut self) {
        self.runner.held.lock().remove(&self.key);
    }
}

impl<B: BulkStore> Runner<B> {
    /// `owner`: any number that no other run of a proxy has.
    pub fn new(flow: Arc<Flow>, store: B, owner: u64, tasks: Tasks) -> Arc<Self> {
        let windows = flow.record.iter().map(|_| Window::default()).collect();
        let (meter, done, pending, held) = (Arc::default(), Done::default(), Pending::default(), Mutex::default());
        Arc::new(Self { flow, store, owner, windows, meter, done, pending, held, tasks })
    }

    /// Serves for ever.
    pub async fn run(self: Arc<Self>) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            match self.store.free_slices(self.flow.clock.now_ms(), LOOK_MAX).await {
                Ok(free) => self.take(free),
                Err(error) => tracing::debug!(%error, "meta not asked for bulk jobs"),
            }
        }
    }

    /// Not in the order of the list: proxies that look at once begin at different slices.
    fn take(self: &Arc<Self>, mut free: Vec<SliceKey>) {
        let start = self.flow.roll() as usize % free.len().max(1);
        free.rotate_left(start);
        for key in free.into_iter().take(TAKE_MAX) {
            let mut held = self.held.lock();
            if held.len() >= HELD_MAX || !held.insert(key) {
                continue;
            }
            drop(held);
            let held = Held { runner: Arc::clone(self), key };
            self.tasks.spawn(async move { Slice::new(&held.runner, held.key).run().await });
        }
    }

    /// Slices held.
    pub(super) fn held(&self) -> usize {
        self.held.lock().len()
    }
}
