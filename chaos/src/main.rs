//! The command line of the testbed.

use std::io::{stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use scrip_chaos::demo::{self, DemoSpec, Ending};
use scrip_chaos::run::{self, RunSpec};
use scrip_chaos::testbed::TestbedSpec;
use scrip_chaos::{install, model, sim, suite, up};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(name = "scrip-chaos", version, about = "Runs scrip on real servers on this machine.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Real servers to try things on.
    #[command(subcommand)]
    Testbed(TestbedCommand),
    /// The main job on real servers: a rush on a template that sells out, and the promises with their evidence.
    Demo(DemoSpec),
    /// Breaks real processes on purpose, under load, and proves that every promise holds; says what callers felt.
    Run(RunSpec),
    /// Installs the servers that are missing, from the distribution's packages.
    Install,
    /// Installs what is missing, then runs all tests.
    Suite {
        /// Further arguments for `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        further: Vec<String>,
    },
    /// Searches the model of the stock protocol to the end.
    Model {
        /// small, large, huge, or the name of one bound. Without it: the small ones, every mutant, and the livelock.
        #[arg(long)]
        bound: Option<String>,
        /// One deviation from the protocol, which must be caught.
        #[arg(long)]
        mutant: Option<String>,
        /// Only says what bounds and mutants there are.
        #[arg(long)]
        list: bool,
    },
    /// Runs the proxy's pipeline on model stores, in virtual time: everything that happens follows from a seed.
    Sim(sim::command::Options),
}

#[derive(Subcommand)]
enum TestbedCommand {
    /// Starts servers and keeps them until Ctrl-C.
    Up {
        /// How many database servers.
        #[arg(long, default_value_t = 30)]
        primaries: u16,
        /// How many Redis servers.
        #[arg(long, default_value_t = 6)]
        shards: u16,
        /// The database server's program; by default the one on PATH.
        #[arg(long, value_name = "PATH")]
        database_server: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match execute(Arguments::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("scrip-chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Testbed(TestbedCommand::Up { primaries, shards, database_server }) => {
            let spec = TestbedSpec { database_server, ..TestbedSpec::new(primaries, shards) };
            up::up(spec, &mut stdout(), end_signal()?).await?;
        }
        Command::Demo(spec) => {
            return Ok(match demo::run(spec, end_signal()?).await? {
                Ending::Held => ExitCode::SUCCESS,
                Ending::Broken => ExitCode::FAILURE,
                // As a shell says of a program that Ctrl-C ended.
                Ending::Interrupted => ExitCode::from(130),
            });
        }
        Command::Run(spec) => {
            return Ok(match run::run(spec, end_signal()?).await? {
                run::Ending::Held => ExitCode::SUCCESS,
                run::Ending::Broken => ExitCode::FAILURE,
                run::Ending::Interrupted => ExitCode::from(130),
            });
        }
        Command::Install => install::install(&mut stdout())?,
        Command::Suite { further } => {
            let status = suite::suite(&mut stderr(), &further)?;
            return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Model { bound, mutant, list } => {
            return Ok(model::command::run(&model::command::Options { bound, mutant, list }));
        }
        // A runtime of its own in a thread of its own: in this one there is one already.
        Command::Sim(options) => return Ok(tokio::task::spawn_blocking(move || sim::command::run(&options)).await?),
    }
    Ok(ExitCode::SUCCESS)
}

/// Done at Ctrl-C, at SIGTERM, and when the terminal is closed.
fn end_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
