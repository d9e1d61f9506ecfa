//! Where claims spend their time in the proxies: their histograms and their calls, as figures.

use super::Counts;
use crate::report::{Backend, Stage};

/// In the order in which a claim, or a request of an order, goes through them; the names of the proxies.
const STAGES: [&str; 8] =
    ["stock_queue", "stock_call", "record_queue", "look_up", "record_call", "order_queue", "order_read", "order_call"];

/// A histogram of the proxies.
struct Histogram {
    /// Upper bound in seconds, and how many times are not longer; ascending.
    buckets: Vec<(f64, f64)>,
    sum_s: f64,
    count: f64,
}

impl Counts {
    /// Every stage through which claims went, and `whole`: from reading a request to its answer.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let stage = |name: &str| self.histogram("scrip_stage_seconds", &format!("stage=\"{name}\"")).stage(name);
        let whole = self.histogram("scrip_answer_seconds", "").stage("whole");
        STAGES.into_iter().map(stage).chain([whole]).filter(|stage| stage.claims > 0).collect()
    }

    /// What each backend was asked within a window.
    pub(crate) fn backends(&self, window_s: f64) -> Vec<Backend> {
        let of = |metric: &'static str, backend: &str| {
            self.labelled(metric, "backend").find(|(name, _)| *name == backend).map_or(0.0, |(_, value)| value)
        };
        let calls = self.labelled("scrip_backend_calls_total", "backend").filter(|(_, calls)| *calls > 0.0);
        let backend = |(name, calls): (&str, f64)| Backend {
            name: name.to_owned(),
            calls: calls as u64,
            claims: of("scrip_backend_claims_total", name) as u64,
            busy: of("scrip_backend_seconds_total", name) / window_s,
        };
        calls.map(backend).collect()
    }

    fn histogram(&self, name: &str, label: &str) -> Histogram {
        let (braces, comma) = if label.is_empty() { (String::new(), "") } else { (format!("{{{label}}}"), ",") };
        let value = |sample: String| self.0.get(&sample).copied().unwrap_or(0.0);
        let prefix = format!("{name}_bucket{{{label}{comma}le=\"");
        let bucket = |(sample, count): (&String, &f64)| {
            let bound = sample.strip_prefix(&prefix)?.strip_suffix("\"}")?;
            Some((if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? }, *count))
        };
        let mut buckets: Vec<(f64, f64)> = self.0.iter().filter_map(bucket).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (sum_s, count) = (value(format!("{name}_sum{braces}")), value(format!("{name}_count{braces}")));
        Histogram { buckets, sum_s, count }
    }
}

impl Histogram {
    fn stage(&self, name: &str) -> Stage {
        Stage {
            name: name.to_owned(),
            claims: self.count as u64,
            mean_ms: if self.count > 0.0 { self.sum_s / self.count * 1e3 } else { 0.0 },
            p50_ms: self.quantile_ms(0.5),
            p99_ms: self.quantile_ms(0.99),
        }
    }

    /// Times are taken to lie evenly in their bucket; those beyond the last bound, at it.
    fn quantile_ms(&self, quantile: f64) -> f64 {
        let rank = quantile * self.count;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            if *count >= rank && *count > below {
                let share = (rank - below) / (count - below);
                return if bound.is_finite() { (lower + share * (bound - lower)) * 1e3 } else { lower * 1e3 };
            }
            if bound.is_finite() {
                (lower, below) = (*bound, *count);
            }
        }
        lower * 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "# TYPE scrip_stage_seconds histogram
scrip_stage_seconds_bucket{stage=\"stock_queue\",le=\"0.001\"} 50
scrip_stage_seconds_bucket{stage=\"stock_queue\",le=\"0.01\"} 90
scrip_stage_seconds_bucket{stage=\"stock_queue\",le=\"+Inf\"} 100
scrip_stage_seconds_sum{stage=\"stock_queue\"} 0.5
scrip_stage_seconds_count{stage=\"stock_queue\"} 100
scrip_answer_seconds_bucket{le=\"1\"} 2
scrip_answer_seconds_bucket{le=\"+Inf\"} 2
scrip_answer_seconds_sum 1
scrip_answer_seconds_count 2
scrip_backend_calls_total{backend=\"shard s0\"} 4
scrip_backend_claims_total{backend=\"shard s0\"} 100
scrip_backend_seconds_total{backend=\"shard s0\"} 0.5
";

    #[test]
    fn stages_are_read_from_their_histograms() {
        let mut counts = Counts::default();
        counts.add(METRICS);
        let stages = counts.stages();
        let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["stock_queue", "whole"]);
        let queue = &stages[0];
        assert_eq!(queue.claims, 100);
        assert!((queue.mean_ms - 5.0).abs() < 1e-9 && (queue.p50_ms - 1.0).abs() < 1e-9, "{queue:?}");
        // Beyond the last bound nothing is known but that.
        assert!((queue.p99_ms - 10.0).abs() < 1e-9, "{queue:?}");
        assert!((stages[1].p50_ms - 500.0).abs() < 1e-9, "{stages:?}");
    }

    #[test]
    fn a_backend_is_as_busy_as_its_calls_last() {
        let mut counts = Counts::default();
        counts.add(METRICS);
        let expect = Backend { name: "shard s0".to_owned(), calls: 4, claims: 100, busy: 0.25 };
        assert_eq!(counts.backends(2.0), [expect]);
    }
}
