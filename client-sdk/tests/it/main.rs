//! The client against a scripted proxy.

mod balance;
mod bulk;
#[cfg(feature = "cli")]
mod command_line;
mod deadline;
mod doubt;
mod drain;
mod fake;
mod handshake;
mod hostile;
mod lifecycle;
mod operations;
mod pack;
mod resend;
mod stream;
