//! The client against a scripted proxy.

mod fake;
mod operations;
