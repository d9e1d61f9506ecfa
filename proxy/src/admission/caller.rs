//! Who calls, and how much they may.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tokio::time::Instant;

use crate::config;

/// The services that may call.
#[derive(Clone, Debug)]
pub struct Callers(Arc<[Known]>);

#[derive(Debug)]
struct Known {
    name: [u8; 32],
    token: [u8; 32],
    caller: Arc<Caller>,
}

/// A service that proved its name.
#[derive(Debug)]
pub struct Caller {
    /// Its name, for logs.
    pub name: String,
    limit: Option<RateLimit>,
    /// Made-up exchange codes.
    guesses: RateLimit,
}

impl Callers {
    /// Those of the configuration, each with its full allowance at `start`.
    #[must_use]
    pub fn new(callers: &[config::Caller], start: Instant) -> Self {
        let known = |caller: &config::Caller| Known {
            name: Sha256::digest(&caller.name).into(),
            token: Sha256::digest(caller.token.expose()).into(),
            caller: Arc::new(Caller {
                name: caller.name.clone(),
                limit: caller.requests_per_s.map(|rate| RateLimit::new(rate as u64, start)),
                guesses: RateLimit::new(caller.wrong_codes_per_s as u64, start),
            }),
        };
        Self(callers.iter().map(known).collect())
    }

    /// The caller of this name, if the token is its own. An unknown name and a wrong token take the same steps and the
    /// same time: every caller is compared, by digests of one length, without an early end.
    #[must_use]
    pub fn authenticate(&self, name: &str, token: &str) -> Option<Arc<Caller>> {
        let (name, token): ([u8; 32], [u8; 32]) = (Sha256::digest(name).into(), Sha256::digest(token).into());
        let equal = |known: &Known| -> Choice { known.name.ct_eq(&name) & known.token.ct_eq(&token) };
        let mut found = None;
        for known in self.0.iter() {
            if bool::from(equal(known)) {
                found = Some(&known.caller);
            }
        }
        found.cloned()
    }
}

impl Caller {
    /// How many of `want` requests the caller may send now; the others are refused. All of them without a limit.
    #[must_use]
    pub fn take(&self, now: Instant, want: u32) -> u32 {
        self.limit.as_ref().map_or(want, |limit| limit.take(now, want))
    }

    /// Whether its exchange codes are looked at now.
    #[must_use]
    pub fn may_guess(&self, now: Instant) -> bool {
        self.guesses.left(now) > 0
    }

    /// It has sent a made-up exchange code.
    pub fn guessed(&self, now: Instant) {
        // Those that were looked at side by side may be more than were left.
        let _ = self.guesses.take(now, 1);
    }
}

/// A token bucket that holds one second's allowance. One atomic and no lock; kept here instead of a library's because
/// a group of requests takes what is left of it in one step, in part if need be, at a time that the caller gives.
pub struct RateLimit {
    start: Instant,
    /// Ticks that one request costs.
    cost: u64,
    /// The tick up to which the allowance is spent.
    spent: AtomicU64,
}

/// A 16th of a nanosecond: 10 million requests a second are 1600 ticks each, and 64 bits last 36 years.
const TICKS_PER_S: u64 = 16_000_000_000;

impl RateLimit {
    /// A full bucket of `rate` requests, refilled at `rate` a second; at least 1.
    #[must_use]
    pub fn new(rate: u64, start: Instant) -> Self {
        Self { start, cost: (TICKS_PER_S / rate.max(1)).max(1), spent: AtomicU64::new(0) }
    }

