//! The Redis shards.
