//! The testbed, on real servers.

mod database;
mod end;
mod end_to_end;
mod link;
mod proxy;
mod redis;
mod start;
mod support;
