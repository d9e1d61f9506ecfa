//! The command line of the bench.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use scrip_bench::curve::{CurveSpec, curve};
use scrip_bench::expiry::{ExpirySpec, expiry};
use scrip_bench::idle::{IdleSpec, idle};
use scrip_bench::limits::{LimitsSpec, limits};
use scrip_bench::report::{Report, diff, show};
use scrip_bench::{CeilingSpec, CompareSpec, DirectSpec, ReferenceSpec, RunSpec};

#[derive(Parser)]
#[command(name = "scrip-bench", version, about = "Measures scrip on real servers, and audits every count.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Load through the proxy.
    Run(RunSpec),
    /// The same rows in the best batches of text, without a proxy.
    Ceiling(DirectSpec<CeilingSpec>),
    /// The articles' pipeline on the same stores.
    Reference(DirectSpec<ReferenceSpec>),
    /// Proxy, ceiling and reference in turn, and their ratios.
    Compare(CompareSpec),
    /// The limits of one proxy, one primary and one shard, found by raising the load until latency breaks away.
    Limits(LimitsSpec),
    /// What a claim costs as templates, primaries, coupons or connections grow.
    Curve(CurveSpec),
    /// Coupons that end at one moment: reads, the patrol and the events, beside an open loop of claims.
    Expiry(ExpirySpec),
    /// What a proxy costs that has nothing to do, alone and with many connections.
    Idle(IdleSpec),
    /// Prints reports.
    Show {
        /// Files that `--json` wrote.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Writes them to this file side by side, as one page with plots.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Compares two reports of the same load.
    Diff {
        /// The report before.
        old: PathBuf,
        /// The report after.
        new: PathBuf,
    },
}

// One thread: load and SDK together cost less on one core than across two, and leave the other to the servers.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scrip-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(spec) => drop(scrip_bench::run(&spec).await?),
        Command::Ceiling(spec) => scrip_bench::run_ceiling(&spec).await?,
        Command::Reference(spec) => scrip_bench::run_reference(&spec).await?,
        Command::Compare(spec) => scrip_bench::compare(&spec).await?,
        Command::Limits(spec) => drop(limits(&spec).await?),
        Command::Curve(spec) => drop(curve(&spec).await?),
        Command::Expiry(spec) => drop(expiry(&spec).await?),
        Command::Idle(spec) => drop(idle(&spec).await?),
        Command::Show { files, html } => print!("{}", show(&files, html.as_deref())?),
        Command::Diff { old, new } => println!("{}", diff::diff(&Report::read(&old)?, &Report::read(&new)?)?),
    }
    Ok(())
}
