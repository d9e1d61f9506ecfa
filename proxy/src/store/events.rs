//! What the publisher of events reads and writes on a primary and on a shard.

use std::time::Duration;

use bytes::Bytes;
use scrip_shard_config::ShardId;

use super::Run;

/// A lease that somebody holds: work on one primary that one proxy does at a time. It saves work and keeps order; nothing
/// is safe only because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What is to be done, as the table `lease` names it.
    pub name: &'static str,
    /// Who does it: one run of one proxy.
    pub owner: String,
    /// Rises with every new holder.
    pub term: u64,
}

/// The events of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Rises with every transaction that begins to tell; some come to light late.
    pub id: u64,
    /// When it was written, by the clock of its proxy: milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// An encoded `EventBatch`.
    pub events: Bytes,
}

/// How far a shard is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardProgress {
    /// Which.
    pub shard: ShardId,
    /// The life of it that rows have left to.
    pub run: Run,
    /// Rows above this id, ...
    pub replay_after: u64,
    /// ... and up to this one, are to leave to it again.
    pub replay_until: u64,
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Rows, counted up to a bound.
    pub rows: u64,
    /// When the oldest of them was written, in milliseconds since 1970-01-01 UTC; 0: none waits.
    pub oldest_at_ms: u64,
}

/// An event on its way into a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which stream, below the number of streams.
    pub stream: u16,
    /// By which consumers drop repeats.
    pub id: String,
    /// An encoded `Event`.
    pub event: Bytes,
}

/// How streams are kept short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trim {
    /// Older entries go.
    pub retention: Duration,
    /// More entries than this, and the oldest go.
    pub len_max: u64,
}

/// What became of a call that adds entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// All of them are in their streams.
    Done,
    /// The shard is in another life than was said: nothing was added.
    OtherRun,
    /// A later holder of the lease has been here: nothing was added.
    Superseded,
}
