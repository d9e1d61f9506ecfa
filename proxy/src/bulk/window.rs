//! How many claims of jobs may be in flight at a primary: what makes a job yield to live claims.
//!
//! What a live claim waits for is the claims ahead of it at its record lane. While those of callers wait long, a job adds
//! no more than a sixteenth of them: as rows of transactions that are made anyway, which is the cheapest way to make
//! progress, and not as transactions of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::load::Load;

/// Claims of jobs in flight at one record lane of this proxy.
const IN_FLIGHT_MAX: usize = 64;

/// Callers' claims that wait longer for their record than this are yielded to.
const LIVE_WAIT_MAX: Duration = Duration::from_millis(2);

/// One claim of a job for so many of callers.
const LIVE_PER_CLAIM: usize = 16;

/// The claims of jobs that are in flight at one record lane.
#[derive(Debug, Default)]
pub(super) struct Window(Arc<AtomicUsize>);

/// One of them, until it is answered.
#[derive(Debug)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Window {
    /// How many there are.
    pub(super) fn in_flight(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, if there is room.
    pub(super) fn enter(&self, load: &Load) -> Option<InFlight> {
        let own = self.in_flight();
        // Tasks of several jobs may enter at once and be a few more than that: it is no promise to anybody.
        (own < room(own, load)).then(|| {
            self.0.fetch_add(1, Ordering::Relaxed);
            InFlight(Arc::clone(&self.0))
        })
    }
}

fn room(own: usize, load: &Load) -> usize {
    let live = load.ahead().saturating_sub(own);
    if load.wait_behind(live) <= LIVE_WAIT_MAX {
        return IN_FLIGHT_MAX;
    }
    (live / LIVE_PER_CLAIM).clamp(1, IN_FLIGHT_MAX)
}

#[cfg(test)]
mod tests {
    use crate::load::OnItsWay;

    use super::*;

    fn entered(window: &Window, load: &Arc<Load>) -> Vec<(InFlight, OnItsWay)> {
        std::iter::from_fn(|| Some((window.enter(load)?, OnItsWay::to(load)))).collect()
    }

    #[test]
    fn there_is_room_while_callers_do_not_wait() {
        let (window, load) = (Window::default(), Arc::<Load>::default());
        let claims = entered(&window, &load);
        assert_eq!(claims.len(), IN_FLIGHT_MAX);
        (0..50).for_each(|_| load.served(200, Duration::from_millis(20)));
        drop(claims);
        assert_eq!(entered(&window, &load).len(), IN_FLIGHT_MAX, "its own claims are not what it yields to");
    }

    #[test]
    fn callers_that_wait_are_yielded_to() {
        let (window, load) = (Window::default(), Arc::<Load>::default());
        (0..50).for_each(|_| load.served(200, Duration::from_millis(20)));
        let mut live: Vec<_> = (0..320).map(|_| OnItsWay::to(&load)).collect();
        assert_eq!(entered(&window, &load).len(), 20, "a sixteenth");
        live.truncate(25);
        assert_eq!(entered(&window, &load).len(), 1, "and one at least: every job comes to its end");
        live.truncate(15);
        assert_eq!(entered(&window, &load).len(), IN_FLIGHT_MAX, "1.5 ms");
    }
}
