//! The stock protocol as a model, checked exhaustively within bounds.
//!
//! # Purpose
//! A proof by enumeration that the rules of the protocol keep its promises, whatever the order of steps and whatever
//! breaks; and, by removing one rule at a time, that each is needed. What the real code does has to be held against
//! this by reading: the modules of `rules` have the names and the order of the protocol's parts.
//!
//! # What is abstracted
//! - A transaction of a record is one step: its fence is checked under a lock that is held until the commit. Stripes
//!   are one ledger row, because a fence goes up on all of them in one transaction.
//! - A crash, a freeze and a lost message are steps that never come. Messages have no order, and may be late.
//! - Epochs, nonces and terms are small numbers; a nonce is never drawn twice.
//!
//! # Map
//! - `state`: what is remembered. `rules`: what may happen. `step`: how it is told.
//! - `invariant`: what must hold. `mutant`: which rule is removed, and what breaks then.
//! - `bound`, `bounds`: how much of everything. `search`: breadth first, to the end.
//! - `livelock`: settling too eagerly, as a cycle in a model of its own.
//! - `command`: the command line.

mod bound;
mod bounds;
pub mod command;
mod invariant;
pub mod livelock;
mod mutant;
mod rules;
mod search;
mod state;
mod step;

pub use bound::{Bound, Change, Rejoin, Send, Size};
pub use bounds::BOUNDS;
pub use invariant::Invariant;
pub use mutant::{Mutant, TRIALS, Trial};
pub use search::Search;
pub use state::Faults;

use rules::Rules;

/// Searches a bound to its end, with the protocol or a mutant of it. `progress` is told the states found so far and the
/// depth, once a level.
pub fn check(bound: &Bound, mutant: Option<Mutant>, progress: &mut dyn FnMut(usize, usize)) -> Search {
    search::search(Rules { bound, mutant }, progress)
}

/// The bound of this name.
pub fn bound(name: &str) -> Option<&'static Bound> {
    BOUNDS.iter().find(|bound| bound.name == name)
}

#[cfg(test)]
mod tests;
