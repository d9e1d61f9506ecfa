//! The bench harness of scrip: how fast, at what cost, and is the count right?
//!
//! # Invariants
//! - A figure without a right count is no figure: every run ends with `scrip-proxy audit` and with a count of its own, and a
//!   wrong one voids the run.
//! - In an open loop latency is measured from the moment at which a claim was due, never from when it could be sent.
//! - CPU time is what the operating system says of each process, over the measured window only.
//! - The proxy is run as a process; this crate does not link it. All SQL is in `sql`.
//!
//! # Map
//! - `spec`: what to run. [`workload`], [`arrival`]: who claims what, and when; both follow from the seed alone.
//! - `deployment`: servers, proxies, templates.
//! - `drive`: claims through the SDK's streams; `spawned`: requests that have no stream; `readers`, `quotes`, `shard_load`: kinds of
//!   those; `bulk`: a job beside them. All of them report to a `board`, which keeps the window.
//! - `recorder`, `book`: what came back. `audit`: is the count right?
//! - `usage`, `counts`, `environment`: where the time goes, and on what.
//! - `ceiling`, `reference`: other ways to the same rows, without a proxy; `direct`: their users. `compare`: all in turn.
//! - `run`: one bench from start to report. [`limits`]: what a proxy, a primary and a shard can take. [`curve`]: what a claim
//!   costs as something grows; `disk`: room for it. [`idle`]: what rest costs. [`expiry`]: coupons that end
//!   together, and the patrol beside a load.
//! - [`report`]: the result as data. `screen`, `progress`: for people.

pub mod arrival;
mod audit;
mod board;
mod book;
mod bulk;
mod ceiling;
mod compare;
mod counts;
pub mod curve;
mod deployment;
mod direct;
mod disk;
mod drive;
mod environment;
mod error;
pub mod expiry;
pub mod idle;
pub mod limits;
mod orders;
mod progress;
mod quotes;
mod readers;
mod recorder;
mod reference;
pub mod report;
mod run;
mod screen;
mod shard_load;
mod spawned;
mod spec;
mod sql;
mod usage;
pub mod workload;

pub use compare::{compare, run_ceiling, run_reference};
pub use error::Error;
pub use run::run;
pub use spec::{
    BedSpec, BenchSpec, CallerSpec, CeilingSpec, CompareSpec, DirectSpec, LoadSpec, LoopKind, OutputSpec,
    ReferenceSpec, RunSpec, WindowSpec,
};
