//! The testbed, on real servers.

mod arrows;
mod audit;
mod conformance;
mod database;
mod demo;
mod end;
mod end_to_end;
mod link;
mod meta_store;
mod proxy;
mod record_store;
mod redis;
mod run;
mod sim;
mod start;
mod stock_store;
mod support;
