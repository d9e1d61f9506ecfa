//! What callers felt: before, during and after; those who should be hit, and the others. A pure function of the samples.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::recorder::{Outcome, Sample, micros};
use scrip_client::Code;

/// Latencies above are counted as this.
const LATENCY_MAX_US: u64 = 60_000_000;
/// The first moments of the load are no measure: connections and plans are cold.
const WARM_UP: Duration = Duration::from_millis(500);

/// Who should feel a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hit {
    /// Nobody.
    Nobody,
    /// The users of these primaries.
    Primaries(Vec<usize>),
    /// The callers of these clients.
    Clients(Vec<usize>),
    /// Everybody, or nobody in particular.
    Everybody,
}

impl Hit {
    fn is_hit(&self, sample: &Sample) -> bool {
        match self {
            Self::Nobody => false,
            Self::Primaries(primaries) => primaries.contains(&sample.primary),
            Self::Clients(clients) => clients.contains(&sample.client),
            Self::Everybody => true,
        }
    }
}

/// When it was broken, counted from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The first strike began.
    pub(super) struck: Duration,
    /// The last one was mended.
    pub(super) mended: Duration,
}

/// One stretch of time for one group.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Stretch {
    /// Claims that should have been sent in it and were answered.
    pub(super) claims: u64,
    /// Told a coupon, or a rule's refusal.
    pub(super) served: u64,
    /// Told *not applied* for another reason.
    pub(super) refused: u64,
    /// Told that it is not known.
    pub(super) unknown: u64,
    /// Of all answers, from the time at which the claim should have been sent.
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) max_us: u64,
    /// Of refusals for overload.
    pub(super) refusal_p99_us: u64,
    pub(super) served_per_s: f64,
}

/// What one group felt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Group {
    pub(super) who: &'static str,
    pub(super) before: Stretch,
    pub(super) during: Stretch,
    pub(super) after: Stretch,
    /// From the first strike to the first answer served to a claim that was due after it.
    pub(super) first_served_after_strike_us: Option<u64>,
    /// The same from the last mending.
    pub(super) first_served_after_mending_us: Option<u64>,
    /// The longest time without an answer served, from the first strike on.
    pub(super) longest_gap_us: u64,
}

/// What both groups felt; a group without claims is left out.
pub(super) fn felt(samples: &[Sample], hit: &Hit, window: Window) -> Vec<Group> {
    let (hit, others): (Vec<Sample>, Vec<Sample>) = samples.iter().partition(|sample| hit.is_hit(sample));
    let groups = [("hit", hit), ("others", others)];
    groups.into_iter().filter(|(_, samples)| !samples.is_empty()).map(|(who, s)| group(who, &s, window)).collect()
}

fn group(who: &'static str, samples: &[Sample], window: Window) -> Group {
    let (struck_us, mended_us) = (micros(window.struck), micros(window.mended));
    let first_us = samples.iter().map(|sample| sample.intended_us).min().unwrap_or(0) + micros(WARM_UP);
    let within = |from: u64, until: u64| {
        let part: Vec<&Sample> = samples.iter().filter(|s| (from..until).contains(&s.intended_us)).collect();
        stretch(&part)
    };
    Group {
        who,
        before: within(first_us.min(struck_us), struck_us),
        during: within(struck_us, mended_us),
        after: within(mended_us, u64::MAX),
        first_served_after_strike_us: first_served(samples, struck_us),
        first_served_after_mending_us: first_served(samples, mended_us),
        longest_gap_us: longest_gap(samples, struck_us),
    }
}

fn is_served(sample: &&Sample) -> bool {
    matches!(sample.outcome, Outcome::Coupon | Outcome::Rules)
}

fn first_served(samples: &[Sample], from_us: u64) -> Option<u64> {
    let later = samples.iter().filter(|sample| sample.intended_us >= from_us).filter(is_served);
    later.map(|sample| sample.answered_us - from_us).min()
}

