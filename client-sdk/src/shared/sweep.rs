//! The sweep: one coarse clock for all deadlines, instead of a timer for each request.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Shared;
use crate::delivery::Deliveries;

/// How late a deadline may be noticed.
const TICK: Duration = Duration::from_millis(5);

/// Ticks while anything is under way and sleeps without a timer otherwise. Ends by being cancelled; it holds nothing at its awaits.
pub(crate) async fn run(shared: &Shared) {
    loop {
        shared.sweep.notified().await;
        while tick(shared) {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Whether to tick again. A call that is queued after the look but before the flag is down would find the flag up and wake nobody;
/// so look again once it is down.
fn tick(shared: &Shared) -> bool {
    if look(shared) {
        return true;
    }
    shared.sweeping.store(false, Ordering::SeqCst);
    std::sync::atomic::fence(Ordering::SeqCst);
    let busy = look(shared);
    if busy {
        shared.sweeping.store(true, Ordering::SeqCst);
    }
    busy
}

/// Ends what is past its deadline, sends what is due. Returns whether anything is left to watch.
fn look(shared: &Shared) -> bool {
    let (now, mut out) = (Instant::now(), Deliveries::default());
    let (mut queued, mut sent) = (Vec::new(), Vec::new());
    let mut busy = false;
    for link in shared.links() {
        busy |= link.sweep(now, shared.config.silence_max, &mut queued, &mut sent);
    }
    let found = shared.room.sweep(now, shared.links().iter().any(|link| link.is_ready()));
    for call in queued.into_iter().chain(found.expired) {
        shared.expired_unsent(call, now, &mut out);
    }
    for call in sent {
        shared.expired_sent(call, now, &mut out);
    }
    for call in found.sendable {
        shared.send(call, now);
    }
    busy | found.is_busy
}
