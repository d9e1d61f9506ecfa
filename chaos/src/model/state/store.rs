//! What the stores hold: meta, the primaries, the shard.

use super::{PRIMARIES_MAX, PROCESSES, SEQ_MAX, SUB_STOCKS_MAX, USERS_MAX};

/// The identity of the incarnation that serves a primary, with the term that meta gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(in crate::model) struct Server {
    pub(in crate::model) identity: u8,
    pub(in crate::model) term: u8,
}

/// A sub-stock in meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct SubStock {
    pub(in crate::model) allotment: u8,
    pub(in crate::model) epoch: u8,
    /// The epoch that settled to zero.
    pub(in crate::model) drained: u8,
}

/// A withdrawal that waits for its fences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Pending {
    /// 0: none.
    pub(in crate::model) units: u8,
    pub(in crate::model) from: u8,
}

/// Durable: one linearizable record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Meta {
    pub(in crate::model) sub_stocks: [SubStock; SUB_STOCKS_MAX],
    pub(in crate::model) total: u8,
    pub(in crate::model) sold_out: bool,
    pub(in crate::model) pending: Pending,
    pub(in crate::model) servers: [Server; PRIMARIES_MAX],
}

/// The fence and the count of one sub-stock on one primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Ledger {
    pub(in crate::model) epoch: u8,
    pub(in crate::model) server: Server,
    pub(in crate::model) issued: u8,
}

/// A coupon: which send made it, and of which sub-stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::model) struct Row {
    pub(in crate::model) claim: u8,
    pub(in crate::model) sub_stock: u8,
}

/// What a primary holds, and its replica with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Data {
    pub(in crate::model) ledgers: [Ledger; SUB_STOCKS_MAX],
    /// By user and `seq - 1`.
    pub(in crate::model) rows: [[Option<Row>; SEQ_MAX]; USERS_MAX],
}

/// Durable, but for what a fail-over loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Primary {
    /// What the server says of itself.
    pub(in crate::model) identity: u8,
    /// Fail-overs so far: a connection leads to one generation and dies with it.
    pub(in crate::model) generation: u8,
    pub(in crate::model) data: Data,
    pub(in crate::model) replica: Data,
}

/// `{run, epoch, n}`; run 0: there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Key {
    pub(in crate::model) run: u8,
    pub(in crate::model) epoch: u8,
    pub(in crate::model) left: u8,
}

/// A Redis process that answers as the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Process {
    pub(in crate::model) alive: bool,
    /// The nonce of its library.
    pub(in crate::model) run: u8,
    pub(in crate::model) keys: [Key; SUB_STOCKS_MAX],
}

/// Volatile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Shard {
    pub(in crate::model) processes: [Process; PROCESSES],
    /// An old copy of the keys: a dump file, or a replica that lags.
    pub(in crate::model) saved: [Key; SUB_STOCKS_MAX],
    /// Nonces drawn so far.
    pub(in crate::model) runs: u8,
}
