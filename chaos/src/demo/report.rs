//! The result as data.

use std::fs;
use std::path::Path;
use std::time::Duration;

use scrip_client::Template;
use serde::Serialize;

use super::promise::{Promise, promises};
use super::stage::Phase;
use super::tally::Tally;
use super::{DemoSpec, Error};
use crate::evidence::Audit;
use crate::evidence::environment::Environment;
use crate::number::per_second;
use crate::oracle::{Counts, StoresView, Verdict, Violation};

/// The version of the JSON form; raised when a field changes its meaning or goes away.
const VERSION: u32 = 1;

/// The result of a demo.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u32,
    /// Every promise holds, and the audit is clean.
    pub held: bool,
    pub(super) environment: Environment,
    pub(super) load: Load,
    pub(super) phases: Vec<Phase>,
    pub(super) rush: RushReport,
    pub(super) promises: Vec<Promise>,
    /// What the oracle compared.
    pub(super) counts: Counts,
    /// What the oracle found.
    pub(super) violations: Vec<Violation>,
    /// What `scrip-proxy audit` said.
    pub(super) audit: Audit,
}

/// What was run.
#[derive(Debug, Serialize)]
pub(super) struct Load {
    pub(super) primaries: u16,
    pub(super) shards: u16,
    pub(super) proxies: u16,
    pub(super) killed_proxy: bool,
    pub(super) template: u32,
    pub(super) units: u64,
    pub(super) claims: u32,
    pub(super) users: u32,
    pub(super) limit: u32,
    pub(super) in_flight: u32,
    pub(super) seed: u64,
    /// Coupons that all users together wanted and might have.
    pub(super) demand: u64,
    pub(super) double_clicks_same_id: u32,
    pub(super) double_clicks_other_id: u32,
    pub(super) resends: u32,
}

/// How the rush went.
#[derive(Debug, Serialize)]
pub(super) struct RushReport {
    pub(super) took_ms: u64,
    pub(super) claims_per_s: u64,
    /// Until the first "sold out": the part in which coupons are written.
    pub(super) claims_per_s_while_stock_lasted: u64,
    pub(super) issued: u64,
    pub(super) replayed: u64,
    pub(super) limit_reached: u64,
    pub(super) sold_out: u64,
    pub(super) other: Vec<OtherReport>,
    /// From submission to answer, over all attempts of the SDK.
    pub(super) latency_us: Latency,
    /// Sends after the rush for requests without a definite answer.
    pub(super) follow_up: u64,
}

/// Answers of one further code.
#[derive(Debug, Serialize)]
pub(super) struct OtherReport {
    pub(super) code: &'static str,
    pub(super) count: u64,
    pub(super) example: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) max: u64,
}

/// What a report is made from.
pub(super) struct Evidence<'a> {
    pub(super) environment: Environment,
    pub(super) phases: Vec<Phase>,
    pub(super) tally: &'a Tally,
    pub(super) took: Duration,
    pub(super) follow_up: u64,
    pub(super) template: &'a Template,
    pub(super) plan: &'a super::Plan,
    pub(super) view: &'a StoresView,
    pub(super) verdict: &'a Verdict,
    pub(super) audit: Audit,
}

impl Report {
    pub(super) fn new(spec: &DemoSpec, evidence: Evidence<'_>) -> Self {
        let promises = promises(spec, &evidence);
        let violations = evidence.verdict.violations();
        Self {
            version: VERSION,
            held: violations.is_empty() && evidence.audit.is_clean(),
            load: load(spec, &evidence),
            rush: rush(&evidence),
            promises,
            counts: evidence.verdict.counts.clone(),
            violations,
            environment: evidence.environment,
            phases: evidence.phases,
            audit: evidence.audit,
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let write = || fs::write(path, serde_json::to_string_pretty(self)? + "\n");
        write().map_err(|source| Error::Write { path: path.to_owned(), source })
    }
}

fn load(spec: &DemoSpec, evidence: &Evidence<'_>) -> Load {
    let DemoSpec { primaries, shards, proxies, kill_proxy, units, claims, users, limit, in_flight, seed, .. } = *spec;
    Load {
        primaries,
        shards,
        proxies,
        killed_proxy: kill_proxy,
        template: evidence.template.template.get(),
        units,
        claims,
        users,
        limit,
        in_flight,
        seed,
        demand: evidence.plan.demand,
        double_clicks_same_id: evidence.plan.same_id,
        double_clicks_other_id: evidence.plan.other_id,
        resends: evidence.plan.resends,
    }
}

fn rush(evidence: &Evidence<'_>) -> RushReport {
    let tally = evidence.tally;
    let other = |(code, other): (&&'static str, &super::tally::Other)| OtherReport {
        code,
        count: other.count,
        example: other.example.clone(),
    };
    RushReport {
        took_ms: u64::try_from(evidence.took.as_millis()).unwrap_or(u64::MAX),
        claims_per_s: per_second(tally.answered(), evidence.took),
        claims_per_s_while_stock_lasted: while_stock_lasted(tally, evidence.took),
        issued: tally.issued,
        replayed: tally.replayed,
        limit_reached: tally.limit_reached,
        sold_out: tally.sold_out,
        other: tally.other.iter().map(other).collect(),
        latency_us: latency(tally),
        follow_up: evidence.follow_up,
    }
}

fn while_stock_lasted(tally: &Tally, took: Duration) -> u64 {
    let (answered, lasted) = tally.stock_lasted.unwrap_or((tally.answered(), took));
    per_second(answered, lasted)
}

fn latency(tally: &Tally) -> Latency {
    let at = |quantile| tally.latency_us.value_at_quantile(quantile);
    Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: tally.latency_us.max() }
}
