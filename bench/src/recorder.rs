//! What came back within the measured window.

use std::time::Duration;

use hdrhistogram::Histogram;
use scrip_client::{Code, Completion};

use crate::report::{Latency, Refusal};

/// Longer latencies count as this long.
const LATENCY_MAX_US: u64 = 600_000_000;
/// Codes have two digits.
const CODES: usize = 100;

/// Latencies and counts.
#[derive(Debug)]
pub(crate) struct Recorder {
    latency_us: Histogram<u64>,
    service_us: Histogram<u64>,
    pub(crate) coupons: u64,
    pub(crate) replays: u64,
    codes: [u64; CODES],
    /// Answers in each second of the window.
    pub(crate) per_second: Vec<u64>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let histogram =
            || Histogram::new_with_max(LATENCY_MAX_US, 3).expect("constant bounds that the histogram takes");
        Self {
            latency_us: histogram(),
            service_us: histogram(),
            coupons: 0,
            replays: 0,
            codes: [0; CODES],
            per_second: Vec::new(),
        }
    }

    /// `lag`: from the moment at which the claim was due to its submission. `at`: since the window began.
    pub(crate) fn record(&mut self, completion: &Completion, lag: Duration, at: Duration) {
        self.time(lag, completion.latency);
        self.seconds(at, 1);
        match &completion.result {
            Ok(coupon) if coupon.replayed => self.replays += 1,
            Ok(_) => self.coupons += 1,
            Err(error) => {
                let number = usize::try_from(error.failure().number()).unwrap_or(0);
                self.codes[if number < CODES { number } else { 0 }] += 1;
            }
        }
    }

    /// One answer's times.
    pub(crate) fn time(&mut self, lag: Duration, service: Duration) {
        self.latency_us.saturating_record(micros(lag + service));
        self.service_us.saturating_record(micros(service));
    }

    /// Counts answers in the second in which they came.
    pub(crate) fn seconds(&mut self, at: Duration, count: u64) {
        let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX).min(1 << 20);
        if self.per_second.len() <= second {
            self.per_second.resize(second + 1, 0);
        }
        self.per_second[second] += count;
    }

    /// Answers that decide: a coupon, or a refusal that is the business's and not the system's.
    pub(crate) fn decided(&self) -> u64 {
        let refused = [Code::SoldOut, Code::LimitReached].map(|code| self.codes[code as usize]);
        self.coupons + self.replays + refused.iter().sum::<u64>()
    }

    pub(crate) fn answered(&self) -> u64 {
        self.coupons + self.replays + self.codes.iter().sum::<u64>()
    }

    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let refusal = |(number, count): (usize, &u64)| {
            let code = i32::try_from(number).ok().and_then(|number| Code::try_from(number).ok()).unwrap_or_default();
            Refusal { code: code.as_str_name().trim_start_matches("CODE_").to_owned(), count: *count }
        };
        self.codes.iter().enumerate().filter(|(_, count)| **count > 0).map(refusal).collect()
    }

    pub(crate) fn latency(&self) -> Latency {
        latency_of(&self.latency_us)
    }

    pub(crate) fn service(&self) -> Latency {
        latency_of(&self.service_us)
    }
}

fn latency_of(histogram: &Histogram<u64>) -> Latency {
    let ms = |us: u64| us as f64 / 1_000.0;
    let at = |quantile| ms(histogram.value_at_quantile(quantile));
    Latency {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: ms(histogram.max()),
        mean: histogram.mean() / 1_000.0,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_when_the_claim_was_due() {
        let mut recorder = Recorder::new();
        // A stall of a second: a hundred claims were due in it and went out at its end, each served in 1 ms.
        for due in 0..100 {
            recorder.time(Duration::from_millis(1_000 - due * 10), Duration::from_millis(1));
        }
        assert!((recorder.service().max - 1.0).abs() < 0.01, "{:?}", recorder.service());
        let latency = recorder.latency();
        assert!((495.0..515.0).contains(&latency.p50) && latency.max > 1_000.0, "{latency:?}");
    }

    #[test]
    fn answers_are_counted_by_second() {
        let mut recorder = Recorder::new();
        [0, 999, 1_000, 2_500].into_iter().for_each(|ms| recorder.seconds(Duration::from_millis(ms), 1));
        assert_eq!(recorder.per_second, [2, 1, 1]);
    }
}
