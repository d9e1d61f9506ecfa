//! The proxy of scrip: takes claims, counts exactly.

pub mod admin;
pub mod admission;
pub mod cli;
pub mod config;
pub mod coupon_id;
pub mod run;
pub mod store;
pub mod telemetry;

pub use run::{RunError, run};
