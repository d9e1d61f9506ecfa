//! The bounded queue in front of a lane.
//!
//! A lane takes all that has queued while its last call was in flight: batches form by themselves, without a timer.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Many producers, one lane that consumes.
#[derive(Debug)]
pub struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    wake: Notify,
    count_max: usize,
}

impl<T> Queue<T> {
    /// A queue of at most `count_max` items.
    pub fn new(count_max: usize) -> Self {
        Self { items: Mutex::new(VecDeque::new()), wake: Notify::new(), count_max }
    }

    /// # Errors
    /// Gives the item back when the queue is full.
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items.lock();
        if items.len() >= self.count_max {
            return Err(item);
        }
        let was_empty = items.is_empty();
        items.push_back(item);
        drop(items);
        if was_empty {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Wakes the lane though nothing was pushed.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }

    /// Waits until something was pushed or the lane was nudged. Cancelling loses nothing.
    pub async fn wait(&self) {
        if self.items.lock().is_empty() {
            self.wake.notified().await;
        }
    }

    /// Moves up to `count_max` items, oldest first, to the end of `group`.
    pub fn take(&self, count_max: usize, group: &mut Vec<T>) {
        let mut items = self.items.lock();
        let count = count_max.min(items.len());
        group.extend(items.drain(..count));
    }

    /// Takes out every item for which `gone` holds, wherever it stands.
    pub fn take_where(&self, mut gone: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut items = self.items.lock();
        if !items.iter().any(&mut gone) {
            return Vec::new();
        }
        let (out, kept): (Vec<T>, VecDeque<T>) = split(std::mem::take(&mut *items), gone);
        *items = kept;
        out
    }

    /// How many items wait.
    pub fn count(&self) -> usize {
        self.items.lock().len()
    }
}

fn split<T>(items: VecDeque<T>, mut gone: impl FnMut(&T) -> bool) -> (Vec<T>, VecDeque<T>) {
    let (mut out, mut kept) = (Vec::new(), VecDeque::with_capacity(items.len()));
    for item in items {
        if gone(&item) { out.push(item) } else { kept.push_back(item) }
    }
    (out, kept)
}
