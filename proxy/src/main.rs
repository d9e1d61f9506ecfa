//! The `scrip-proxy` command.

use std::future::Future;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use scrip_proxy::cli::{self, Cli, Command, ConfigFile};
use scrip_proxy::config::Config;
use scrip_proxy::telemetry;
use scrip_shard_config::Topology;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Requests live for milliseconds to a second and end in no order, which is what the system's allocator is slowest at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        Command::Check { config: ConfigFile { config }, connect } => check(&Config::load(config)?, connect),
        Command::Migrate(ConfigFile { config }) => migrate(&Config::load(config)?),
        Command::Audit { config: ConfigFile { config }, json, archive } => {
            audit(&Config::load(config)?, json.as_deref(), archive.as_deref())
        }
    }
}

fn check(config: &Config, connect: bool) -> anyhow::Result<ExitCode> {
    let topology = Arc::new(Topology::load(&config.topology)?);
    print!("{}", cli::check::describe(config, &topology));
    if !connect {
        return Ok(ExitCode::SUCCESS);
    }
    let connected = runtime(config.worker_threads)?.block_on(cli::connect::connect(config, &topology))?;
    print!("{}", connected.text);
    anyhow::ensure!(connected.problems == 0, "{} problem(s)", connected.problems);
    Ok(ExitCode::SUCCESS)
}

fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let topology = Topology::load(&config.topology)?;
    let (text, done) = runtime(config.worker_threads)?.block_on(cli::migrate::migrate(config, &topology));
    print!("{text}");
    anyhow::ensure!(done, "not every primary is ready; run it again");
    Ok(ExitCode::SUCCESS)
}

fn audit(config: &Config, json: Option<&Path>, archive: Option<&Path>) -> anyhow::Result<ExitCode> {
    let report = runtime(config.worker_threads)?.block_on(cli::audit::audit(config, json, archive))?;
    print!("{report}");
    Ok(ExitCode::from(report.verdict.exit_code()))
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
