//! Randomness for choices that need no secrecy: which connection, how much jitter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::BackoffConfig;

/// A splitmix64 sequence that all threads draw from. The seed is a parameter, so that a test can repeat a run.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// 0 to `count - 1`; 0 when `count` is 0.
    pub(crate) fn below(&self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    /// The wait before the next try, after `failures` tries that failed (1 or more).
    pub(crate) fn backoff(&self, config: &BackoffConfig, failures: u32) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(20));
        self.jitter(config.min.saturating_mul(doubled).min(config.max))
    }

    /// Between half of the duration and all of it.
    pub(crate) fn jitter(&self, whole: Duration) -> Duration {
        let half = whole / 2;
        half + half.mul_f64((self.next() >> 11) as f64 / (1u64 << 53) as f64)
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_maximum_and_keeps_its_jitter() {
        let dice = Dice::new(1);
        let config = BackoffConfig { min: Duration::from_millis(10), max: Duration::from_millis(100) };
        for (failures, whole_ms) in [(1, 10), (2, 20), (3, 40), (4, 80), (5, 100), (40, 100)] {
            let whole = Duration::from_millis(whole_ms);
            for _ in 0..100 {
                let wait = dice.backoff(&config, failures);
                assert!(wait >= whole / 2 && wait <= whole, "{failures} failures: {wait:?}");
            }
        }
    }

    #[test]
    fn every_face_comes_up() {
        let dice = Dice::new(7);
        let mut seen = [0; 5];
        for _ in 0..5_000 {
            seen[dice.below(5)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 800), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }
}
