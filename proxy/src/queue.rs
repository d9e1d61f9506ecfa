//! The bounded queue in front of a lane.
//!
//! A lane takes all that has queued while its last call was in flight, and for a moment after it: see `pace`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Many producers, one lane that consumes.
#[derive(Debug)]
pub struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    wake: Notify,
    count_max: usize,
    /// The lane waits for so many items.
    waits_for: AtomicUsize,
}

impl<T> Queue<T> {
    /// A queue of at most `count_max` items.
    pub fn new(count_max: usize) -> Self {
        Self { items: Mutex::new(VecDeque::new()), wake: Notify::new(), count_max, waits_for: AtomicUsize::new(1) }
    }

    /// # Errors
    /// Gives the item back when the queue is full.
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items.lock();
        if items.len() >= self.count_max {
            return Err(item);
        }
        items.push_back(item);
        let count = items.len();
        drop(items);
        if count == self.waits_for.load(Ordering::Relaxed) {
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
        self.waits_for.store(1, Ordering::Relaxed);
        if self.items.lock().is_empty() {
            self.wake.notified().await;
        }
    }

    /// Waits until so many items are in the queue. Swallows nudges, so the lane looks after their reason when it goes on.
    pub async fn wait_for(&self, count: usize) {
        self.waits_for.store(count, Ordering::Relaxed);
        while self.count() < count {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let queue = Queue::new(2);
        assert_eq!([queue.push(1), queue.push(2), queue.push(3)], [Ok(()), Ok(()), Err(3)]);
        let mut group = Vec::new();
        queue.take(1, &mut group);
        assert_eq!((group, queue.push(4)), (vec![1], Ok(())));
    }

    #[test]
    fn take_where_keeps_the_order_of_the_others() {
        let queue = Queue::new(10);
        (0..6).for_each(|item| queue.push(item).expect("room"));
        assert_eq!(queue.take_where(|item| item % 2 == 1), [1, 3, 5]);
        let mut rest = Vec::new();
        queue.take(usize::MAX, &mut rest);
        assert_eq!(rest, [0, 2, 4]);
    }

    #[tokio::test]
    async fn a_lane_can_wait_for_more() {
        let queue = std::sync::Arc::new(Queue::new(10));
        queue.push(1).expect("room");
        let waiting = tokio::spawn({
            let queue = std::sync::Arc::clone(&queue);
            async move { queue.wait_for(3).await }
        });
        for item in 2..=3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(!waiting.is_finished());
            queue.nudge();
            queue.push(item).expect("room");
        }
        timeout(Duration::from_secs(5), waiting).await.expect("woken").expect("no panic");
        queue.take(usize::MAX, &mut Vec::new());
        queue.push(4).expect("room");
        timeout(Duration::from_secs(5), queue.wait()).await.expect("one is enough again");
    }

    #[tokio::test]
    async fn a_lane_wakes_for_what_was_pushed_while_it_was_busy() {
        let queue = Queue::new(10);
        queue.push(1).expect("room");
        queue.wait().await;
        queue.take(usize::MAX, &mut Vec::new());
        queue.push(2).expect("room");
        timeout(Duration::from_secs(5), queue.wait()).await.expect("woken");
    }
}
