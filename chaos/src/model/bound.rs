//! Bounds: how much of everything there is in one run of the model. Data, each small enough to be searched to the end.

use super::state::Faults;

/// One send of a request.
#[derive(Debug, Clone, Copy)]
pub struct Send {
    /// Whose.
    pub user: u8,
    /// Sends of one request have one number.
    pub request: u8,
    /// The proxy that it reaches.
    pub proxy: u8,
}

/// A change of the template's stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// So many units more for a sub-stock.
    Grow(u8, u8),
    /// So many units fewer for a sub-stock.
    Shrink(u8, u8),
}

/// What servers call themselves after a fail-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejoin {
    /// Every server is a new one.
    Never,
    /// The third server calls itself like the first. Meta hears of every fail-over.
    SameIdentity,
}

/// One run of the model.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// For the command line.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Units of each sub-stock.
    pub allotments: &'static [u8],
    /// The primary of each user.
    pub users: &'static [u8],
    /// Coupons a user at most.
    pub limit: u8,
    /// Every send, in the order in which those that do not differ begin.
    pub sends: &'static [Send],
    /// Settles that may begin.
    pub settles: u8,
    /// Two claims may share a transaction.
    pub batches: bool,
    /// Changes of stock, in order.
    pub changes: &'static [Change],
    /// A settle may move what is left of its sub-stock to the other one.
    pub moves: bool,
    /// Faults.
    pub faults: Faults,
    /// Names of servers.
    pub rejoin: Rejoin,
    /// In the test suite, or only when asked for.
    pub size: Size,
}

/// Which runs a bound belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// In the test suite.
    Small,
    /// Minutes.
    Large,
    /// Hours, and gigabytes of memory.
    Huge,
}

impl Bound {
    /// How many primaries its users have.
    pub fn primaries(&self) -> usize {
        self.users.iter().map(|&primary| usize::from(primary) + 1).max().unwrap_or(0)
    }

    /// The primary of a send.
    pub(super) fn primary_of(&self, claim: u8) -> usize {
        usize::from(self.users[usize::from(self.sends[usize::from(claim)].user)])
    }

    /// Two sends that may be exchanged without changing anything that matters.
    pub(super) fn alike(&self, a: usize, b: usize) -> bool {
        let alone = |claim: usize| {
            let send = self.sends[claim];
            let same = |other: &&Send| other.user == send.user || other.request == send.request;
            self.sends.iter().filter(same).count() == 1
        };
        alone(a)
            && alone(b)
            && self.sends[a].proxy == self.sends[b].proxy
            && self.users[usize::from(self.sends[a].user)] == self.users[usize::from(self.sends[b].user)]
    }
}
