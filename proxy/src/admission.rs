//! Admission: who calls, and how much they may.

pub mod caller;
