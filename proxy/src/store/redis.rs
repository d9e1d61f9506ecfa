//! The Redis shards: [`RedisStockStore`], one client a shard, and [`TemplateCache`] on one of them.
//!
//! Invariants:
//!
//! - All that is asked of a shard is a function of the libraries in `redis/scrip.lua` and `redis/events.lua` (and the few commands that load it,
//!   check it and take the lock of the template cache).
//! - Every call is one attempt. Nothing is sent again behind the caller's back, whatever the connection does: see
//!   `link` for how that is made sure of with fred.
//! - [`StoreError::Unreachable`] is said only when nothing was written; [`StoreError::Refused`] only when the server
//!   answered; everything else is [`StoreError::Unknown`].
//! - A shard that is down, slow or frozen costs its own callers their time limit and nobody else anything.
//! - No password is in an error or a log line.
//!
//! Modules:
//!
//! - `settings`: time limits
//! - `link`: the connection to one shard; one call, one attempt
//! - `health`: whether it is lost, and why
//! - `library`: loads the function library when it is missing or older
//! - `stock`: the calls of the stock protocol on one shard
//! - `reply`: from frames to values
//! - `events`: the streams of events, with a library of their own in `redis/events.lua`
//! - `templates`: the second level of the template cache
//! - `check`: what is wrong with a shard's configuration

mod check;
mod events;
mod health;
mod library;
mod link;
mod reply;
mod settings;
mod stock;
mod templates;

pub use check::Warning;
pub use events::{ENTRIES_MAX, EventStreams, stream_name};
pub use settings::Timeouts;
pub use templates::TemplateCache;

use std::collections::BTreeMap;
use std::sync::Arc;

use scrip_shard_config::{ShardId, Topology};
use tokio::task::JoinSet;

use crate::store::{Deducted, Install, Installed, Release, Run, StockKey, StockStore, StoreError, Want};
use link::Link;

/// Keys in one call at most. A larger group is refused: it would hold up its shard for too long.
pub const KEY_COUNT_MAX: usize = 1000;

/// The shards of a topology. Cheap to clone; the connections close when the last clone is gone.
#[derive(Debug, Clone)]
pub struct RedisStockStore {
    links: Arc<BTreeMap<ShardId, Link>>,
    templates: ShardId,
}

/// Why no store could be made. A shard that is down is no reason.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The client refused its configuration.
    #[error("shard {shard} ({address}): {what}")]
    Client {
        /// The shard.
        shard: ShardId,
        /// Its address.
        address: String,
        /// What the client says.
        what: String,
    },
}

impl RedisStockStore {
    /// Makes a client for every shard and waits until each is connected, or for `timeouts.connect`. Shards that are
    /// down by then are connected to when they come up.
    ///
    /// Cancellation: dropping the future closes what was opened.
    ///
    /// # Errors
    /// When a client refuses its configuration.
    pub async fn connect(topology: &Topology, timeouts: Timeouts) -> Result<Self, ConnectError> {
        let mut links = BTreeMap::new();
        for shard in &topology.shards {
            links.insert(shard.id, Link::open(shard, timeouts)?);
        }
        let mut waiting: JoinSet<()> = links.values().cloned().map(|link| async move { link.ready().await }).collect();
        while waiting.join_next().await.is_some() {}
        Ok(Self { links: Arc::new(links), templates: topology.shard_of_key(templates::KEY) })
    }

    /// What is wrong with the configuration of the shards, for `scrip-proxy check` and the log at start.
    ///
    /// Cancellation: harmless, it only reads.
    pub async fn warnings(&self) -> Vec<Warning> {
        let mut asked: JoinSet<Option<Warning>> =
            self.links.values().cloned().map(|link| async move { check::warning(&link).await }).collect();
        let mut warnings = Vec::new();
        while let Some(answer) = asked.join_next().await {
            warnings.extend(answer.ok().flatten());
        }
        warnings.sort_by_key(|warning| warning.shard);
        warnings
    }

    /// Whether the shard is connected right now, for `/healthz`.
    pub fn is_connected(&self, shard: ShardId) -> bool {
        self.links.get(&shard).is_some_and(Link::is_connected)
    }

    /// The second level of the template cache, on the shard that the ring gives it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] never happens for a store made from a checked topology, whose ring names its own shards.
    pub fn template_cache(&self) -> Result<TemplateCache, StoreError> {
        self.link(self.templates).cloned().map(TemplateCache::new)
    }

    fn link(&self, shard: ShardId) -> Result<&Link, StoreError> {
        self.links.get(&shard).ok_or_else(|| StoreError::Refused(format!("shard {shard} is not in the topology")))
    }
}

/// Cancellation: dropping a future of these does not recall what was written. `run`, `deduct` and `remaining` may then
/// still take effect on the server, which only costs units until the next settle. `release` and `install` run on a task
/// of their own: they end at their time limit whether or not somebody waits, and are never written after it.
impl StockStore for RedisStockStore {
    async fn run(&self, shard: ShardId) -> Result<Run, StoreError> {
        Ok(library::run(self.link(shard)?).await?)
    }

    async fn deduct(&self, shard: ShardId, wants: &[Want]) -> Result<Vec<Deducted>, StoreError> {
        Ok(stock::deduct(self.link(shard)?, wants).await?)
    }

    async fn release(&self, shard: ShardId, units: &[Release]) -> Result<(), StoreError> {
        Ok(stock::release(self.link(shard)?, units).await?)
    }

    async fn install(&self, shard: ShardId, run: &Run, installs: &[Install]) -> Result<Vec<Installed>, StoreError> {
        Ok(stock::install(self.link(shard)?, run, installs).await?)
    }

    async fn remaining(&self, shard: ShardId, keys: &[StockKey]) -> Result<Vec<Option<u64>>, StoreError> {
        Ok(stock::remaining(self.link(shard)?, keys).await?)
    }
}
