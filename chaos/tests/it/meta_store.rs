//! The meta store on real servers of both flavours.

mod revision;
mod settle;
mod stock;
mod template;
