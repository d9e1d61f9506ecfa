//! What the hot path counts: plain atomics, so that counting costs a few nanoseconds a claim and nothing at rest.
//! Rendered in the Prometheus text format.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use scrip_protocol::v1::Code;
use tokio::time::Instant;

/// Codes have two digits.
const CODES: usize = 100;

/// Upper bounds of the latency buckets, in milliseconds; one more bucket takes the rest.
const LATENCY_BOUNDS_MS: [u64; 14] = [1, 2, 3, 5, 10, 20, 30, 50, 75, 100, 200, 500, 1_000, 5_000];

/// A count that only rises.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts `count` more.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of one proxy.
#[derive(Debug)]
pub struct Meter {
    codes: [Count; CODES],
    latency: [Count; LATENCY_BOUNDS_MS.len() + 1],
    latency_us: Count,
    /// Calls that took units, and the claims that they carried.
    pub deductions: Count,
    /// Claims that went to a deduction.
    pub deducted_claims: Count,
    /// Units granted.
    pub units_granted: Count,
    /// Units given back.
    pub units_released: Count,
    /// Transactions that recorded coupons.
    pub transactions: Count,
    /// Coupons recorded.
    pub coupons: Count,
    /// Batches that met a coupon that existed.
    pub conflicts: Count,
    /// Batches that a fence refused.
    pub fenced: Count,
    /// Batches whose outcome was unknown at first.
    pub unknowns: Count,
    /// Users' coupons looked up.
    pub look_ups: Count,
    /// Settles that came to their end, over all sub-stocks.
    pub settles: Count,
    /// Settles that stopped on the way.
    pub settles_stopped: Count,
    /// Connections accepted.
    pub connections: Count,
}

impl Default for Meter {
    fn default() -> Self {
        let codes = std::array::from_fn(|_| Count::default());
        let latency = std::array::from_fn(|_| Count::default());
        let [
            latency_us,
            deductions,
            deducted_claims,
            units_granted,
            units_released,
            transactions,
            coupons,
            conflicts,
            fenced,
            unknowns,
            look_ups,
            settles,
            settles_stopped,
            connections,
        ] = std::array::from_fn(|_| Count::default());
        Self {
            codes,
            latency,
            latency_us,
            deductions,
            deducted_claims,
            units_granted,
            units_released,
            transactions,
            coupons,
            conflicts,
            fenced,
            unknowns,
            look_ups,
            settles,
            settles_stopped,
            connections,
        }
    }
}

impl Meter {
    /// A request was answered.
    pub fn answered(&self, code: Code, received: Instant) {
        let took = received.elapsed();
        if let Some(count) = usize::try_from(i32::from(code)).ok().and_then(|code| self.codes.get(code)) {
            count.add(1);
        }
        self.latency[bucket(took)].add(1);
        self.latency_us.add(usize::try_from(took.as_micros()).unwrap_or(usize::MAX));
    }

    /// How many requests were answered with this code.
    pub fn answers(&self, code: Code) -> u64 {
        usize::try_from(i32::from(code)).ok().and_then(|code| self.codes.get(code)).map_or(0, Count::get)
    }

    /// The counts in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.render_answers(&mut text);
        self.render_latency(&mut text);
        for (name, help, count) in self.totals() {
            line(&mut text, format_args!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", count.get()));
        }
        text
    }

    fn totals(&self) -> [(&'static str, &'static str, &Count); 13] {
        [
            ("scrip_deductions_total", "Calls to Redis that took units.", &self.deductions),
            ("scrip_deducted_claims_total", "Claims that those calls carried.", &self.deducted_claims),
            ("scrip_units_granted_total", "Units taken from sub-stocks.", &self.units_granted),
            ("scrip_units_released_total", "Units given back to sub-stocks.", &self.units_released),
            ("scrip_transactions_total", "Transactions that recorded coupons.", &self.transactions),
            ("scrip_coupons_total", "Coupons recorded.", &self.coupons),
            ("scrip_conflicts_total", "Batches that met a coupon that existed.", &self.conflicts),
            ("scrip_fenced_total", "Batches that a fence refused.", &self.fenced),
            ("scrip_unknown_commits_total", "Batches whose outcome was unknown at first.", &self.unknowns),
            ("scrip_look_ups_total", "Look-ups of a user's coupons of a template.", &self.look_ups),
            ("scrip_settles_total", "Sub-stocks settled.", &self.settles),
            ("scrip_settles_stopped_total", "Settles that stopped on the way.", &self.settles_stopped),
            ("scrip_connections_total", "Connections accepted.", &self.connections),
        ]
    }

    fn render_answers(&self, text: &mut String) {
        line(
            text,
            format_args!("# HELP scrip_answers_total Requests answered, by code.\n# TYPE scrip_answers_total counter"),
        );
        for (number, count) in self.codes.iter().enumerate().filter(|(_, count)| count.get() > 0) {
            let code = i32::try_from(number).ok().and_then(|number| Code::try_from(number).ok());
            let name = code.map_or("CODE_UNSPECIFIED", |code| code.as_str_name());
            line(text, format_args!("scrip_answers_total{{code=\"{name}\"}} {}", count.get()));
        }
    }

    fn render_latency(&self, text: &mut String) {
        line(
            text,
            format_args!(
                "# HELP scrip_answer_seconds From reading a request to its answer.\n# TYPE scrip_answer_seconds histogram"
            ),
        );
        let mut total = 0;
        for (bound_ms, count) in LATENCY_BOUNDS_MS.iter().zip(&self.latency) {
            total += count.get();
            let bound = Duration::from_millis(*bound_ms).as_secs_f64();
            line(text, format_args!("scrip_answer_seconds_bucket{{le=\"{bound}\"}} {total}"));
        }
        total += self.latency[LATENCY_BOUNDS_MS.len()].get();
        let sum = Duration::from_micros(self.latency_us.get()).as_secs_f64();
        line(text, format_args!("scrip_answer_seconds_bucket{{le=\"+Inf\"}} {total}"));
        line(text, format_args!("scrip_answer_seconds_sum {sum}\nscrip_answer_seconds_count {total}"));
    }
}

fn bucket(took: Duration) -> usize {
    LATENCY_BOUNDS_MS.iter().position(|bound| took <= Duration::from_millis(*bound)).unwrap_or(LATENCY_BOUNDS_MS.len())
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
