//! The consistent-hash ring over the shards, and the placement of a template's sub-stocks on it.
//!
//! The route of a key is frozen: it must be the same in every proxy, in every release. In full:
//!
//! - `H` is XXH64 with seed 0. The FNV-1a that `consistent_hash_ring` brings is not fit for our keys: the last digit of
//!   a key hardly moves the upper bits of its hash, so `stock:7:00` to `stock:7:09` fall side by side on one shard.
//! - Shard `id` has the points `P(0) = H(id as 2 bytes, little endian)` and `P(i+1) = H(P(i) as 8 bytes, little endian)`,
//!   as many as there are virtual nodes.
//! - A key belongs to the shard of the first point at or after `H(the bytes of the key)`, wrapping round.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};

use consistent_hash_ring::RingBuilder;
use twox_hash::XxHash64;

use crate::limits::RING_STARVATION_DIVISOR;
use crate::{ShardId, SubStock};

/// The Redis key of a sub-stock: `stock:{template_id}:{nn}`.
#[must_use]
pub fn stock_key(template_id: u32, sub_stock: SubStock) -> String {
    format!("stock:{template_id}:{sub_stock}")
}

/// No placement was found. A checked topology gives every shard enough of the ring that this is not met in practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no sub-stock suffix of template {template_id} up to {} fills {shard}; raise ring.virtual_nodes", u16::MAX)]
pub struct PlaceError {
    /// The template to be placed.
    pub template_id: u32,
    /// The first shard that still lacks a key.
    pub shard: ShardId,
}

/// The ring. Built once for a topology; a look-up costs one hash and one binary search.
#[derive(Clone)]
pub(crate) struct Ring {
    points: consistent_hash_ring::Ring<Node, FrozenHash>,
    /// Ascending, one at least.
    shards: Vec<ShardId>,
}

impl Ring {
    /// `shards` are ascending, without duplicates, and one at least.
    pub(crate) fn new(shards: Vec<ShardId>, virtual_nodes: u16) -> Ring {
        let points = RingBuilder::new(FrozenHash)
            .vnodes(usize::from(virtual_nodes))
            .nodes_iter(shards.iter().copied().map(Node))
            .build();
        Ring { points, shards }
    }

    pub(crate) fn owner(&self, key: &str) -> ShardId {
        self.points.get(Key(key)).0
    }

    /// Walks the suffixes 0, 1, 2, ... and keeps those whose owner still needs a key.
    pub(crate) fn place(&self, template_id: u32, per_shard: u16) -> Result<Vec<SubStock>, PlaceError> {
        let mut wanted = vec![per_shard; self.shards.len()];
        let mut missing = self.shards.len() * usize::from(per_shard);
        let mut kept = Vec::with_capacity(missing);
        for sub_stock in (0..=u16::MAX).map(SubStock) {
            if missing == 0 {
                break;
            }
            let wanted = &mut wanted[self.index_of(self.owner(&stock_key(template_id, sub_stock)))];
            if *wanted > 0 {
                *wanted -= 1;
                missing -= 1;
                kept.push(sub_stock);
            }
        }
        match wanted.iter().position(|wanted| *wanted > 0) {
            None => Ok(kept),
            Some(index) => Err(PlaceError { template_id, shard: self.shards[index] }),
        }
    }

    fn index_of(&self, shard: ShardId) -> usize {
        self.shards.partition_point(|other| *other < shard)
    }

    /// The shards that own less of the ring than a working placement needs, each with its share of it in 0.0..1.0.
    pub(crate) fn starved(&self) -> Vec<(ShardId, f64)> {
        let mut owned = vec![0u128; self.shards.len()];
        for range in self.points.resident_ranges() {
            let (start, end) = (*range.keys().start(), *range.keys().end());
            owned[self.index_of(range.node().0)] += u128::from(end - start) + 1;
        }
        let whole = 1u128 << 64;
        let least = whole / (self.shards.len() as u128 * u128::from(RING_STARVATION_DIVISOR));
        let short = self.shards.iter().zip(owned).filter(|(_, owned)| *owned < least);
        short.map(|(shard, owned)| (*shard, owned as f64 / whole as f64)).collect()
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The points are many, and follow from the shards.
        f.debug_struct("Ring").field("shards", &self.shards).finish_non_exhaustive()
    }
}

/// A shard as the ring hashes it: exactly two bytes, whatever the standard library makes of an integer.
#[derive(Clone, PartialEq, Eq)]
struct Node(ShardId);

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0.0.to_le_bytes());
    }
}

/// A key as the ring hashes it: its bytes alone. `str` would add a closing byte, which the standard library may change.
struct Key<'a>(&'a str);

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.as_bytes());
    }
}

#[derive(Clone)]
struct FrozenHash;

impl BuildHasher for FrozenHash {
    type Hasher = FrozenHasher;

    fn build_hasher(&self) -> FrozenHasher {
        FrozenHasher(XxHash64::with_seed(0))
    }
}

struct FrozenHasher(XxHash64);

impl Hasher for FrozenHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn write_u64(&mut self, point: u64) {
        // The ring feeds each point back as a `u64`; the default would take the byte order of the machine.
        self.0.write(&point.to_le_bytes());
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}