    /// Takes up to `want`; says how many. A `now` that lies behind another call's takes nothing more than is left.
    #[must_use]
    pub fn take(&self, now: Instant, want: u32) -> u32 {
        // The clock of the bucket starts one second in, when the bucket is full.
        let now = self.ticks(now).saturating_add(TICKS_PER_S);
        let mut spent = self.spent.load(Ordering::Relaxed);
        loop {
            let from = spent.max(now - TICKS_PER_S);
            let left = now.saturating_sub(from) / self.cost;
            let granted = left.min(u64::from(want));
            let after = from + granted * self.cost;
            match self.spent.compare_exchange_weak(spent, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return u32::try_from(granted).unwrap_or(want),
                Err(other) => spent = other,
            }
        }
    }

    /// How many could be taken.
    #[must_use]
    pub fn left(&self, now: Instant) -> u64 {
        let now = self.ticks(now).saturating_add(TICKS_PER_S);
        now.saturating_sub(self.spent.load(Ordering::Relaxed).max(now - TICKS_PER_S)) / self.cost
    }

    fn ticks(&self, now: Instant) -> u64 {
        let nanos = now.saturating_duration_since(self.start).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).saturating_mul(16)
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimit({}/s)", TICKS_PER_S / self.cost)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scrip_shard_config::Secret;

    use super::*;

    fn callers(start: Instant) -> Callers {
        let caller = |name: &str, token: &str, requests_per_s| config::Caller {
            name: name.to_owned(),
            token: Secret::new(token.to_owned()),
            requests_per_s,
            wrong_codes_per_s: 10,
        };
        Callers::new(&[caller("shop", "shop-token-123456", None), caller("app", "app-token-1234567", Some(2))], start)
    }

    #[test]
    fn name_and_token_have_to_belong_together() {
        let callers = callers(Instant::now());
        let name = |name, token| callers.authenticate(name, token).map(|caller| caller.name.clone());
        assert_eq!(name("shop", "shop-token-123456").as_deref(), Some("shop"));
        assert_eq!(name("app", "app-token-1234567").as_deref(), Some("app"));
        for (wrong_name, token) in
            [("shop", "app-token-1234567"), ("shop", ""), ("", "shop-token-123456"), ("sho", "pshop-token-123456")]
        {
            assert_eq!(name(wrong_name, token), None, "{wrong_name:?} {token:?}");
        }
        assert!(!format!("{callers:?}").contains("token-1"));
    }

    #[test]
    fn a_bucket_holds_one_second_and_refills_evenly() {
        let start = Instant::now();
        let limit = RateLimit::new(1000, start);
        let at = |ms, want| limit.take(start + Duration::from_millis(ms), want);
        assert_eq!(at(0, 600), 600);
        assert_eq!(at(0, 600), 400, "in part");
        assert_eq!(at(0, 1), 0);
        assert_eq!(at(10, 50), 10);
        assert_eq!(at(5, 50), 0, "an older now takes nothing");
        assert_eq!(at(60_000, 5000), 1000, "never more than one second's");
    }

    #[test]
    fn codes_are_not_looked_at_after_a_second_s_guesses() {
        let start = Instant::now();
        let shop = callers(start).authenticate("shop", "shop-token-123456").expect("known");
        for _ in 0..10 {
            assert!(shop.may_guess(start));
            shop.guessed(start);
        }
        assert!(!shop.may_guess(start));
        assert!(shop.may_guess(start + Duration::from_millis(100)), "one more after a tenth of a second");
    }

    #[test]
    fn callers_without_a_limit_take_all() {
        let start = Instant::now();
        let callers = callers(start);
        let shop = callers.authenticate("shop", "shop-token-123456").expect("known");
        let app = callers.authenticate("app", "app-token-1234567").expect("known");
        assert_eq!((shop.take(start, 1_000_000), app.take(start, 1_000_000)), (1_000_000, 2));
    }

    #[test]
    fn threads_share_the_bucket_exactly() {
        let start = Instant::now();
        let limit = RateLimit::new(100_000, start);
        let granted: u32 = std::thread::scope(|scope| {
            let take = || (0..50_000).map(|_| limit.take(start, 3)).sum::<u32>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(granted, 100_000);
    }
}
