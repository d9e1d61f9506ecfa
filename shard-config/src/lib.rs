//! The topology of scrip: which MySQL primary holds a user, which Redis shard holds a sub-stock.
//!
//! Every process that has to know a route links this crate, and so all of them compute the same one: the proxy, the
//! oracle of the chaos harness, the bench.
//!
//! Invariants:
//!
//! - A [`Topology`] exists only checked. Every tail has exactly one primary and every key exactly one shard, so that
//!   routing cannot fail.
//! - Routing is pure and frozen: no clock, no randomness, no I/O, the same answer in every release. Committed golden
//!   routes hold it in place.
//! - Addresses decide no route. A server that moves keeps its id, its users and its keys.
//! - A file is refused as a whole, with everything that is wrong with it; no default stands in for a value that did not
//!   parse.
//! - Secrets are never in the file, and never in a message.
//! - The crate depends on no other crate of scrip.
//!
//! Modules:
//!
//! - `id`: tails, and the ids of primaries, shards and sub-stocks
//! - `address`, `secret`: the leaves of a topology
//! - `topology`: the parts, and the routes
//! - `tails`: from tail ranges to primaries
//! - `ring`: from keys to shards, and balanced placement
//! - `fingerprint`: what two processes compare to know that they route alike
//! - `parse`: from text to a checked topology; `violation`: all that is wrong with it
//! - `load`: from a file; the only I/O
//! - `local`: writes the topology of a testbed
//! - `limits`: every limit, with the failure that it prevents

mod address;
mod fingerprint;
mod id;
pub mod limits;
mod load;
mod local;
mod parse;
mod ring;
mod secret;
mod tails;
mod topology;
mod violation;

pub use address::{Address, AddressError};
pub use fingerprint::Fingerprint;
pub use id::{PrimaryId, ShardId, SubStock, TAIL_COUNT, Tail};
pub use load::LoadError;
pub use local::{Local, local, local_with_replicas};
pub use ring::{PlaceError, stock_key};
pub use secret::{Secret, SecretRef};
pub use topology::{Primary, RingSpec, Shard, StockSpec, Topology};
pub use violation::{Violation, Violations};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
