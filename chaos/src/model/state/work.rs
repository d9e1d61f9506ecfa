//! What is under way: claims, messages, settles.

use super::PRIMARIES_MAX;
use super::store::Server;

/// Where a send of a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) enum Stage {
    /// To be sent to the stock.
    #[default]
    New,
    /// Holds a unit, nothing of it is under way.
    Holding,
    /// Waits for the answer to a record.
    Recording,
    /// A row was in its way: to be looked up in a new transaction.
    Conflict,
    /// A record was sent, and its outcome is unknown.
    Doubt,
    /// Fenced while in doubt: the old packet is dead, so a look-up is definite.
    DoubtFenced,
    /// Answered with the coupon.
    Granted,
    /// Answered *not applied*, or *unknown* if it had burned its unit.
    Refused,
}

/// One send of a request: the same request through two proxies is two of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::model) struct Claim {
    pub(in crate::model) stage: Stage,
    /// Of its unit.
    pub(in crate::model) epoch: u8,
    pub(in crate::model) sub_stock: u8,
    /// Its unit was in a record of unknown outcome.
    pub(in crate::model) burned: bool,
    /// The next number that it has seen.
    pub(in crate::model) seq: u8,
    /// The generation of the primary that it was seen on, if it is above 1.
    pub(in crate::model) seen: u8,
}

impl Default for Claim {
    fn default() -> Self {
        Self { stage: Stage::New, epoch: 0, sub_stock: 0, burned: false, seq: 1, seen: 0 }
    }
}

/// One row of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(in crate::model) struct NewRow {
    pub(in crate::model) claim: u8,
    pub(in crate::model) seq: u8,
    pub(in crate::model) epoch: u8,
    pub(in crate::model) sub_stock: u8,
}

/// A record on its way to the server that its connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(in crate::model) struct Packet {
    pub(in crate::model) primary: u8,
    pub(in crate::model) generation: u8,
    pub(in crate::model) server: Server,
    /// Its sender still waits.
    pub(in crate::model) awaited: bool,
    /// Its fence was checked, and the lock let go. Only in the mutant that does so.
    pub(in crate::model) unlocked: bool,
    pub(in crate::model) rows: [Option<NewRow>; 2],
}

impl Packet {
    pub(in crate::model) fn rows(&self) -> impl Iterator<Item = NewRow> + use<> {
        self.rows.into_iter().flatten()
    }
}

/// Units on their way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(in crate::model) struct Release {
    pub(in crate::model) sub_stock: u8,
    pub(in crate::model) epoch: u8,
    /// How often it may still arrive.
    pub(in crate::model) copies: u8,
}

/// How far a settle has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(in crate::model) enum Phase {
    /// Not begun.
    #[default]
    Fresh,
    /// Step 0 done.
    Prepared,
    /// Step 1 done; step 2 under way.
    Advanced,
    /// Step 2 done on all primaries.
    Raised,
    /// Step 3 done: its install is on its way.
    Counted,
    /// Over, one way or another.
    Ended,
}

/// One settle of one sub-stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::model) struct Settle {
    pub(in crate::model) phase: Phase,
    pub(in crate::model) sub_stock: u8,
    /// Of step 0.
    pub(in crate::model) run: u8,
    /// Of step 0.
    pub(in crate::model) servers: [Server; PRIMARIES_MAX],
    /// The servers are known.
    pub(in crate::model) asked: bool,
    pub(in crate::model) epoch: u8,
    pub(in crate::model) allotment: u8,
    /// Primaries whose issued count was read, one bit each.
    pub(in crate::model) read: u8,
    /// Primaries whose fence is up, one bit each.
    pub(in crate::model) raised: u8,
    pub(in crate::model) issued: u8,
    pub(in crate::model) count: u8,
}
