//! Waiting for a store while the claims that wait with us keep their deadlines.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How often waiting claims are looked at: the most by which an answer at the deadline is late.
pub const TICK: Duration = Duration::from_millis(10);

/// Runs `call` to its end, calling `tick` every [`TICK`] with the time that it has taken so far.
pub async fn watch<T>(call: impl Future<Output = T>, mut tick: impl FnMut(Duration)) -> T {
    let mut call = pin!(call);
    let started = Instant::now();
    let mut next = started + TICK;
    loop {
        tokio::select! {
            biased;
            result = &mut call => return result,
            () = sleep_until(next) => {
                let now = Instant::now();
                tick(now - started);
                next = now + TICK;
            }
        }
    }
}

/// Sleeps, calling `tick` every [`TICK`].
pub async fn nap(duration: Duration, tick: impl FnMut(Duration)) {
    watch(tokio::time::sleep(duration), tick).await;
}
