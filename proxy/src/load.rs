//! How long a claim that joins a queue now would wait for its call: what admission needs to refuse at once what would be
//! late in the end, instead of letting it wait for that.
//!
//! Only large groups tell what a claim costs; small ones, which pay for the call itself, tell that the lane is not loaded.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Claims in a group that tells what a claim costs.
const LARGE: usize = 64;

/// The load of one lane.
#[derive(Debug, Default)]
pub struct Load {
    ns_per_claim: AtomicU64,
    in_call: AtomicUsize,
}

impl Load {
    /// The lane begins to serve a group.
    pub fn begins(&self, claims: usize) {
        self.in_call.store(claims, Ordering::Relaxed);
    }

    /// The lane has served it.
    pub fn served(&self, took: Duration) {
        let claims = self.in_call.swap(0, Ordering::Relaxed);
        let before = self.ns_per_claim.load(Ordering::Relaxed);
        let now = if claims < LARGE {
            before - before / 8
        } else {
            let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / claims as u64;
            (before / 4).saturating_mul(3).saturating_add(ns / 4)
        };
        self.ns_per_claim.store(now, Ordering::Relaxed);
    }

    /// The wait behind so many claims in the queue; zero while the lane is not loaded.
    pub fn wait(&self, queued: usize) -> Duration {
        let ahead = queued + self.in_call.load(Ordering::Relaxed);
        Duration::from_nanos(self.ns_per_claim.load(Ordering::Relaxed).saturating_mul(ahead as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(load: &Load, claims: usize, took: Duration) {
        load.begins(claims);
        load.served(took);
    }

    #[test]
    fn the_wait_follows_from_what_claims_cost_in_large_groups() {
        let load = Load::default();
        assert_eq!(load.wait(100_000), Duration::ZERO, "nothing is known");
        (0..50).for_each(|_| serve(&load, 200, Duration::from_millis(20)));
        let wait = load.wait(1_000);
        assert!((95..=100).contains(&wait.as_millis()), "100 us a claim: {wait:?}");
        load.begins(1_000);
        assert_eq!(load.wait(0), wait, "the group in the call counts");
    }

    #[test]
    fn small_groups_tell_that_there_is_no_load() {
        let load = Load::default();
        (0..50).for_each(|_| serve(&load, 1, Duration::from_secs(1)));
        assert_eq!(load.wait(1_000), Duration::ZERO);
        serve(&load, 100, Duration::from_secs(1));
        (0..300).for_each(|_| serve(&load, 1, Duration::from_secs(1)));
        assert!(load.wait(1_000) < Duration::from_millis(1));
    }
}
