//! When this client's writes were answered, so that what it reads from replicas shows them.
//!
//! A read asks for a bound that is shorter than the time since the last write of its user. The proxy starts to count when it
//! receives the request, later than this side, so time on the way makes the answer fresher and never staler.
//!
//! Memory is bounded: users share slots. Who shares one with a user that was just written reads fresher than needed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use scrip_protocol::UserId;
use scrip_protocol::limits::STALENESS_MAX_MS;

/// A power of two.
const SLOTS: usize = 1 << 16;
/// The two clocks that measure a bound may differ in rate, by a hundred parts in a million or so: it is shortened by a
/// thousandth.
const RATE: u32 = 1_000;

/// What a write changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Coupons of a user.
    User(UserId),
    /// Templates.
    Templates,
}

/// What a read may show.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reads {
    /// Coupons of a user.
    User(UserId),
    /// A coupon of whom the caller does not know.
    Anyone,
    /// Templates.
    Templates,
}

#[derive(Debug)]
pub(crate) struct Writes {
    start: Instant,
    /// Of users: milliseconds from the start to the last write, rounded up, and one more; 0: none.
    users: Box<[AtomicU64]>,
    /// The last of any user.
    anyone: AtomicU64,
    templates: AtomicU64,
}

impl Writes {
    pub(crate) fn new(start: Instant) -> Self {
        let users = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self { start, users, anyone: AtomicU64::new(0), templates: AtomicU64::new(0) }
    }

    /// A write was answered, or given up while it may still be applied.
    pub(crate) fn note(&self, written: Written, now: Instant) {
        let at = self.ms(now) + 2;
        match written {
            Written::User(user) => {
                self.users[slot(user)].fetch_max(at, Ordering::Relaxed);
                self.anyone.fetch_max(at, Ordering::Relaxed);
            }
            Written::Templates => _ = self.templates.fetch_max(at, Ordering::Relaxed),
        }
    }

    /// The staleness to ask for, in milliseconds: up to `max`, and shorter than the time since the last write.
    pub(crate) fn bound_ms(&self, reads: Reads, max: Duration, now: Instant) -> u32 {
        let last = match reads {
            Reads::User(user) => &self.users[slot(user)],
            Reads::Anyone => &self.anyone,
            Reads::Templates => &self.templates,
        };
        let max = u32::try_from(max.as_millis()).unwrap_or(u32::MAX).min(STALENESS_MAX_MS);
        match last.load(Ordering::Relaxed) {
            0 => max,
            at => {
                let since = u32::try_from((self.ms(now) + 1).saturating_sub(at)).unwrap_or(u32::MAX);
                max.min(since - since.div_ceil(RATE))
            }
        }
    }

    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX / 2)
    }
}

/// Fibonacci hashing: the upper bits of a product with 2^64 over the golden ratio.
fn slot(user: UserId) -> usize {
    (user.get().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_shorter_than_the_time_since_the_write() {
        let start = Instant::now();
        let writes = Writes::new(start);
        let (user, minute) = (UserId(7), Duration::from_secs(60));
        let at = |us| start + Duration::from_micros(us);
        let bound = |reads, us| writes.bound_ms(reads, minute, at(us));
        assert_eq!(bound(Reads::User(user), 5_000_000), 60_000, "nothing was written");
        writes.note(Written::User(user), at(10_000_500));
        for (us, expect) in [
            (10_000_500, 0),
            (10_001_499, 0),
            (10_002_500, 0),
            (10_003_500, 1),
            (10_101_500, 99),
            (12_001_500, 1_998),
            (500_000_000, 60_000),
        ] {
            assert_eq!(bound(Reads::User(user), us), expect, "{us}");
            assert_eq!(bound(Reads::Anyone, us), expect, "{us}");
            assert!(u64::from(expect) * 1_000 <= us - 10_000_500, "{us}");
        }
        assert_eq!(bound(Reads::Templates, 10_000_500), 60_000);
        writes.note(Written::Templates, at(20_000_000));
        assert_eq!(bound(Reads::Templates, 20_000_500), 0);
        let anybody = (0..100_000).filter(|user| bound(Reads::User(UserId(*user)), 10_001_000) == 0).count();
        assert!((1..10).contains(&anybody), "{anybody} share the slot");
    }

    #[test]
    fn no_bound_is_above_the_limit() {
        let start = Instant::now();
        let writes = Writes::new(start);
        assert!(writes.bound_ms(Reads::Anyone, Duration::MAX, start) <= STALENESS_MAX_MS);
        assert_eq!(writes.bound_ms(Reads::Anyone, Duration::ZERO, start), 0);
    }
}