fn longest_gap(samples: &[Sample], from_us: u64) -> u64 {
    let mut served: Vec<u64> = samples.iter().filter(is_served).map(|sample| sample.answered_us).collect();
    // Nobody is served after the last claim was due.
    let end = samples.iter().map(|sample| sample.intended_us).max().unwrap_or(from_us).max(from_us);
    served.retain(|at| (from_us..end).contains(at));
    served.sort_unstable();
    let starts = std::iter::once(from_us).chain(served.iter().copied());
    let ends = served.iter().copied().chain([end]);
    starts.zip(ends).map(|(start, end)| end.saturating_sub(start)).max().unwrap_or(0)
}

fn stretch(samples: &[&Sample]) -> Stretch {
    let mut latency = Histogram::<u64>::new_with_max(LATENCY_MAX_US, 3).expect("constant bounds that it takes");
    let mut refusal = latency.clone();
    let mut out = Stretch::default();
    for sample in samples {
        let took_us = sample.answered_us.saturating_sub(sample.intended_us);
        latency.saturating_record(took_us);
        out.claims += 1;
        match sample.outcome {
            Outcome::Coupon | Outcome::Rules => out.served += 1,
            Outcome::Refused(code) => {
                out.refused += 1;
                if code == Code::Overloaded {
                    refusal.saturating_record(took_us);
                }
            }
            Outcome::Unknown => out.unknown += 1,
        }
    }
    (out.p50_us, out.p99_us) = (latency.value_at_quantile(0.5), latency.value_at_quantile(0.99));
    (out.max_us, out.refusal_p99_us) = (latency.max(), refusal.value_at_quantile(0.99));
    let times = samples.iter().map(|sample| sample.intended_us);
    let span_us = times.clone().max().unwrap_or(0) - times.min().unwrap_or(0);
    out.served_per_s = if span_us == 0 { 0.0 } else { out.served as f64 * 1e6 / span_us as f64 };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { struck: Duration::from_secs(2), mended: Duration::from_secs(3) };

    fn sample(intended_ms: u64, took_ms: u64, primary: usize, outcome: Outcome) -> Sample {
        let (intended_us, answered_us) = (intended_ms * 1_000, (intended_ms + took_ms) * 1_000);
        Sample { intended_us, answered_us, primary, client: 0, outcome }
    }

    #[test]
    fn stretches_gaps_and_first_answers_are_told_apart() {
        let mut samples: Vec<Sample> = (0..50).map(|n| sample(n * 100, 10, 0, Outcome::Coupon)).collect();
        samples.push(sample(1_000, 10, 1, Outcome::Coupon));
        samples.push(sample(2_500, 400, 1, Outcome::Refused(Code::PrimaryUnavailable)));
        samples.push(sample(2_600, 500, 1, Outcome::Unknown));
        samples.push(sample(3_200, 20, 1, Outcome::Coupon));
        samples.push(sample(4_000, 20, 1, Outcome::Rules));
        let groups = felt(&samples, &Hit::Primaries(vec![1]), WINDOW);
        let [hit, others] = groups.as_slice() else { panic!("{groups:?}") };
        assert_eq!((hit.who, hit.during.claims, hit.during.refused, hit.during.unknown), ("hit", 2, 1, 1));
        assert_eq!((hit.after.claims, hit.after.served), (2, 2));
        assert_eq!(hit.first_served_after_strike_us, Some(1_220_000));
        assert_eq!(hit.first_served_after_mending_us, Some(220_000));
        assert_eq!(hit.longest_gap_us, 1_220_000);
        assert_eq!((others.before.claims, others.during.claims, others.after.claims), (15, 10, 20));
        assert_eq!(others.first_served_after_strike_us, Some(10_000));
        assert!((9_990..=10_010).contains(&others.during.p99_us), "{}", others.during.p99_us);
        assert_eq!(others.longest_gap_us, 100_000);
    }

    #[test]
    fn nobody_is_a_group_without_claims() {
        let samples = [sample(2_100, 10, 0, Outcome::Coupon)];
        let groups = felt(&samples, &Hit::Nobody, WINDOW);
        assert_eq!(groups.iter().map(|group| group.who).collect::<Vec<_>>(), ["others"]);
    }
}
