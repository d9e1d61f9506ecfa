//! `scrip-shard`: check and question a topology.
fn main() {}
