//! What one measurement yields.

use serde::{Deserialize, Serialize};

/// One measurement.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Claims decided in a second: a coupon, a replay, or a refusal by the template's rules.
    pub claims_per_s: f64,
    /// New coupons in a second.
    pub coupons_per_s: f64,
    /// From the moment at which a claim was due to its answer. In a closed loop it is due when it is sent.
    pub latency_ms: Latency,
    /// From sending a claim to its answer.
    pub service_ms: Latency,
    /// CPU time for each decided claim.
    pub cpu_us_per_claim: CpuPerClaim,
    /// Coupons in one transaction.
    pub rows_per_transaction: f64,
    /// Claims in one call to Redis.
    pub claims_per_redis_call: f64,
    /// Transactions in a second over all primaries.
    pub transactions_per_s: f64,
    /// The most memory that a proxy ever had resident.
    pub proxy_peak_mib: f64,
    /// Length of the window.
    pub window_s: f64,
    /// Answers in the window.
    pub answered: u64,
    /// New coupons in the window.
    pub coupons: u64,
    /// Answers in the window that repeated one.
    pub replays: u64,
    /// Pages of coupons in the window.
    pub reads: u64,
    /// Answers in the window that were no coupon, by code.
    pub refusals: Vec<Refusal>,
    /// Each second of the window, in order; the last may be shorter.
    pub seconds: Vec<Second>,
    /// Latency by quantile, finer the closer to 1, as far as there are answers to tell.
    pub latency_curve: Vec<Quantile>,
    /// Where claims spend their time in the proxies, by stage; `whole` is all of it.
    pub stages: Vec<Stage>,
    /// What each backend was asked.
    pub backends: Vec<Backend>,
    /// Other counts of the proxies over the window.
    pub proxy_counts: ProxyCounts,
    /// Is the count right?
    pub audit: Audit,
}

/// What came back within one second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Second {
    /// Answers.
    pub answers: u64,
    /// The median latency.
    pub p50_ms: f64,
    /// Of a hundred answers, 99 came sooner.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// One point of the curve of latency by percentile.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Quantile {
    /// The share of answers that came sooner.
    pub quantile: f64,
    /// Their longest latency.
    pub ms: f64,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the answers came sooner.
    pub p50: f64,
    /// Of ten, nine.
    pub p90: f64,
    /// Of a hundred, 99.
    pub p99: f64,
    /// Of a thousand, 999.
    pub p999: f64,
    /// The longest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

/// Microseconds of CPU time, user and system, by tier.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CpuPerClaim {
    /// This program: load and SDK, or a pipeline that is measured without a proxy.
    pub client: f64,
    /// All proxies.
    pub proxy: f64,
    /// All Redis servers.
    pub redis: f64,
    /// All database servers.
    pub mysql: f64,
}

/// The time that claims spend in one stage of the proxies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stage {
    /// Which.
    pub name: String,
    /// Claims that went through it.
    pub claims: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The median, to the width of a bucket of the proxy's histogram.
    pub p50_ms: f64,
    /// Of a hundred claims, 99 took less; to the same width.
    pub p99_ms: f64,
}

/// What one Redis server or one database server was asked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Backend {
    /// Which.
    pub name: String,
    /// Calls.
    pub calls: u64,
    /// Claims in those calls.
    pub claims: u64,
    /// Time of all calls, as a share of the window; above 1 where several lanes call at once.
    pub busy: f64,
}

/// Answers of one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The code's name.
    pub code: String,
    /// How many.
    pub count: u64,
}

/// What the proxies counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProxyCounts {
    /// Transactions that recorded coupons.
    pub transactions: u64,
    /// Calls that took units.
    pub redis_calls: u64,
    /// Users' coupons looked up.
    pub look_ups: u64,
    /// Sub-stocks settled.
    pub settles: u64,
    /// Batches that met a coupon that existed.
    pub conflicts: u64,
    /// Batches that a fence refused.
    pub fenced: u64,
}

/// Over all measurements.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// The lowest.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The highest.
    pub max: f64,
}

/// The count, over the whole run from the warm-up on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audit {
    /// What `scrip-proxy audit` says: `clean`, or not.
    pub verdict: String,
    /// What it found, at most 20.
    pub findings: Vec<String>,
    /// Coupons in the stores.
    pub rows: u64,
    /// Requests that were told their coupon.
    pub acknowledged: u64,
    /// Coupons above the total.
    pub oversold: u64,
    /// Requests that were told their coupon and have none in the stores.
    pub lost: u64,
    /// Coupons beyond the first of a request.
    pub duplicate: u64,
    /// Units that are left where "sold out" was said.
    pub unsold: u64,
    /// Coupons in the stores whose requests were told a refusal, or nothing.
    pub unacknowledged: u64,
    /// Coupons of the templates that nobody asked for.
    pub foreign: u64,
    /// Requests whose outcome stayed unknown to the end.
    pub unknown: u64,
    /// Pages on which a coupon was missing or strange.
    pub misread: u64,
}

impl Audit {
    /// Why the figures are void; none if the count is right.
    #[must_use]
    pub fn void(&self) -> Option<String> {
        let wrong = [
            (self.verdict != "clean", format!("the audit says {}: {}", self.verdict, self.findings.join("; "))),
            (self.oversold > 0, format!("{} oversold", self.oversold)),
            (self.lost > 0, format!("{} acknowledged coupons are lost", self.lost)),
            (self.duplicate > 0, format!("{} coupons are double", self.duplicate)),
            (self.unsold > 0, format!("{} units are left of what is sold out", self.unsold)),
            (self.misread > 0, format!("{} pages of coupons were wrong", self.misread)),
            (self.foreign > 0, format!("{} coupons that nobody asked for", self.foreign)),
            // A request with an unknown outcome may have its coupon; any other may not.
            (self.unacknowledged > self.unknown, format!("{} coupons were told as refused", self.unacknowledged)),
        ];
        let wrong: Vec<String> = wrong.into_iter().filter(|(wrong, _)| *wrong).map(|(_, what)| what).collect();
        if wrong.is_empty() { None } else { Some(wrong.join(", ")) }
    }
}
