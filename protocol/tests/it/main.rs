//! The wire format as others see it: bytes, numbers and tables that must not change by accident.
//!
//! `UPDATE_GOLDEN=1 cargo test -p scrip-protocol` writes the tables of the guide instead of comparing them.

mod golden;
mod guide;
mod numbers;
