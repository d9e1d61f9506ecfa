//! What to run, as it is told on the command line.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::Error;
use crate::arrival::Spacing;
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

/// What is measured, and how often.
#[derive(Debug, Clone, Args)]
pub struct WindowSpec {
    /// Load before the measurement, as in 3s or 500ms.
    #[arg(long, default_value = "3s", value_parser = duration)]
    pub warm_up: Duration,
    /// The measurement.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub duration: Duration,
    /// How often to measure, on the same servers with new templates.
    #[arg(long, default_value_t = 1)]
    pub repeats: u32,
    /// Users, templates and arrivals follow from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// How load is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoopKind {
    /// A fixed number of claims in flight: finds the ceiling.
    Closed,
    /// Claims are due at a rate, whatever the answers do: finds the latency.
    Open,
}

/// One bench through the proxy.
#[derive(Debug, Clone, Args)]
pub struct RunSpec {
    /// What callers do.
    #[arg(long, value_enum, default_value = "rush")]
    pub workload: Kind,
    /// How load is made.
    #[arg(long = "loop", value_enum, default_value = "closed")]
    pub loop_kind: LoopKind,
    /// Claims in flight; in an open loop the most that are allowed before claims wait (and their latency shows it).
    #[arg(long, value_name = "N")]
    pub in_flight: Option<usize>,
    /// Claims a second in an open loop.
    #[arg(long, value_name = "R", default_value_t = 50_000)]
    pub rate: u64,
    /// In an open loop: claims arrive independently of each other.
    #[arg(long)]
    pub poisson: bool,
    /// One deadline over all attempts of a claim.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub deadline: Duration,
    /// Connections to each proxy.
    #[arg(long, default_value_t = 2)]
    pub connections: usize,
    /// The servers.
    #[command(flatten)]
    pub bed: BedSpec,
    /// The measurement.
    #[command(flatten)]
    pub window: WindowSpec,
    /// Writes the report to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
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
    /// The servers.
    #[command(flatten)]
    pub bed: BedSpec,
    /// The measurement.
    #[command(flatten)]
    pub window: WindowSpec,
    /// Writes the reports to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
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

/// How load is made, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    Closed { in_flight: usize },
    Open { rate_per_s: u64, spacing: Spacing, in_flight_max: usize },
}

impl RunSpec {
    pub(crate) fn load(&self) -> Load {
        match self.loop_kind {
            LoopKind::Closed => Load::Closed { in_flight: self.in_flight.unwrap_or(20_000) },
            LoopKind::Open => Load::Open {
                rate_per_s: self.rate,
                spacing: if self.poisson { Spacing::Poisson } else { Spacing::Constant },
                in_flight_max: self.in_flight.unwrap_or(32_768),
            },
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = [
            (
                self.bed.primaries == 0 || self.bed.shards == 0 || self.bed.proxies == 0,
                "a server of each kind is needed",
            ),
            (self.window.repeats == 0, "--repeats must be at least 1"),
            (self.window.duration.is_zero(), "--duration must be more than nothing"),
            (self.in_flight == Some(0), "--in-flight must be at least 1"),
            (self.rate == 0, "--rate must be at least 1"),
        ];
        match wrong.iter().find(|(wrong, _)| *wrong) {
            Some((_, why)) => Err(Error::Arguments((*why).to_owned())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { in_flight } => write!(f, "closed loop, {in_flight} in flight"),
            Self::Open { rate_per_s, spacing, .. } => {
                let how = if *spacing == Spacing::Poisson { "Poisson" } else { "constant" };
                write!(f, "open loop, {rate_per_s} a second, {how}")
            }
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "a number with a unit, as in 10s".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "min" => Ok(Duration::from_secs(number * 60)),
        _ => Err("the unit must be ms, s or min".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "1h", "-1s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
