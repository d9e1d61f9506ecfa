//! The record store on real primaries of both flavours.

pub(crate) mod bed;

mod archive;
mod check;
mod doubt;
mod fence;
mod identity;
mod list;
mod lock;
mod migrate;
mod outbox;
mod race;
mod record;
