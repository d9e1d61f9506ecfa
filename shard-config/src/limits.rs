//! Every limit of a topology, with the failure that it prevents.

use std::ops::RangeInclusive;

/// Bytes of a topology file. Prevents reading something that is no topology (a log, a device) into memory.
pub const FILE_LEN_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a secret file. Prevents sending a whole file to a server because its path was mistyped.
pub const SECRET_LEN_MAX: u64 = 4 * 1024;
/// Topology versions. The upper end is what a TOML integer and a signed SQL `BIGINT` both hold.
pub const VERSION: RangeInclusive<i64> = 1..=i64::MAX;
/// Primaries. More would make a settle, which visits each of them, too slow to be of use.
pub const PRIMARIES_MAX: usize = 1000;
/// Shards. Every template has a sub-stock on each, and every sub-stock has a row on every primary.
pub const SHARDS_MAX: usize = 256;
/// Replicas of one primary. Prevents a pasted list from opening connections without bound.
pub const REPLICAS_MAX: usize = 16;
/// Ranges of tails in one file: as many as there are tails. Prevents a check that takes minutes.
pub const TAIL_RANGES_MAX: usize = 10_000;
/// Ids of primaries and shards.
pub const ID: RangeInclusive<i64> = 0..=u16::MAX as i64;
/// Points that one shard has on the ring.
pub const VIRTUAL_NODES: RangeInclusive<i64> = 1..=4096;
/// Points on the whole ring. Building it costs time in the square of this number (a sorted array, filled one by one):
/// as many as this take a tenth of a second, thirty times as
/// many take minutes.
pub const RING_POINTS_MAX: usize = 32_768;
/// A shard must own at least the fair share of the ring divided by this. Prevents a placement from walking very far
/// to find a key for a starved shard, found when a template is published instead of when the topology is checked.
pub const RING_STARVATION_DIVISOR: u64 = 4;
/// Sub-stocks that a new template gets on each shard.
pub const SUB_STOCKS_PER_SHARD: RangeInclusive<i64> = 1..=16;
/// Ledger rows of one sub-stock on one primary. A settle locks all of them.
pub const STRIPES: RangeInclusive<i64> = 1..=64;
/// Bytes of a Unix socket path: the kernel's `sun_path` holds 108 with the closing zero.
pub const SOCKET_PATH_LEN_MAX: usize = 107;
/// Characters of a database name, as MySQL has it.
pub const DATABASE_LEN_MAX: usize = 64;
/// Characters of a user name, as MySQL has it.
pub const USER_LEN_MAX: usize = 32;
