//! The promises, each with the numbers that were compared for it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::DemoSpec;
use super::report::Evidence;
use crate::number::grouped;
use crate::oracle::{Counts, Kind, ServerSettings, Verdict};

/// One promise of the design.
#[derive(Debug, Serialize)]
pub(super) struct Promise {
    pub(super) number: u8,
    pub(super) name: &'static str,
    pub(super) holds: bool,
    pub(super) evidence: Vec<String>,
}

pub(super) fn promises(spec: &DemoSpec, evidence: &Evidence<'_>) -> Vec<Promise> {
    let verdict = evidence.verdict;
    let promise = |number, name, evidence| Promise { number, name, holds: verdict.holds(number), evidence };
    vec![
        promise(1, "no oversell", no_oversell(&verdict.counts)),
        promise(2, "no undersell", no_undersell(spec, evidence)),
        promise(3, "exactly once", exactly_once(spec, evidence)),
        promise(4, "limit per user", limit(spec, verdict)),
        promise(5, "durable", durable(verdict, &evidence.view.servers)),
        promise(6, "answers true", answers(verdict)),
    ]
}

fn no_oversell(counts: &Counts) -> Vec<String> {
    let sign = |holds, yes, no| if holds { yes } else { no };
    let first = sign(counts.coupons == counts.issued, "=", "!=");
    let second = sign(counts.issued <= counts.total_stock, "<=", ">");
    let [coupons, issued, total] = [counts.coupons, counts.issued, counts.total_stock].map(grouped);
    vec![
        format!("coupons on {} primaries {coupons} {first} ledgers {issued} {second} total {total}", counts.primaries),
        format!("left in Redis {} of {} unsold", grouped(counts.left), grouped(counts.unsold)),
    ]
}

fn no_undersell(spec: &DemoSpec, evidence: &Evidence<'_>) -> Vec<String> {
    let counts = &evidence.verdict.counts;
    let wanted = evidence.plan.demand;
    let why = if wanted > spec.units { "more" } else { "no more" };
    let too_soon = evidence.verdict.count(Kind::SoldAfterSoldOut) + evidence.verdict.count(Kind::SoldOutTooSoon);
    vec![
        format!("units unsold: {} of {} ({why} were wanted)", grouped(counts.unsold), grouped(counts.total_stock)),
        format!("\"sold out\" said {} times, too soon: {}", grouped(counts.told_sold_out), grouped(too_soon)),
    ]
}

fn exactly_once(spec: &DemoSpec, evidence: &Evidence<'_>) -> Vec<String> {
    let verdict = evidence.verdict;
    let counts = &verdict.counts;
    let several = grouped(verdict.count(Kind::RequestTwice));
    let differ = grouped(verdict.count(Kind::AnswersDiffer) + verdict.count(Kind::GrantedAndRefused));
    let killed = if spec.kill_proxy { "; one proxy was killed in mid-rush" } else { "" };
    let never_asked = grouped(verdict.count(Kind::NeverAsked));
    vec![
        format!("requests with more than one coupon: {several} of {}{killed}", grouped(counts.requests)),
        format!("requests told two different answers: {differ}, over {} sends", grouped(counts.sends)),
        format!("coupons that nobody asked for: {never_asked}"),
    ]
}

fn limit(spec: &DemoSpec, verdict: &Verdict) -> Vec<String> {
    let above = grouped(verdict.count(Kind::LimitExceeded));
    let counts = &verdict.counts;
    let (users, most) = (grouped(counts.users), counts.coupons_of_a_user_max);
    vec![format!("users above the limit of {}: {above} of {users} with coupons (the most: {most})", spec.limit)]
}

fn durable(verdict: &Verdict, servers: &[ServerSettings]) -> Vec<String> {
    let counts = &verdict.counts;
    let missing = grouped(verdict.count(Kind::Missing));
    let settings: BTreeSet<String> = servers.iter().map(settings).collect();
    let settings: Vec<String> = settings.into_iter().collect();
    vec![
        format!("acknowledged coupons missing in the stores: {missing} of {}", grouped(counts.acknowledged)),
        format!("{} of {} primaries flush each commit:", counts.durable_primaries, counts.primaries),
        settings.join(" or "),
    ]
}

/// As read from the server.
fn settings(server: &ServerSettings) -> String {
    let doublewrite = if server.doublewrite { "on" } else { "off" };
    let binlog = if server.binlog { format!("sync_binlog={}", server.sync_binlog) } else { "no binlog".to_owned() };
    let flush = server.flush_log_at_commit;
    format!("innodb_flush_log_at_trx_commit={flush}, doublewrite {doublewrite}, {binlog}")
}

fn answers(verdict: &Verdict) -> Vec<String> {
    let counts = &verdict.counts;
    let after_all = grouped(verdict.count(Kind::AppliedAfterAll));
    let [unanswered, unknown] = [counts.unanswered, counts.told_unknown].map(grouped);
    vec![
        format!("told \"not applied\", yet a coupon is there: {after_all} of {}", grouped(counts.told_not_applied)),
        format!("sends told \"unknown\": {unknown}, never answered: {unanswered}"),
    ]
}
