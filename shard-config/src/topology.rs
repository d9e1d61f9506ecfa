//! The topology: what there is, and what routes where.

use std::ops::RangeInclusive;

use crate::ring::{PlaceError, Ring};
use crate::tails::TailMap;
use crate::{Address, PrimaryId, Secret, ShardId, SubStock, Tail};

/// One MySQL server that takes writes.
#[derive(Clone, Debug)]
pub struct Primary {
    /// Its id, which stays when the address changes.
    pub id: PrimaryId,
    /// Where it listens.
    pub address: Address,
    /// The tails of the users that it holds, both ends of each range included. May be empty.
    pub tails: Vec<RangeInclusive<u16>>,
    /// The database (schema) that holds the tables.
    pub database: String,
    /// The user to log in as.
    pub user: String,
    /// The password, if the user has one.
    pub password: Option<Secret>,
    /// Servers that copy this one, for reads that may be stale. Same database, user and password.
    pub replicas: Vec<Address>,
}

/// One Redis server.
#[derive(Clone, Debug)]
pub struct Shard {
    /// Its id, which is also its identity on the ring.
    pub id: ShardId,
    /// Where it listens.
    pub address: Address,
    /// The ACL user, if not the default one.
    pub user: Option<String>,
    /// The password, if there is one.
    pub password: Option<Secret>,
}

/// How the ring is built. To change it moves most keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSpec {
    /// Points that each shard has on the ring.
    pub virtual_nodes: u16,
}

/// How the stock of a new template is cut. Templates that exist keep what they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockSpec {
    /// Sub-stocks on each shard.
    pub sub_stocks_per_shard: u16,
    /// Ledger rows of one sub-stock on one primary.
    pub stripes: u16,
}

impl Default for StockSpec {
    fn default() -> StockSpec {
        StockSpec { sub_stocks_per_shard: 1, stripes: 2 }
    }
}

/// A checked topology: every tail has one primary, every key one shard.
///
/// Only [`Topology::parse`] and [`Topology::load`] make one. The routes are computed then and kept; to edit the public
/// fields of a copy changes no route.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Counts the changes of the topology, from 1.
    pub version: u64,
    /// The primaries, by ascending id. The ids may have holes: one that is taken away renames no other.
    pub primaries: Vec<Primary>,
    /// The shards, by ascending id. The ids may have holes.
    pub shards: Vec<Shard>,
    /// The primary that holds the meta schema.
    pub meta: PrimaryId,
    /// How the ring is built.
    pub ring: RingSpec,
    /// How new templates are cut.
    pub stock: StockSpec,
    routes: Routes,
}

/// What follows from the rest, computed once.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    pub(crate) tails: TailMap,
    pub(crate) ring: Ring,
}

/// The parts of a topology, checked and in ascending order of their ids.
pub(crate) struct Parts {
    pub(crate) version: u64,
    pub(crate) primaries: Vec<Primary>,
    pub(crate) shards: Vec<Shard>,
    pub(crate) meta: PrimaryId,
    pub(crate) ring: RingSpec,
    pub(crate) stock: StockSpec,
    pub(crate) routes: Routes,
}

impl Topology {
    pub(crate) fn new(parts: Parts) -> Topology {
        let Parts { version, primaries, shards, meta, ring, stock, routes } = parts;
        Topology { version, primaries, shards, meta, ring, stock, routes }
    }

    /// The primary that holds the users of this tail. One array read.
    #[must_use]
    pub fn primary_of(&self, tail: Tail) -> PrimaryId {
        self.routes.tails.primary_of(tail)
    }

    /// A primary by its id.
    #[must_use]
    pub fn primary(&self, id: PrimaryId) -> Option<&Primary> {
        let index = self.primaries.binary_search_by_key(&id, |primary| primary.id).ok()?;
        self.primaries.get(index)
    }

    /// A shard by its id.
    #[must_use]
    pub fn shard(&self, id: ShardId) -> Option<&Shard> {
        let index = self.shards.binary_search_by_key(&id, |shard| shard.id).ok()?;
        self.shards.get(index)
    }

    /// The shard that owns a key. One hash and one binary search.
    #[must_use]
    pub fn shard_of_key(&self, key: &str) -> ShardId {
        self.routes.ring.owner(key)
    }

    /// The sub-stock suffixes for a template that is about to be published: the same number on every shard.
    ///
    /// The result is kept with the template. Do not compute it again for one that exists: another topology gives
    /// other suffixes, while the keys of the first ones hold the stock.
    ///
    /// # Errors
    /// When 65,536 suffixes do not fill every shard; the checks of the topology make that a practical impossibility.
    pub fn place(&self, template_id: u32) -> Result<Vec<SubStock>, PlaceError> {
        self.routes.ring.place(template_id, self.stock.sub_stocks_per_shard)
    }

    /// Every tail with its primary, by ascending tail.
    pub fn tails(&self) -> impl Iterator<Item = (Tail, PrimaryId)> + '_ {
        Tail::all().zip(self.routes.tails.iter())
    }
}
