//! The ids that routing speaks of. Each is a type of its own, so that none is passed in place of another.

use std::fmt;

/// How many tails there are: the last four digits of a user id.
pub const TAIL_COUNT: u16 = 10_000;

/// The slot of a user: the last four digits of the user id, always below [`TAIL_COUNT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tail(u16);

impl Tail {
    /// The tail of a user.
    #[must_use]
    pub const fn of_user(user_id: u64) -> Tail {
        // Below 10,000 by the modulus, so the cast loses nothing.
        Tail((user_id % TAIL_COUNT as u64) as u16)
    }

    /// The tail with this number, if there is one.
    #[must_use]
    pub const fn try_new(number: u16) -> Option<Tail> {
        if number < TAIL_COUNT { Some(Tail(number)) } else { None }
    }

    /// Every tail, ascending.
    pub fn all() -> impl ExactSizeIterator<Item = Tail> {
        (0..TAIL_COUNT).map(Tail)
    }

    /// The number, 0 to 9999.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// One MySQL server that takes writes. Shown as `p07`. The id stays when the address changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrimaryId(pub u16);

impl fmt::Display for PrimaryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:02}", self.0)
    }
}

/// One Redis server. Shown as `s3`. The ring knows the shard by this id, never by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// The suffix of a sub-stock key, the `nn` of `stock:{template_id}:{nn}`. Shown with two digits at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubStock(pub u16);

impl fmt::Display for SubStock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}
