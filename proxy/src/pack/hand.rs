//! What a pack holds out to the stock lanes: one hand for each unit that it wants, or one to wait with.

use scrip_protocol::v1::Code;
use tokio::sync::oneshot;

use crate::claim::Unit;

/// What was put into a hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A unit.
    Unit(Unit),
    /// No sub-stock has one now: wait, with empty hands.
    Short,
    /// After a wait: it may be tried again.
    Open,
    /// There will be none.
    Refused {
        /// Why.
        code: Code,
        /// For people.
        detail: String,
    },
}

/// One hand of a pack. Dropped with nothing in it, the pack learns that too.
#[derive(Debug)]
pub struct Hand {
    to: oneshot::Sender<Taken>,
    waits: bool,
}

impl Hand {
    /// For a unit, at once or not at all.
    pub fn takes() -> (Self, oneshot::Receiver<Taken>) {
        Self::held_out(false)
    }

    /// For the news that the template's sub-stocks were tended.
    pub fn waits_for() -> (Self, oneshot::Receiver<Taken>) {
        Self::held_out(true)
    }

    fn held_out(waits: bool) -> (Self, oneshot::Receiver<Taken>) {
        let (to, from) = oneshot::channel();
        (Self { to, waits }, from)
    }

    /// It may wait for as long as it takes.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// # Errors
    /// Gives it back when the pack is gone.
    pub fn give(self, taken: Taken) -> Result<(), Taken> {
        self.to.send(taken)
    }
}
