//! `scrip-shard`: checks a topology file, and answers what routes where. It reads files and connects to nothing.
//!
//! One module a command: its arguments, and a `run` that gives the text to print.

mod balance;
mod check;
mod local;
mod route;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Check a topology file, and see what routes where.
#[derive(Parser)]
#[command(name = "scrip-shard", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Route(route::Args),
    Balance(balance::Args),
    Local(local::Args),
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by returning it: that prints a backtrace too where the environment asks for one.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let text = match command {
        Command::Check(args) => check::run(&args)?,
        Command::Route(args) => route::run(&args)?,
        Command::Balance(args) => balance::run(&args)?,
        Command::Local(args) => local::run(&args)?,
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads our output has seen enough of it.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
