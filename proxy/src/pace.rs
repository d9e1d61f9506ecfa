//! How soon a lane makes its next call.
//!
//! A call costs its backend something by itself, whatever it carries: a transaction about 300 us of CPU, a coupon in it
//! about 6. A lane that is never idle makes calls as fast as they return, and near saturation that alone saturates:
//! calls take longer because there are so many of them. So a lane that has just made a call gives the next group a
//! moment to grow, in proportion to how long the call took, unless enough has queued already. A lane that was idle for
//! longer makes its call at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::queue::Queue;
use crate::watch::watch;

/// The pace of one lane.
#[derive(Debug)]
pub struct Pace {
    limits: PaceLimits,
    not_before: Option<Instant>,
}

/// How long a lane lets its next group grow.
#[derive(Debug, Clone, Copy)]
pub struct PaceLimits {
    /// So many times as long as the last call took.
    pub times: u32,
    /// At most so long.
    pub max: Duration,
    /// Not when so much has queued: more would save little.
    pub enough: usize,
}

impl Pace {
    /// The first call is made at once.
    pub fn new(limits: PaceLimits) -> Self {
        Self { limits, not_before: None }
    }

    /// A call that took so long has just ended.
    pub fn called(&mut self, took: Duration) {
        self.not_before = Some(Instant::now() + took.saturating_mul(self.limits.times).min(self.limits.max));
    }

    /// Until the next call may be made, or enough has queued. Cancelling loses nothing.
    pub async fn wait<T>(&self, queue: &Queue<T>, mut tick: impl FnMut()) {
        let Some(not_before) = self.not_before.filter(|at| Instant::now() < *at) else { return };
        let enough = queue.wait_for(self.limits.enough);
        let call = async {
            tokio::select! {
                biased;
                () = enough => {}
                () = tokio::time::sleep_until(not_before) => {}
            }
        };
        watch(call, |_| tick()).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LIMITS: PaceLimits = PaceLimits { times: 2, max: Duration::from_secs(60), enough: 3 };

    #[tokio::test]
    async fn the_first_call_and_one_after_a_rest_are_made_at_once() {
        let queue = Queue::<u8>::new(10);
        let mut pace = Pace::new(LIMITS);
        let at_once = Duration::from_secs(5);
        timeout(at_once, pace.wait(&queue, || {})).await.expect("the first");
        pace.called(Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(20)).await;
        timeout(at_once, pace.wait(&queue, || {})).await.expect("after a rest");
    }

    #[tokio::test]
    async fn the_next_call_waits_until_enough_has_queued() {
        let queue = Queue::new(10);
        let mut pace = Pace::new(LIMITS);
        pace.called(Duration::from_secs(30));
        queue.push(1).expect("room");
        queue.push(2).expect("room");
        timeout(Duration::from_millis(30), pace.wait(&queue, || {})).await.expect_err("it waits for a minute");
        let pushed = async {
            tokio::task::yield_now().await;
            queue.push(3).expect("room");
        };
        let waited = async { tokio::join!(pace.wait(&queue, || {}), pushed) };
        timeout(Duration::from_secs(5), waited).await.expect("three are enough");
    }

    #[tokio::test]
    async fn the_wait_is_bounded() {
        let mut pace = Pace::new(PaceLimits { max: Duration::from_millis(10), ..LIMITS });
        pace.called(Duration::from_secs(30));
        let mut ticks = 0;
        timeout(Duration::from_secs(5), pace.wait(&Queue::<u8>::new(10), || ticks += 1)).await.expect("bounded");
    }
}
