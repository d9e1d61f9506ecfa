//! What the ways without a proxy share.

use scrip_shard_config::{PrimaryId, Topology};

use crate::arrival::mix;

/// Users of one primary.
#[derive(Debug, Clone)]
pub(crate) struct UsersOf {
    tails: Vec<u64>,
}

impl UsersOf {
    pub(crate) fn new(topology: &Topology, primary: PrimaryId) -> Self {
        let tails = topology.tails().filter(|(_, id)| *id == primary).map(|(tail, _)| u64::from(tail.get()));
        Self { tails: tails.collect() }
    }

    /// Another user for each number below 2^27, in no order: multiplying by an odd number permutes.
    pub(crate) fn user(&self, number: u64) -> u64 {
        let tail = self.tails[(mix(1, number) % self.tails.len() as u64) as usize];
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (1 << 27) + 1) * 10_000 + tail
    }
}
