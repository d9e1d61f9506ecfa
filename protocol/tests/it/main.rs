//! The wire format as others see it: bytes, numbers and tables that must not change by accident.
//!
//! `UPDATE_GOLDEN=1 cargo test -p scrip-protocol` writes the tables of the guide instead of comparing them.

mod fuzz;
mod golden;
mod guide;
mod numbers;
#[allow(unreachable_pub, reason = "the file is also the library of the fuzz crate")]
#[path = "../../fuzz/targets.rs"]
mod targets;
mod versions;
