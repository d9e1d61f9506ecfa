//! The meta store on real servers of both flavours.

mod revision;
pub(crate) mod settle;
pub(crate) mod stock;
pub(crate) mod template;
