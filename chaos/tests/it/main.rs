//! The testbed, on real servers.

mod start;
