//! The `scrip-proxy` command.

use std::future::Future;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use scrip_proxy::cli::{Cli, Command, ConfigFile, audit, check};
use scrip_proxy::config::Config;
use scrip_proxy::store::mysql;
use scrip_proxy::telemetry;
use scrip_shard_config::Topology;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // An audit that could not be made must never look like one with findings.
    let failed = if matches!(cli.command, Command::Audit { .. }) { 2 } else { 1 };
    execute(cli.command).unwrap_or_else(|error| {
        eprintln!("scrip-proxy: {error:#}");
        ExitCode::from(failed)
    })
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(ConfigFile { config }) => run(Config::load(config)?),
        Command::Check { config: ConfigFile { config }, connect } => {
            let config = Config::load(config)?;
            let topology = Topology::load(&config.topology)?;
            print!("{}", check::describe(&config, &topology));
            anyhow::ensure!(!connect, "--connect: not there yet");
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate(ConfigFile { config }) => migrate(&Config::load(config)?),
        Command::Audit { config: ConfigFile { config }, json } => {
            let config = Config::load(config)?;
            let report = runtime(config.worker_threads)?.block_on(audit::audit(&config, json.as_deref()))?;
            print!("{report}");
            Ok(ExitCode::from(report.verdict.exit_code()))
        }
    }
}

fn run(config: Config) -> anyhow::Result<ExitCode> {
    telemetry::init_logs(&config.log)?;
    let runtime = runtime(config.worker_threads)?;
    runtime.block_on(async {
        let shutdown = shutdown_signal()?;
        scrip_proxy::run(config, shutdown).await.context("run")?;
        anyhow::Ok(ExitCode::SUCCESS)
    })
}

/// Prints a line a primary; fails unless all of them are up to date.
fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let topology = Topology::load(&config.topology)?;
    let timeouts = config.mysql_timeouts();
    let reports = runtime(config.worker_threads)?.block_on(mysql::migrate::migrate(&topology, timeouts));
    let mut failed = false;
    for report in reports {
        match report.outcome {
            Ok(done) if done.applied.is_empty() => println!("{}: up to date", report.primary),
            Ok(done) => println!("{}: applied {}", report.primary, done.applied.join(", ")),
            Err(error) => {
                failed = true;
                eprintln!("{}: {error}", report.primary);
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn runtime(worker_threads: usize) -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads)
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Ends with the first SIGTERM or SIGINT. The second ends the process at once: a drain that somebody has lost patience
/// with is safe to cut, since a proxy holds no state.
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let token = CancellationToken::new();
    let first = token.clone();
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" };
        let signal = next().await;
        tracing::info!(signal, "draining");
        first.cancel();
        let signal = next().await;
        tracing::warn!(signal, "ending at once");
        std::process::exit(130);
    });
    Ok(token.cancelled_owned())
}
