//! The command-line client `scrip`: see `scrip --help` and the crate's guide.

use std::process::ExitCode;

use clap::Parser;

mod cli;

fn main() -> ExitCode {
    cli::run(cli::Arguments::parse())
}
