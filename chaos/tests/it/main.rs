//! The testbed, on real servers.

mod claim;
mod database;
mod end;
mod link;
mod redis;
mod start;
mod support;
