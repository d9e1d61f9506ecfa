//! The handles that stages make once and keep: to record is one atomic operation, without a look-up.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use scrip_protocol::v1::Code;
use scrip_shard_config::{PrimaryId, ShardId};

use super::metric;

/// The answers of one operation.
#[derive(Clone)]
pub struct OperationHandles {
    by_code: Vec<Option<Counter>>,
    /// From decode to answer, in seconds.
    pub seconds: Histogram,
}

impl OperationHandles {
    /// Of the operation with this name, as in the messages: `claim`, `list_coupons`.
    #[must_use]
    pub fn new(operation: &'static str) -> Self {
        let mut by_code = Vec::new();
        for code in Code::ALL {
            let index = *code as usize;
            by_code.resize_with(by_code.len().max(index + 1), || None);
            if let Some(slot) = by_code.get_mut(index) {
                let label = code.as_str_name().trim_start_matches("CODE_").to_ascii_lowercase();
                *slot = Some(counter!(metric::REQUESTS, "operation" => operation, "code" => label));
            }
        }
        Self { by_code, seconds: histogram!(metric::REQUEST_SECONDS, "operation" => operation) }
    }

    /// Counts an answer.
    pub fn answered(&self, code: Code) {
        if let Some(Some(counter)) = self.by_code.get(code as usize) {
            counter.increment(1);
        }
    }
}

/// Time that claims spend in each stage, in seconds.
#[derive(Clone)]
pub struct StageHandles {
    /// From decode to a stock queue.
    pub admission: Histogram,
    /// From a stock queue to a record queue.
    pub stock: Histogram,
    /// From a record queue to the answer.
    pub record: Histogram,
    /// Waiting for a settle.
    pub parked: Histogram,
}

impl StageHandles {
    /// Once a process.
    #[must_use]
    pub fn new() -> Self {
        let stage = |name: &'static str| histogram!(metric::STAGE_SECONDS, "stage" => name);
        Self { admission: stage("admission"), stock: stage("stock"), record: stage("record"), parked: stage("parked") }
    }
}

impl Default for StageHandles {
    fn default() -> Self {
        Self::new()
    }
}

/// What the server counts over all connections.
#[derive(Clone)]
pub struct ServerHandles {
    /// Connections.
    pub connections: Gauge,
    /// Requests under way.
    pub in_flight: Gauge,
    /// Claims that wait for a settle.
    pub parked: Gauge,
    /// Seconds since the snapshot of the templates was last confirmed.
    pub template_age: Gauge,
}

impl ServerHandles {
    /// Once a process.
    #[must_use]
    pub fn new() -> Self {
        Self {
            connections: gauge!(metric::CONNECTIONS),
            in_flight: gauge!(metric::IN_FLIGHT),
            parked: gauge!(metric::PARKED),
            template_age: gauge!(metric::TEMPLATE_AGE),
        }
    }
}

impl Default for ServerHandles {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts a connection that the proxy closed. A look-up by label: not for the path of a claim.
pub fn connection_closed(reason: &'static str) {
    counter!(metric::CONNECTIONS_CLOSED, "reason" => reason).increment(1);
}

/// Outcomes of a call to a store.
#[derive(Clone)]
pub struct OutcomeHandles {
    /// It did what was asked.
    pub ok: Counter,
    /// Not applied: the store could not be reached, or said no.
    pub failed: Counter,
    /// The outcome is not known.
    pub unknown: Counter,
}

/// One stock lane.
#[derive(Clone)]
pub struct StockLaneHandles {
    /// Claims that wait.
    pub queue: Gauge,
    /// Deducts.
    pub deducts: OutcomeHandles,
    /// Releases.
    pub releases: OutcomeHandles,
    /// Installs.
    pub installs: OutcomeHandles,
    /// One call, in seconds.
    pub call_seconds: Histogram,
    /// Units granted.
    pub units_granted: Counter,
    /// Units given back.
    pub units_released: Counter,
    /// Answers *stale*.
    pub stale: Counter,
    /// 0 closed, 1 half open, 2 open.
    pub breaker: Gauge,
}

impl StockLaneHandles {
    /// Of one shard.
    #[must_use]
    pub fn new(shard: ShardId) -> Self {
        let shard = shard.to_string();
        let outcomes = |operation: &'static str| {
            let of = |outcome: &'static str| counter!(metric::STOCK_CALLS, "shard" => shard.clone(), "operation" => operation, "outcome" => outcome);
            OutcomeHandles { ok: of("ok"), failed: of("failed"), unknown: of("unknown") }
        };
        Self {
            queue: gauge!(metric::STOCK_QUEUE, "shard" => shard.clone()),
            deducts: outcomes("deduct"),
            releases: outcomes("release"),
            installs: outcomes("install"),
            call_seconds: histogram!(metric::STOCK_CALL_SECONDS, "shard" => shard.clone()),
            units_granted: counter!(metric::UNITS_GRANTED, "shard" => shard.clone()),
            units_released: counter!(metric::UNITS_RELEASED, "shard" => shard.clone()),
            stale: counter!(metric::STALE, "shard" => shard.clone()),
            breaker: gauge!(metric::BREAKER, "backend" => shard.clone()),
        }
    }
}

/// The record lanes of one primary.
#[derive(Clone)]
pub struct RecordLaneHandles {
    /// Claims that wait.
    pub queue: Gauge,
    /// Rows of a transaction.
    pub batch_rows: Histogram,
    /// One transaction, in seconds.
    pub seconds: Histogram,
    /// Committed.
    pub committed: Counter,
    /// Rolled back because a row existed.
    pub conflict: Counter,
    /// Rolled back by a fence.
    pub fenced: Counter,
    /// Rolled back by the server: deadlock or lock wait.
    pub rolled_back: Counter,
    /// Refused by the server.
    pub refused: Counter,
    /// Nothing was sent.
    pub unreachable: Counter,
    /// The outcome of the commit is not known.
    pub unknown: Counter,
    /// Looked up, and there.
    pub unknown_committed: Counter,
    /// Looked up, and not there.
    pub unknown_absent: Counter,
    /// 0 closed, 1 half open, 2 open.
    pub breaker: Gauge,
}

impl RecordLaneHandles {
    /// Of one primary; its lanes share them.
    #[must_use]
    pub fn new(primary: PrimaryId) -> Self {
        let primary = primary.to_string();
        let outcome = |name: &'static str| counter!(metric::RECORDS, "primary" => primary.clone(), "outcome" => name);
        let found =
            |name: &'static str| counter!(metric::UNKNOWN_RESOLVED, "primary" => primary.clone(), "found" => name);
        Self {
            queue: gauge!(metric::RECORD_QUEUE, "primary" => primary.clone()),
            batch_rows: histogram!(metric::BATCH_ROWS, "primary" => primary.clone()),
            seconds: histogram!(metric::RECORD_SECONDS, "primary" => primary.clone()),
            committed: outcome("committed"),
            conflict: outcome("conflict"),
            fenced: outcome("fenced"),
            rolled_back: outcome("rolled_back"),
            refused: outcome("refused"),
            unreachable: outcome("unreachable"),
            unknown: outcome("unknown"),
            unknown_committed: found("committed"),
            unknown_absent: found("absent"),
            breaker: gauge!(metric::BREAKER, "backend" => primary.clone()),
        }
    }
}

/// Counts a settle. A look-up by label: settles are rare.
pub fn settled(reason: &'static str, outcome: &'static str, seconds: f64) {
    counter!(metric::SETTLES, "reason" => reason, "outcome" => outcome).increment(1);
    histogram!(metric::SETTLE_SECONDS).record(seconds);
}
