//! Times in buckets: two for each doubling from 64 us to 17 s, so that a bucket is found with a shift and no search.

use std::time::Duration;

use super::{Count, line};

/// The first bucket takes all that is not longer.
const FIRST_US: u64 = 64;
/// One more takes what is longer than the last bound.
const BOUNDS: usize = 37;

/// Times in buckets, with their sum.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Count; BOUNDS + 1],
    sum_us: Count,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| Count::default()), sum_us: Count::default() }
    }
}

impl Histogram {
    /// The same time so often.
    pub fn record(&self, took: Duration, times: usize) {
        let us = micros(took);
        self.buckets[bucket(us)].add(times);
        self.sum_us.add_u64(us.saturating_mul(times as u64));
    }

    /// Many times at once: what is shared is touched once for each bucket that they meet, not for each of them.
    pub fn record_each(&self, times: impl Iterator<Item = Duration>) {
        let (mut counts, mut sum_us) = ([0; BOUNDS + 1], 0u64);
        for us in times.map(micros) {
            counts[bucket(us)] += 1;
            sum_us = sum_us.saturating_add(us);
        }
        for (bucket, count) in self.buckets.iter().zip(counts).filter(|(_, count)| *count > 0) {
            bucket.add(count);
        }
        self.sum_us.add_u64(sum_us);
    }

    /// In the Prometheus text format; `labels`: nothing, or as in `stage="whole",`.
    pub(super) fn render(&self, text: &mut String, name: &str, labels: &str) {
        let mut total = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            total += count.get();
            let le = if index < BOUNDS { seconds(bound_us(index)).to_string() } else { "+Inf".to_owned() };
            line(text, format_args!("{name}_bucket{{{labels}le=\"{le}\"}} {total}"));
        }
        let only = labels.trim_end_matches(',');
        let braces = if only.is_empty() { String::new() } else { format!("{{{only}}}") };
        line(text, format_args!("{name}_sum{braces} {}", seconds(self.sum_us.get())));
        line(text, format_args!("{name}_count{braces} {total}"));
    }
}

/// Without the 128 bits of `Duration::as_micros`.
fn micros(took: Duration) -> u64 {
    took.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(took.subsec_micros()))
}

fn seconds(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

/// The longest time that belongs to a bucket: 64, 96, 128, 192, 256, ...
fn bound_us(index: usize) -> u64 {
    if index.is_multiple_of(2) { FIRST_US << (index / 2) } else { (FIRST_US + FIRST_US / 2) << (index / 2) }
}

fn bucket(us: u64) -> usize {
    let Some(beyond) = us.checked_sub(1).filter(|beyond| *beyond >= FIRST_US) else { return 0 };
    let doublings = beyond.ilog2() - FIRST_US.ilog2();
    let upper_half = beyond >> (beyond.ilog2() - 1) & 1;
    (doublings as usize * 2 + upper_half as usize + 1).min(BOUNDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_between_the_bounds_of_its_bucket() {
        let near = (0..40).flat_map(|index| [bound_us(index).saturating_sub(1), bound_us(index), bound_us(index) + 1]);
        for us in (0..5_000).chain(near).chain([u64::MAX]) {
            let index = bucket(us);
            assert!(index == BOUNDS || us <= bound_us(index), "{us} in {index}");
            assert!(index == 0 || us > bound_us(index - 1), "{us} in {index}");
        }
        assert_eq!([bound_us(0), bound_us(1), bound_us(2), bound_us(3), bound_us(4)], [64, 96, 128, 192, 256]);
        assert_eq!(bound_us(BOUNDS - 1), 1 << 24);
    }

    #[test]
    fn many_at_once_count_like_one_by_one() {
        let (one_by_one, at_once) = (Histogram::default(), Histogram::default());
        let times: Vec<Duration> = (0..500).map(|index| Duration::from_micros(index * index)).collect();
        times.iter().for_each(|took| one_by_one.record(*took, 1));
        at_once.record_each(times.into_iter());
        let rendered = |histogram: &Histogram| {
            let mut text = String::new();
            histogram.render(&mut text, "x", "stage=\"a\",");
            text
        };
        assert_eq!(rendered(&one_by_one), rendered(&at_once));
        let text = rendered(&at_once);
        assert!(text.contains("x_bucket{stage=\"a\",le=\"+Inf\"} 500\n"), "{text}");
        assert!(text.contains("x_count{stage=\"a\"} 500\n"), "{text}");
    }

    #[test]
    fn a_time_that_stands_for_many_claims_is_counted_for_each() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_millis(2), 300);
        let mut text = String::new();
        histogram.render(&mut text, "x", "");
        assert!(text.contains("x_sum 0.6\nx_count 300\n"), "{text}");
    }
}
