//! What came back within the measured window.

use std::time::Duration;

use hdrhistogram::Histogram;
use scrip_client::{Code, Completion, Failure};

use crate::report::{Latency, Quantile, Refusal, Second};

/// Longer latencies count as this long.
const LATENCY_MAX_US: u64 = 600_000_000;
/// Codes have two digits.
const CODES: usize = 100;
/// Points of the curve of latency by percentile in each factor of ten of what lies beyond.
const POINTS_PER_DECADE: u32 = 8;

/// Latencies and counts.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// Of all seconds that are over.
    latency_us: Histogram<u64>,
    service_us: Histogram<u64>,
    /// Of the second that runs.
    second_us: Histogram<u64>,
    second_answers: u64,
    seconds: Vec<Second>,
    pub(crate) coupons: u64,
    pub(crate) replays: u64,
    /// Pages of coupons, or calls of another kind that came back as they should.
    pub(crate) reads: u64,
    codes: [u64; CODES],
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let histogram =
            || Histogram::new_with_max(LATENCY_MAX_US, 3).expect("constant bounds that the histogram takes");
        Self {
            latency_us: histogram(),
            service_us: histogram(),
            second_us: histogram(),
            second_answers: 0,
            seconds: Vec::new(),
            coupons: 0,
            replays: 0,
            reads: 0,
            codes: [0; CODES],
        }
    }

    /// `lag`: from the moment at which the claim was due to its submission. `at`: since the window began.
    pub(crate) fn record(&mut self, completion: &Completion, lag: Duration, at: Duration) {
        self.time(lag, completion.latency, at, 1);
        match &completion.result {
            Ok(coupon) if coupon.replayed => self.replays += 1,
            Ok(_) => self.coupons += 1,
            Err(error) => self.refused(error.failure()),
        }
    }

    /// A read: what it was is told as nothing if it came back, else as why not.
    pub(crate) fn read(&mut self, result: Result<(), &Failure>, lag: Duration, service: Duration, at: Duration) {
        self.time(lag, service, at, 1);
        match result {
            Ok(()) => self.reads += 1,
            Err(failure) => self.refused(failure),
        }
    }

    /// A transaction with so many coupons.
    pub(crate) fn committed(&mut self, coupons: u64, took: Duration, at: Duration) {
        self.time(Duration::ZERO, took, at, coupons);
        self.coupons += coupons;
    }

    fn refused(&mut self, failure: &Failure) {
        let number = usize::try_from(failure.number()).unwrap_or(0);
        self.codes[if number < CODES { number } else { 0 }] += 1;
    }

    /// One answer's times, which stands for so many.
    fn time(&mut self, lag: Duration, service: Duration, at: Duration, answers: u64) {
        let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX).min(1 << 20);
        while self.seconds.len() < second {
            self.end_second();
        }
        self.second_us.saturating_record(micros(lag + service));
        self.second_answers += answers;
        self.service_us.saturating_record(micros(service));
    }

    /// No answer is recorded any more.
    pub(crate) fn close(&mut self) {
        if self.second_answers > 0 {
            self.end_second();
        }
    }

    fn end_second(&mut self) {
        let Latency { p50, p99, max, .. } = latency_of(&self.second_us);
        self.seconds.push(Second { answers: self.second_answers, p50_ms: p50, p99_ms: p99, max_ms: max });
        // Both have the same bounds.
        let _ = self.latency_us.add(&self.second_us);
        self.second_us.reset();
        self.second_answers = 0;
    }

    /// Answers that decide: a coupon, a read, or a refusal that is the business's and not the system's.
    pub(crate) fn decided(&self) -> u64 {
        let refused = [Code::SoldOut, Code::LimitReached].map(|code| self.codes[code as usize]);
        self.coupons + self.replays + self.reads + refused.iter().sum::<u64>()
    }

    pub(crate) fn answered(&self) -> u64 {
        self.coupons + self.replays + self.reads + self.codes.iter().sum::<u64>()
    }

    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let refusal = |(number, count): (usize, &u64)| {
            let code = i32::try_from(number).ok().and_then(|number| Code::try_from(number).ok()).unwrap_or_default();
            Refusal {
                code: code.as_str_name().strip_prefix("CODE_").unwrap_or(code.as_str_name()).to_owned(),
                count: *count,
            }
        };
        self.codes.iter().enumerate().filter(|(_, count)| **count > 0).map(refusal).collect()
    }

    /// Every second of the window, the last perhaps shorter.
    pub(crate) fn seconds(&self) -> Vec<Second> {
        self.seconds.clone()
    }

    pub(crate) fn latency(&self) -> Latency {
        latency_of(&self.latency_us)
    }

    pub(crate) fn service(&self) -> Latency {
        latency_of(&self.service_us)
    }

    /// Latency by quantile, finer the closer to 1, as far as there are answers to tell.
    pub(crate) fn curve(&self) -> Vec<Quantile> {
        let count = self.latency_us.len();
        let beyond = |point: u32| 10f64.powf(f64::from(point) / f64::from(POINTS_PER_DECADE));
        let told = (0..).map(beyond).take_while(|beyond| *beyond <= count as f64);
        let quantiles = told.map(|beyond| 1.0 - 1.0 / beyond);
        quantiles.map(|quantile| Quantile { quantile, ms: ms(self.latency_us.value_at_quantile(quantile)) }).collect()
    }
}

fn latency_of(histogram: &Histogram<u64>) -> Latency {
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

fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn latency_counts_from_when_the_claim_was_due() {
        let mut recorder = Recorder::new();
        // A stall of a second: a hundred claims were due in it and went out at its end, each served in 1 ms.
        for due in 0..100 {
            recorder.time(Duration::from_millis(1_000 - due * 10), Duration::from_millis(1), NOW, 1);
        }
        recorder.close();
        assert!((recorder.service().max - 1.0).abs() < 0.01, "{:?}", recorder.service());
        let latency = recorder.latency();
        assert!((495.0..515.0).contains(&latency.p50) && latency.max > 1_000.0, "{latency:?}");
    }

    #[test]
    fn answers_and_latencies_are_told_by_second() {
        let mut recorder = Recorder::new();
        for (at, took) in [(0, 5), (999, 7), (1_000, 1), (3_500, 2)] {
            recorder.time(Duration::ZERO, Duration::from_millis(took), Duration::from_millis(at), 1);
        }
        recorder.close();
        let seconds = recorder.seconds();
        assert_eq!(seconds.iter().map(|second| second.answers).collect::<Vec<_>>(), [2, 1, 0, 1]);
        assert!((seconds[0].max_ms - 7.0).abs() < 0.1 && (seconds[3].p50_ms - 2.0).abs() < 0.1, "{seconds:?}");
        assert_eq!(recorder.latency_us.len(), 4);
    }

    #[test]
    fn the_curve_rises_and_ends_where_answers_end() {
        let mut recorder = Recorder::new();
        (1..=1_000).for_each(|ms| recorder.time(Duration::ZERO, Duration::from_millis(ms), NOW, 1));
        recorder.close();
        let curve = recorder.curve();
        assert!(curve.is_sorted_by(|a, b| a.quantile < b.quantile && a.ms <= b.ms), "{curve:?}");
        assert!(curve.last().is_some_and(|last| (last.quantile - 0.999).abs() < 1e-6), "{curve:?}");
    }
}
