//! How long a claim that is admitted now would wait for its record: what admission needs to refuse at once what would
//! be late in the end, instead of letting it wait for that.
//!
//! A claim counts from admission to its end, wherever it is on its way: thousands may arrive before the first of them
//! reaches the lane. Only large groups tell what a claim costs; small ones, which pay for the call itself, tell that the
//! lane is not loaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Claims in a group that tells what a claim costs.
const LARGE: usize = 64;

/// The load of one record lane.
#[derive(Debug, Default)]
pub struct Load {
    ns_per_claim: AtomicU64,
    ahead: AtomicUsize,
}

/// A claim on its way to a lane, as long as it lives.
#[derive(Debug)]
pub struct OnItsWay(Arc<Load>);

impl OnItsWay {
    /// One claim more.
    pub fn to(load: &Arc<Load>) -> Self {
        load.ahead.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.ahead.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    /// The lane has served so many claims.
    pub fn served(&self, claims: usize, took: Duration) {
        let before = self.ns_per_claim.load(Ordering::Relaxed);
        let now = if claims < LARGE {
            before - before / 8
        } else {
            let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / claims as u64;
            (before / 4).saturating_mul(3).saturating_add(ns / 4)
        };
        self.ns_per_claim.store(now, Ordering::Relaxed);
    }

    /// The wait behind all claims on their way; zero while the lane is not loaded.
    pub fn wait(&self) -> Duration {
        self.wait_behind(self.ahead())
    }

    /// The wait behind so many claims.
    pub fn wait_behind(&self, claims: usize) -> Duration {
        Duration::from_nanos(self.ns_per_claim.load(Ordering::Relaxed).saturating_mul(claims as u64))
    }

    /// All claims on their way.
    pub fn ahead(&self) -> usize {
        self.ahead.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_their_way(load: &Arc<Load>, claims: usize) -> Vec<OnItsWay> {
        (0..claims).map(|_| OnItsWay::to(load)).collect()
    }

    #[test]
    fn the_wait_follows_from_what_claims_cost_in_large_groups() {
        let load = Arc::default();
        let mut ahead = on_their_way(&load, 1_000);
        assert_eq!(load.wait(), Duration::ZERO, "nothing is known");
        (0..50).for_each(|_| load.served(200, Duration::from_millis(20)));
        let wait = load.wait();
        assert!((95..=100).contains(&wait.as_millis()), "100 us a claim: {wait:?}");
        ahead.truncate(500);
        assert_eq!(load.wait() * 2, wait, "claims that ended are not ahead");
        drop(ahead);
        assert_eq!(load.wait(), Duration::ZERO);
    }

    #[test]
    fn small_groups_tell_that_there_is_no_load() {
        let load = Arc::default();
        let _ahead = on_their_way(&load, 1_000);
        (0..50).for_each(|_| load.served(1, Duration::from_secs(1)));
        assert_eq!(load.wait(), Duration::ZERO);
        load.served(100, Duration::from_secs(1));
        (0..300).for_each(|_| load.served(1, Duration::from_secs(1)));
        assert!(load.wait() < Duration::from_millis(1));
    }
}
