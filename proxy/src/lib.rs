//! The proxy of scrip: takes claims, counts exactly.

pub mod store;
