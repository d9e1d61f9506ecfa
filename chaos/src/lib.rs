//! The testbed of scrip, the demo, and the proof that the count holds.
//!
//! # Purpose
//! Everything that scrip promises is shown on real database and Redis servers. This crate starts them, breaks them,
//! and takes them away again.
//!
//! # Invariants
//! - No server outlives the process that started it: not after a panic, not after `kill -9`.
//! - Only processes started here are ever signalled.
//! - No secret appears in a command line, a log line or a `Debug` output.
//! - On real servers the proxy is run as a process. Only [`sim`] links it: it runs the proxy's own pipeline on model stores.
//!
//! # Map
//! - [`testbed`]: real servers as child processes, faults for each, proxies as processes, fault-injecting links.
//! - [`install`]: which servers are missing, and how to get them from the distribution.
//! - [`model`]: the stock protocol, searched exhaustively within bounds, and deviations from it that must be caught.
//! - [`sim`]: the proxy's pipeline on model stores, in virtual time, from a seed.
//! - [`demo`]: the main job in one command. [`history`]: what clients sent and were told. [`oracle`]: is it all true?
//! - [`run`]: scenarios that break real processes on purpose.
//! - [`evidence`], `screen`, `number`: what the commands share to show a result.
//! - [`suite`]: all tests of the workspace. [`up`]: a testbed to try things on by hand.

pub mod demo;
mod error;
pub mod evidence;
pub mod history;
pub mod install;
pub mod model;
mod number;
pub mod oracle;
pub mod run;
mod screen;
pub mod sim;
pub mod suite;
pub mod testbed;
pub mod up;

pub use error::Error;
