//! The Redis shards, as the pipeline sees them.

use std::future::Future;

use scrip_shard_config::ShardId;

use super::{StockKey, StoreError};

/// The nonce of one life of a shard's function library: a key of another run is stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run(pub String);

/// Units wanted from one sub-stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// The sub-stock.
    pub key: StockKey,
    /// How many.
    pub count: u32,
}

/// What a sub-stock gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deducted {
    /// `min(want, left)` units of this epoch. 0: the sub-stock is empty.
    Granted {
        /// The epoch of the units.
        epoch: u64,
        /// How many.
        count: u32,
    },
    /// The key is missing or of another run: a settle is due.
    Stale,
}

/// Units that are known not to be recorded, given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Where they came from.
    pub key: StockKey,
    /// The epoch that they were granted under.
    pub epoch: u64,
    /// How many.
    pub count: u32,
}

/// The remaining count of a sub-stock under a new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Install {
    /// The sub-stock.
    pub key: StockKey,
    /// The new epoch.
    pub epoch: u64,
    /// Units that may be handed out under it.
    pub count: u64,
}

/// What became of an install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// The sub-stock serves under the new epoch.
    Done,
    /// The shard's run is another than the one of step 0.
    OtherRun,
    /// The key already has this epoch or a later one.
    NotNewer,
}

/// The Redis shards. Every call is one attempt with a time limit of the implementation's.
pub trait StockStore: Clone + Send + Sync + 'static {
    /// The nonce of the shard's function library; loads the library if it is missing or older.
    fn run(&self, shard: ShardId) -> impl Future<Output = Result<Run, StoreError>> + Send;

    /// Takes units; one call for the whole group, answers in the order of `wants`. May be repeated after an unknown
    /// outcome (units are lost to the epoch until the next settle). Loads the library if it is missing.
    fn deduct(&self, shard: ShardId, wants: &[Want]) -> impl Future<Output = Result<Vec<Deducted>, StoreError>> + Send;

    /// Gives units back where run and epoch still match. *Sent at most once.*
    fn release(&self, shard: ShardId, units: &[Release]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Installs counts, bound to the run of step 0. *Sent at most once.*
    fn install(
        &self,
        shard: ShardId,
        run: &Run,
        installs: &[Install],
    ) -> impl Future<Output = Result<Vec<Installed>, StoreError>> + Send;

    /// Units left under a living epoch, for display and for choosing what to withdraw; `None`: missing or stale.
    fn remaining(
        &self,
        shard: ShardId,
        keys: &[StockKey],
    ) -> impl Future<Output = Result<Vec<Option<u64>>, StoreError>> + Send;
}
