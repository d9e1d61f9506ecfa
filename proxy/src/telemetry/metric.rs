//! Every metric: its name, kind, unit, labels and help, once. The table of the guide is written from here.

use std::fmt::Write;

use metrics::Unit;

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, unit included.
    pub name: &'static str,
    /// What it counts.
    pub kind: MetricKind,
    /// In what.
    pub unit: Unit,
    /// Its labels.
    pub labels: &'static str,
    /// What it means.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $constant:ident = $name:literal, $kind:ident, $unit:ident, $labels:literal;)+) => {
        $($(#[doc = $help])+ pub const $constant: &str = $name;)+

        /// All of them.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: MetricKind::$kind,
            unit: Unit::$unit,
            labels: $labels,
            help: concat!($($help),+).trim_ascii(),
        }),+];
    };
}

metrics! {
    /// Requests answered, by operation and code.
    REQUESTS = "scrip_requests_total", Counter, Count, "operation, code";
    /// From decoding a request to handing its answer to the connection.
    REQUEST_SECONDS = "scrip_request_seconds", Histogram, Seconds, "operation";
    /// Time that a claim spends in one stage, its queue included.
    STAGE_SECONDS = "scrip_stage_seconds", Histogram, Seconds, "stage";
    /// Connections that said a valid hello, or have yet to.
    CONNECTIONS = "scrip_connections", Gauge, Count, "";
    /// Connections closed by the proxy, by reason.
    CONNECTIONS_CLOSED = "scrip_connections_closed_total", Counter, Count, "reason";
    /// Requests under way.
    IN_FLIGHT = "scrip_in_flight", Gauge, Count, "";
    /// Claims that wait for a settle.
    PARKED = "scrip_parked", Gauge, Count, "";
    /// Claims that wait for the shard.
    STOCK_QUEUE = "scrip_stock_queue", Gauge, Count, "shard";
    /// Calls to the shard, by operation and outcome.
    STOCK_CALLS = "scrip_stock_calls_total", Counter, Count, "shard, operation, outcome";
    /// One call to the shard.
    STOCK_CALL_SECONDS = "scrip_stock_call_seconds", Histogram, Seconds, "shard";
    /// Units granted by the shard.
    UNITS_GRANTED = "scrip_units_granted_total", Counter, Count, "shard";
    /// Units given back to the shard.
    UNITS_RELEASED = "scrip_units_released_total", Counter, Count, "shard";
    /// Answers of the shard that a sub-stock is stale.
    STALE = "scrip_stale_total", Counter, Count, "shard";
    /// Claims that wait for the primary's lanes.
    RECORD_QUEUE = "scrip_record_queue", Gauge, Count, "primary";
    /// Rows of one record transaction.
    BATCH_ROWS = "scrip_batch_rows", Histogram, Count, "primary";
    /// One record transaction.
    RECORD_SECONDS = "scrip_record_seconds", Histogram, Seconds, "primary";
    /// Record transactions, by outcome.
    RECORDS = "scrip_records_total", Counter, Count, "primary, outcome";
    /// Commits of unknown outcome that were looked up, by what was found.
    UNKNOWN_RESOLVED = "scrip_unknown_resolved_total", Counter, Count, "primary, found";
    /// Settles, by reason and outcome.
    SETTLES = "scrip_settles_total", Counter, Count, "reason, outcome";
    /// One settle, from step 0 to the install.
    SETTLE_SECONDS = "scrip_settle_seconds", Histogram, Seconds, "";
    /// The breaker of a backend: 0 closed (served), 1 half open (tried), 2 open (refused at once).
    BREAKER = "scrip_breaker_state", Gauge, Count, "backend";
    /// Since the snapshot of the templates was last confirmed.
    TEMPLATE_AGE = "scrip_template_snapshot_age_seconds", Gauge, Seconds, "";
    /// 1 while `/healthz` says ready.
    READY = "scrip_ready", Gauge, Count, "";
}

/// Tells the recorder what each metric means.
pub fn describe_all() {
    for metric in ALL {
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

/// Markdown table of every metric.
#[must_use]
pub fn markdown() -> String {
    let mut text = "| metric | kind | labels | what for |\n|---|---|---|---|\n".to_owned();
    for metric in ALL {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let _ = writeln!(text, "| `{}` | {kind} | {} | {} |", metric.name, metric.labels, metric.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for metric in ALL {
            assert!(metric.name.starts_with("scrip_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == MetricKind::Counter, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_seconds"), metric.unit == Unit::Seconds, "{}", metric.name);
            assert_eq!(ALL.iter().filter(|other| other.name == metric.name).count(), 1, "{}", metric.name);
        }
    }
}
