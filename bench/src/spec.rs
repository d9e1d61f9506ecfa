//! What to run, as it is told on the command line.
//!
//! - `load`: how load is made. `duration`: times with a unit.
//! - What several commands take alike is written once and flattened into each.

mod duration;
mod load;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

pub(crate) use self::duration::duration;
pub(crate) use self::load::{Load, LoadShare};
pub use self::load::{LoadSpec, LoopKind};
use crate::Error;
use crate::workload::Kind;

/// The servers.
#[derive(Debug, Clone, Args)]
pub struct BedSpec {
    /// How many database servers.
    #[arg(long, default_value_t = 30)]
    pub primaries: u16,
    /// How many Redis servers.
    #[arg(long, default_value_t = 6)]
    pub shards: u16,
    /// How many proxies.
    #[arg(long, default_value_t = 1)]
    pub proxies: u16,
    /// The database server's program; by default the one on PATH.
    #[arg(long, value_name = "PATH")]
    pub database_server: Option<PathBuf>,
    /// InnoDB's buffer pool on each database server, in MiB.
    #[arg(long, default_value_t = 128)]
    pub buffer_pool_mib: u32,
    /// InnoDB's redo log on each database server, in MiB.
    #[arg(long, default_value_t = 96)]
    pub redo_mib: u32,
    /// TOML that is merged into the configuration of each proxy.
    #[arg(long, value_name = "TOML", default_value = "")]
    pub proxy_config: String,
}

/// What is measured.
#[derive(Debug, Clone, Args)]
pub struct WindowSpec {
    /// Load before the measurement, as in 3s or 500ms.
    #[arg(long, default_value = "3s", value_parser = duration)]
    pub warm_up: Duration,
    /// The measurement.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub duration: Duration,
    /// Users, templates and arrivals follow from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What every bench takes: where, for how long, how often, and where its report goes.
#[derive(Debug, Clone, Args)]
pub struct BenchSpec {
    /// The servers.
    #[command(flatten)]
    pub bed: BedSpec,
    /// The measurement.
    #[command(flatten)]
    pub window: WindowSpec,
    /// How often to measure, on the same servers with new templates.
    #[arg(long, default_value_t = 1)]
    pub repeats: u32,
    /// Where the report goes.
    #[command(flatten)]
    pub output: OutputSpec,
}

/// Where reports go, besides the terminal.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputSpec {
    /// Writes the report to this file, for programs.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes the report to this file, as one page with plots.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Those who claim.
#[derive(Debug, Clone, Args)]
pub struct CallerSpec {
    /// One deadline over all attempts of a claim.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub deadline: Duration,
    /// Connections to each proxy; above 64 several clients share them.
    #[arg(long, default_value_t = 2)]
    pub connections: usize,
}

/// One bench through the proxy.
#[derive(Debug, Clone, Args)]
pub struct RunSpec {
    /// What callers do.
    #[arg(long, value_enum, default_value = "rush")]
    pub workload: Kind,
    /// How many templates there are; by default as many as the workload is known for.
    #[arg(long, value_name = "N")]
    pub templates: Option<usize>,
    /// Users of a bulk job that runs beside the claims; 0: none.
    #[arg(long, value_name = "USERS", default_value_t = 0)]
    pub bulk_users: u64,
    /// How load is made.
    #[command(flatten)]
    pub load: LoadSpec,
    /// Those who claim.
    #[command(flatten)]
    pub caller: CallerSpec,
    /// Where, for how long, how often.
    #[command(flatten)]
    pub bench: BenchSpec,
}

/// The best that the database servers can do with text.
#[derive(Debug, Clone, Args)]
pub struct CeilingSpec {
    /// Rows of one transaction; each size is measured.
    #[arg(long = "batch", value_name = "ROWS", default_values_t = [256, 1024])]
    pub batches: Vec<u16>,
    /// Connections to each primary.
    #[arg(long, default_value_t = 1)]
    pub writers: u16,
}

/// The articles' pipeline.
#[derive(Debug, Clone, Args)]
pub struct ReferenceSpec {
    /// Claims in flight in the articles' pipeline.
    #[arg(long, default_value_t = 2_000)]
    pub reference_in_flight: usize,
    /// Its connections to each primary.
    #[arg(long, default_value_t = 16)]
    pub mysql_pool: usize,
    /// Its connections to each shard.
    #[arg(long, default_value_t = 1)]
    pub redis_pool: usize,
}

/// A way without a proxy.
#[derive(Debug, Clone, Args)]
pub struct DirectSpec<W: Args> {
    /// The way.
    #[command(flatten)]
    pub way: W,
    /// Where, for how long, how often.
    #[command(flatten)]
    pub bench: BenchSpec,
}

/// Proxy, reference and ceiling in turn on the same servers.
#[derive(Debug, Clone, Args)]
pub struct CompareSpec {
    /// Through the proxy: `rush`.
    #[command(flatten)]
    pub run: RunSpec,
    /// The ceiling.
    #[command(flatten)]
    pub ceiling: CeilingSpec,
    /// The reference.
    #[command(flatten)]
    pub reference: ReferenceSpec,
}

impl WindowSpec {
    /// The same under another seed: no repeat may meet the rows of the one before.
    pub(crate) fn of_repeat(&self, repeat: u32) -> Self {
        Self { seed: self.seed.wrapping_add(u64::from(repeat) << 32), ..self.clone() }
    }
}

impl BedSpec {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let none = self.primaries == 0 || self.shards == 0 || self.proxies == 0;
        refuse(&[(none, "a server of each kind is needed: --primaries, --shards and --proxies must be at least 1")])
    }
}

impl BenchSpec {
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.bed.check()?;
        refuse(&[
            (self.repeats == 0, "--repeats must be at least 1"),
            (self.window.duration.is_zero(), "--duration must be more than nothing"),
        ])
    }
}

impl RunSpec {
    /// How load is made, with the defaults of the workload.
    pub(crate) fn load(&self) -> Load {
        self.load.load(self.workload.in_flight())
    }

    /// How many templates there are.
    pub(crate) fn templates(&self) -> usize {
        self.templates.unwrap_or_else(|| self.workload.templates())
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.bench.check()?;
        self.load.check()?;
        refuse(&[
            (self.caller.connections == 0, "--connections must be at least 1"),
            (self.templates == Some(0), "--templates must be at least 1"),
        ])
    }
}

/// The first that is wrong.
pub(crate) fn refuse(wrong: &[(bool, &str)]) -> Result<(), Error> {
    match wrong.iter().find(|(wrong, _)| *wrong) {
        Some((_, why)) => Err(Error::Arguments((*why).to_owned())),
        None => Ok(()),
    }
}
