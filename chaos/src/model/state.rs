//! What the model remembers: small numbers only, so that many states fit into memory and hash fast.
//!
//! A crash needs no state of its own: whoever takes no further step has crashed, and every prefix of every run is
//! explored. The same holds for a message that is lost.

mod store;
mod work;

use super::bound::Bound;

pub(super) use store::{Data, Key, Ledger, Meta, Pending, Primary, Process, Row, Server, Shard, SubStock};
pub(super) use work::{Claim, NewRow, Packet, Phase, Release, Settle, Stage};

pub(super) const SUB_STOCKS_MAX: usize = 2;
pub(super) const PRIMARIES_MAX: usize = 2;
pub(super) const USERS_MAX: usize = 3;
pub(super) const CLAIMS_MAX: usize = 4;
pub(super) const SETTLES_MAX: usize = 3;
pub(super) const SEQ_MAX: usize = 2;
pub(super) const PACKETS_MAX: usize = 4;
pub(super) const RELEASES_MAX: usize = 3;
pub(super) const PROCESSES: usize = 2;

/// Faults that may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Faults {
    /// A Redis process restarts empty.
    pub empty: u8,
    /// A Redis process comes back with an old copy of its keys, by a restart or by a fail-over and back.
    pub old: u8,
    /// The old copy of the keys is renewed.
    pub save: u8,
    /// A second Redis process answers as the shard.
    pub split: u8,
    /// A key vanishes in a living process.
    pub vanish: u8,
    /// An install arrives, and will arrive once more.
    pub duplicate: u8,
    /// A primary fails over to a replica that may lack the last commits.
    pub fail_over: u8,
    /// A sender gives up waiting for the answer to a record, which may come late.
    pub unknown: u8,
    /// Meta is restored from a backup.
    pub meta: u8,
}

/// One state of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) meta: Meta,
    pub(super) primaries: [Primary; PRIMARIES_MAX],
    pub(super) shard: Shard,
    pub(super) claims: [Claim; CLAIMS_MAX],
    pub(super) settles: [Settle; SETTLES_MAX],
    pub(super) packets: [Option<Packet>; PACKETS_MAX],
    pub(super) releases: [Option<Release>; RELEASES_MAX],
    /// Changes of stock made so far.
    pub(super) changes: u8,
    /// Requests whose row a fail-over lost, one bit each.
    pub(super) lost: u8,
    pub(super) faults: Faults,
    /// By proxy and primary: the server last heard of. Only kept by the mutant that trusts it.
    pub(super) known: [[Server; PRIMARIES_MAX]; 2],
}

impl State {
    /// Just published and settled: epoch 1 everywhere, every unit in Redis.
    pub(super) fn initial(bound: &Bound) -> Self {
        let server = Server { identity: 0, term: 1 };
        let mut data = Data::default();
        let mut meta = Meta { servers: [server; PRIMARIES_MAX], ..Meta::default() };
        let mut keys = [Key::default(); SUB_STOCKS_MAX];
        for (index, &allotment) in bound.allotments.iter().enumerate() {
            meta.sub_stocks[index] = SubStock { allotment, epoch: 1, drained: 0 };
            meta.total += allotment;
            data.ledgers[index] = Ledger { epoch: 1, server, issued: 0 };
            keys[index] = Key { run: 1, epoch: 1, left: allotment };
        }
        let mut primaries = [Primary::default(); PRIMARIES_MAX];
        for primary in primaries.iter_mut().take(bound.primaries()) {
            *primary = Primary { identity: 0, generation: 0, data, replica: data };
        }
        let mut shard = Shard { saved: keys, runs: 1, ..Shard::default() };
        shard.processes[0] = Process { alive: true, run: 1, keys };
        Self {
            meta,
            primaries,
            shard,
            claims: Default::default(),
            settles: Default::default(),
            packets: Default::default(),
            releases: Default::default(),
            changes: 0,
            lost: 0,
            faults: bound.faults,
            known: [[server; PRIMARIES_MAX]; 2],
        }
    }

    /// Messages in flight have no order: sorted, so that states that differ in nothing else are one.
    pub(super) fn sort_messages(&mut self) {
        self.packets.sort_unstable();
        self.releases.sort_unstable();
    }
}
