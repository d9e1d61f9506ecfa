//! The testbed, on real servers.

mod database;
mod end;
mod link;
mod redis;
mod start;
mod support;
