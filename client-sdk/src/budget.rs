//! The retry budget: resends are earned by requests and by time, and can be saved up to a limit.

use std::time::Instant;

use parking_lot::Mutex;

use crate::config::RetryConfig;

/// One resend, in the unit that is counted.
const RESEND: u64 = 100;

/// A token bucket over all requests of a client. Without it, retries multiply an overload by the number of attempts.
#[derive(Debug)]
pub(crate) struct Budget {
    percent: u64,
    floor_per_s: u64,
    saved_max: u64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    saved: u64,
    floor_paid: Instant,
}

impl Budget {
    /// Starts full.
    pub(crate) fn new(config: &RetryConfig, now: Instant) -> Self {
        let saved_max = u64::from(config.budget_saved_max) * RESEND;
        Self {
            percent: config.budget_percent.into(),
            floor_per_s: config.budget_floor_per_s.into(),
            saved_max,
            bucket: Mutex::new(Bucket { saved: saved_max, floor_paid: now }),
        }
    }

    /// So many requests were sent for the first time.
    pub(crate) fn earn(&self, requests: usize) {
        let mut bucket = self.bucket.lock();
        bucket.saved = (bucket.saved + requests as u64 * self.percent).min(self.saved_max);
    }

    /// Whether one more resend is allowed; it is then paid for.
    pub(crate) fn spend(&self, now: Instant) -> bool {
        let mut bucket = self.bucket.lock();
        self.pay_floor(&mut bucket, now);
        let Some(rest) = bucket.saved.checked_sub(RESEND) else { return false };
        bucket.saved = rest;
        true
    }

    fn pay_floor(&self, bucket: &mut Bucket, now: Instant) {
        let elapsed_ms = now.saturating_duration_since(bucket.floor_paid).as_millis() as u64;
        let earned = elapsed_ms.saturating_mul(self.floor_per_s * RESEND) / 1000;
        if earned > 0 {
            bucket.saved = bucket.saved.saturating_add(earned).min(self.saved_max);
            bucket.floor_paid = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn budget(percent: u32, floor_per_s: u32, saved_max: u32) -> (Budget, Instant) {
        let now = Instant::now();
        let config = RetryConfig {
            budget_percent: percent,
            budget_floor_per_s: floor_per_s,
            budget_saved_max: saved_max,
            ..RetryConfig::default()
        };
        (Budget::new(&config, now), now)
    }

    fn spendable(budget: &Budget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.spend(now)).count()
    }

    #[test]
    fn starts_full_and_runs_dry() {
        let (budget, now) = budget(10, 0, 5);
        assert_eq!(spendable(&budget, now), 5);
        assert_eq!(spendable(&budget, now + Duration::from_secs(60)), 0);
    }

    #[test]
    fn ten_requests_earn_one_resend() {
        let (budget, now) = budget(10, 0, 5);
        spendable(&budget, now);
        budget.earn(9);
        assert_eq!(spendable(&budget, now), 0);
        budget.earn(1);
        assert_eq!(spendable(&budget, now), 1);
        budget.earn(1_000_000);
        assert_eq!(spendable(&budget, now), 5);
    }

    #[test]
    fn time_earns_the_floor_also_in_small_steps() {
        let (budget, start) = budget(0, 10, 100);
        spendable(&budget, start);
        let spent: usize = (1..=1000).map(|ms| spendable(&budget, start + Duration::from_millis(ms))).sum();
        assert_eq!(spent, 10);
    }
}
