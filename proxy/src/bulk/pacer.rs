//! The rate of one slice: its share of the job's.

use std::time::Duration;

use tokio::time::Instant;

/// What a slice that was held up for a moment may make good at once.
const BURST: Duration = Duration::from_millis(50);

/// Lets one through per gap, without saving up.
#[derive(Debug)]
pub(super) struct Pacer {
    next: Instant,
}

impl Pacer {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// May one more go now?
    pub(super) fn take(&mut self, now: Instant, gap: Duration) -> bool {
        if gap.is_zero() {
            return true;
        }
        self.next = self.next.max(now.checked_sub(BURST).unwrap_or(now));
        let goes = self.next <= now;
        if goes {
            self.next += gap;
        }
        goes
    }
}

/// The time between two users of a slice, when so many slices share a rate. 0: no limit. Shares only grow while a job
/// runs, because slices only come to their end; a holder that has not heard of that yet is the slower one.
pub(super) fn gap(rate_per_s: u32, open_slices: u32) -> Duration {
    match rate_per_s {
        0 => Duration::ZERO,
        rate => Duration::from_secs(u64::from(open_slices.max(1))) / rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_per_gap_and_little_is_made_good() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let gap = Duration::from_millis(10);
        let mut pacer = Pacer::new(start);
        let mut taken = |ms| (0..100).take_while(|_| pacer.take(at(ms), gap)).count();
        assert_eq!([taken(0), taken(5), taken(10), taken(20)], [1, 0, 1, 1]);
        assert_eq!(taken(10_000), 6, "no more than a burst after ten seconds of silence");
        let mut free = Pacer::new(start);
        assert!((0..1_000).all(|_| free.take(start, Duration::ZERO)));
    }

    #[test]
    fn shares() {
        let check = |rate, slices, expect_us| assert_eq!(gap(rate, slices), Duration::from_micros(expect_us));
        check(0, 30, 0);
        check(1_000, 1, 1_000);
        check(1_000, 30, 30_000);
        check(1, 30, 30_000_000);
        check(1_000, 0, 1_000);
    }
}
