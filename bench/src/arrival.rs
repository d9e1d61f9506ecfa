//! When claims are due in an open loop. It follows from rate and seed alone.

use std::time::Duration;

/// A lower rate would put the next claim beyond what a clock can tell.
const RATE_MIN_PER_S: f64 = 1e-3;

/// How claims arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// At equal distances.
    Constant,
    /// Independently of each other: distances are exponential.
    Poisson,
}

/// The times at which claims are due, counted from the start, ascending and without end.
#[derive(Debug, Clone)]
pub struct Arrivals {
    rate_per_s: f64,
    spacing: Spacing,
    seed: u64,
    index: u64,
    due_s: f64,
    offset_s: f64,
}

impl Arrivals {
    /// Arrivals at this mean rate. The first one is due one distance after the start.
    #[must_use]
    pub fn new(rate_per_s: f64, spacing: Spacing, seed: u64) -> Self {
        let rate_per_s = rate_per_s.max(RATE_MIN_PER_S);
        let mut arrivals = Self { rate_per_s, spacing, seed, index: 0, due_s: 0.0, offset_s: 0.0 };
        arrivals.advance();
        arrivals
    }

    /// The same, all of them so much later.
    #[must_use]
    pub fn after(mut self, offset_s: f64) -> Self {
        self.offset_s = offset_s;
        self
    }

    /// When the next claim is due.
    #[must_use]
    pub fn due(&self) -> Duration {
        Duration::from_secs_f64(self.due_s + self.offset_s)
    }

    /// Goes on to the claim after it.
    pub fn advance(&mut self) {
        self.index += 1;
        match self.spacing {
            // By multiplication: a sum would drift.
            Spacing::Constant => self.due_s = self.index as f64 / self.rate_per_s,
            Spacing::Poisson => self.due_s -= uniform(self.seed, self.index).ln() / self.rate_per_s,
        }
    }
}

/// In (0, 1].
fn uniform(seed: u64, index: u64) -> f64 {
    ((mix(seed, index) >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// SplitMix64: a number that looks random and is a function of its two arguments.
pub(crate) fn mix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(spacing: Spacing, seed: u64, count: usize) -> Vec<Duration> {
        let mut arrivals = Arrivals::new(1_000.0, spacing, seed);
        let mut next = || {
            let due = arrivals.due();
            arrivals.advance();
            due
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn constant_arrivals_do_not_drift() {
        let times = times(Spacing::Constant, 1, 100_000);
        assert_eq!(times[0], Duration::from_millis(1));
        assert_eq!(times[99_999], Duration::from_secs(100));
    }

    #[test]
    fn poisson_arrivals_keep_the_rate_and_vary_as_they_should() {
        let times = times(Spacing::Poisson, 7, 100_000);
        let seconds = times[99_999].as_secs_f64();
        assert!((98.0..102.0).contains(&seconds), "{seconds}");
        assert!(times.is_sorted());
        // A share of 1 - 1/e of all distances is below the mean.
        let short = times.windows(2).filter(|pair| pair[1] - pair[0] < Duration::from_millis(1)).count();
        assert!((62_000..64_500).contains(&short), "{short}");
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(times(Spacing::Poisson, 3, 100), times(Spacing::Poisson, 3, 100));
        assert_ne!(times(Spacing::Poisson, 3, 100), times(Spacing::Poisson, 4, 100));
    }
}
