//! The whole system on real stores: proxies as processes, the client on real sockets.
//!
//! Every case runs on each database server under test (`SCRIP_TEST_MYSQL` adds one). Cases that break nothing share a
//! testbed and have templates and users of their own; cases that break something have a testbed of their own.

mod archive;
mod audit;
mod bulk;
mod claim;
mod daily;
mod events;
mod exchange;
mod frame;
mod order;
mod other_language;
mod overload;
mod pack;
mod patrol;
mod primary_fault;
mod program;
mod proxy_fault;
mod quote;
mod replica;
mod scene;
mod shard_fault;
mod stock;
mod topology;
