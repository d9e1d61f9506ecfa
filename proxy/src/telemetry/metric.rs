//! What the recorder holds; the counts of the claim path are in [`crate::meter`]. `/metrics` renders both.

use std::fmt::Write;

use metrics::{Unit, describe_gauge, gauge};

use crate::admin::health::HealthReport;
use crate::bulk::gauges::METRICS;
use crate::flow::calls::COUNTERS;
use crate::flow::gauges::GAUGES;
use crate::meter::Meter;

/// 1 while `/healthz` says ready.
pub const READY: &str = "scrip_ready";
/// Components that are down: `decides="true"`: they make the proxy unready.
pub const COMPONENTS_DOWN: &str = "scrip_components_down";

const READY_HELP: &str = "1 while /healthz says ready.";
const COMPONENTS_DOWN_HELP: &str = "Components that are down; decides=\"true\": they make the proxy unready.";

/// Rows of an outbox that wait, on the proxy that publishes them.
pub const EVENTS_WAITING: &str = "scrip_events_waiting_rows";
/// How long the oldest of them waits.
pub const EVENTS_OLDEST: &str = "scrip_events_oldest_seconds";
/// Who publishes the events of a primary.
pub const EVENTS_LEADS: &str = "scrip_events_leads";

const EVENTS_WAITING_HELP: &str =
    "Rows of a primary's outbox that have not left, up to 100,000; on the proxy that publishes them.";
const EVENTS_OLDEST_HELP: &str = "How long the oldest of them has waited; on the proxy that publishes them.";
const EVENTS_LEADS_HELP: &str = "1 on the proxy that publishes the events of a primary.";

/// Which share of its coupons the patrol of a primary has come by in this round.
pub const PATROL_POSITION: &str = "scrip_patrol_position";
/// When the last round of a patrol ended.
pub const PATROL_LAST_ROUND: &str = "scrip_patrol_last_round_timestamp_seconds";
/// Who patrols a primary.
pub const PATROL_LEADS: &str = "scrip_patrol_leads";

const PATROL_POSITION_HELP: &str = "Which share of a primary's tails the patrol has come by in this round, 0 to 1.";
const PATROL_LAST_ROUND_HELP: &str =
    "When this proxy's last full round of a primary ended, in seconds since 1970-01-01 UTC.";
const PATROL_LEADS_HELP: &str = "1 on the proxy that patrols a primary.";

/// Tells the recorder what each metric means.
pub fn describe_all() {
    describe_gauge!(READY, Unit::Count, READY_HELP);
    describe_gauge!(COMPONENTS_DOWN, Unit::Count, COMPONENTS_DOWN_HELP);
    describe_gauge!(EVENTS_WAITING, Unit::Count, EVENTS_WAITING_HELP);
    describe_gauge!(EVENTS_OLDEST, Unit::Seconds, EVENTS_OLDEST_HELP);
    describe_gauge!(EVENTS_LEADS, Unit::Count, EVENTS_LEADS_HELP);
    describe_gauge!(PATROL_POSITION, Unit::Count, PATROL_POSITION_HELP);
    describe_gauge!(PATROL_LAST_ROUND, Unit::Seconds, PATROL_LAST_ROUND_HELP);
    describe_gauge!(PATROL_LEADS, Unit::Count, PATROL_LEADS_HELP);
}

/// Takes over what `/healthz` would say; done when somebody asks for the metrics.
pub fn record_health(report: &HealthReport) {
    gauge!(READY).set(if report.ready { 1.0 } else { 0.0 });
    // Counts of a few dozen.
    gauge!(COMPONENTS_DOWN, "decides" => "true").set(report.reasons.len() as f64);
    gauge!(COMPONENTS_DOWN, "decides" => "false").set(report.degraded.len() as f64);
}

/// Markdown table of every metric, from the HELP and TYPE lines themselves.
#[must_use]
pub fn markdown() -> String {
    let mut text = "| metric | kind | what for |\n|---|---|---|\n".to_owned();
    let rendered = Meter::default().render();
    let words = |line: &str, prefix: &str| {
        line.strip_prefix(prefix)?.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.to_owned()))
    };
    let kinds: Vec<(String, String)> = rendered.lines().filter_map(|line| words(line, "# TYPE ")).collect();
    for (name, help) in rendered.lines().filter_map(|line| words(line, "# HELP ")) {
        let kind = kinds.iter().find(|(other, _)| *other == name).map_or("", |(_, kind)| kind.as_str());
        let _ = writeln!(text, "| `{name}` | {kind} | {help} |");
    }
    for (name, help) in COUNTERS {
        let _ = writeln!(text, "| `{name}` | counter | {help} |");
    }
    for (name, kind, help) in METRICS.into_iter().chain(crate::replica::METRICS) {
        let _ = writeln!(text, "| `{name}` | {kind} | {help} |");
    }
    let recorded = [
        (READY, READY_HELP),
        (COMPONENTS_DOWN, COMPONENTS_DOWN_HELP),
        (EVENTS_WAITING, EVENTS_WAITING_HELP),
        (EVENTS_OLDEST, EVENTS_OLDEST_HELP),
        (EVENTS_LEADS, EVENTS_LEADS_HELP),
        (PATROL_POSITION, PATROL_POSITION_HELP),
        (PATROL_LAST_ROUND, PATROL_LAST_ROUND_HELP),
        (PATROL_LEADS, PATROL_LEADS_HELP),
    ];
    for (name, help) in GAUGES.into_iter().chain(recorded) {
        let _ = writeln!(text, "| `{name}` | gauge | {help} |");
    }
    text
}
