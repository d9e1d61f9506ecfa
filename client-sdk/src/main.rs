//! The command-line client `scrip`.
fn main() {}
