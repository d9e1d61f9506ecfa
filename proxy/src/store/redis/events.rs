//! The streams of events: `events:{n}`, each on the shard that the ring gives its name.

use std::collections::BTreeMap;

use fred::types::Value;
use scrip_shard_config::{PrimaryId, ShardId, Topology};

use super::link::CallError;
use super::{RedisStockStore, library, reply};
use crate::store::events::{Added, Entry, Trim};
use crate::store::{Run, StoreError};

/// Entries in one call at most. More would hold up the shard, and the claims that wait for it, for too long.
pub const ENTRIES_MAX: usize = 200;

/// The terms of the publishers, on every shard.
const TERMS: &str = "events:terms";

/// The name of a stream.
#[must_use]
pub fn stream_name(stream: u16) -> String {
    format!("events:{stream}")
}

/// The streams of a deployment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventStreams {
    store: RedisStockStore,
    shards: Vec<ShardId>,
    trim: Trim,
}

impl RedisStockStore {
    /// So many streams, on the shards that the ring of this topology gives them.
    pub fn event_streams(&self, topology: &Topology, count: u16, trim: Trim) -> EventStreams {
        let shards = (0..count).map(|stream| topology.shard_of_key(&stream_name(stream))).collect();
        EventStreams { store: self.clone(), shards, trim }
    }
}

impl EventStreams {
    /// How many streams there are.
    pub fn count(&self) -> u16 {
        // Made from a u16.
        self.shards.len() as u16
    }

    /// Where a stream is.
    pub fn shard_of(&self, stream: u16) -> Option<ShardId> {
        self.shards.get(usize::from(stream)).copied()
    }

    /// The shards that hold a stream.
    pub fn shards(&self) -> Vec<ShardId> {
        let mut shards = self.shards.clone();
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    /// The nonce of the library's life on a shard; loads the library if it is missing or older.
    ///
    /// # Errors
    /// When the shard does not answer.
    pub async fn run(&self, shard: ShardId) -> Result<Run, StoreError> {
        Ok(library::run_of(self.store.link(shard)?, &library::EVENTS).await?)
    }

    /// Adds entries to streams of one shard, in their order, unless the shard is in another life or a later term has been
    /// here. At most [`ENTRIES_MAX`].
    ///
    /// Cancellation, or an unknown outcome: they may be there, or may yet come; they are added again, with the same ids.
    ///
    /// # Errors
    /// When the shard does not answer, or refuses.
    pub async fn add(
        &self,
        shard: ShardId,
        run: &Run,
        (primary, term): (PrimaryId, u64),
        entries: &[Entry],
    ) -> Result<Added, StoreError> {
        if entries.is_empty() {
            return Ok(Added::Done);
        }
        let link = self.store.link(shard)?;
        let mut index_of: BTreeMap<u16, usize> = BTreeMap::new();
        for entry in entries {
            let next = index_of.len() + 1;
            index_of.entry(entry.stream).or_insert(next);
        }
        let mut streams: Vec<(usize, u16)> = index_of.iter().map(|(stream, index)| (*index, *stream)).collect();
        streams.sort_unstable();
        let mut keys = vec![Value::from_static_str(TERMS)];
        keys.extend(streams.into_iter().map(|(_, stream)| Value::from(stream_name(stream))));
        let retention_ms = u64::try_from(self.trim.retention.as_millis()).unwrap_or(u64::MAX);
        let mut args = vec![Value::from(run.0.as_str()), Value::from(primary.to_string())];
        args.extend([term, retention_ms, self.trim.len_max].map(|number| Value::from(number.to_string())));
        for entry in entries {
            let index = index_of.get(&entry.stream).copied().unwrap_or_default();
            args.push(Value::from(index.to_string()));
            args.push(Value::from(entry.id.as_str()));
            args.push(Value::Bytes(entry.event.clone()));
        }
        let limit = link.timeouts().call;
        let frame = match link.fcall("scrip_events_publish", keys.into_iter(), args.into_iter(), limit).await {
            Err(CallError::Answer(what)) if library::is_missing(&what) => return Ok(Added::OtherRun),
            answer => answer?,
        };
        match reply::integer(&frame) {
            Some(0) => Ok(Added::Done),
            Some(1) => Ok(Added::OtherRun),
            Some(2) => Ok(Added::Superseded),
            _ => Err(reply::not_understood(link, "scrip_events_publish").into()),
        }
    }
}
