//! The articles' load test as a command: what one proxy, one primary and one shard can take, found by raising the load
//! until latency breaks away. What was found goes to a file that a planner reads.
//!
//! - `ladder`: how the load is raised, and when it counts as too much. `measure`: the load of each limit.
//! - [`mod@file`]: the form in which limits are written.

pub mod file;
mod ladder;
mod measure;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use self::file::{Limit, Limits};
pub use self::ladder::LadderSpec;
use crate::deployment::Deployment;
use crate::report::Environment;
use crate::screen::Screen;
use crate::spec::{BedSpec, WindowSpec, refuse};
use crate::{Error, environment};

/// What can be the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LimitKind {
    /// Claims through one proxy that are refused because the template is sold out: no store is asked.
    ProxyRefusals,
    /// Claims through one proxy and all stores of the topology.
    ProxyClaims,
    /// Coupons written to one primary.
    PrimaryWrites,
    /// Users' coupons listed from one primary.
    PrimaryReads,
    /// Deductions on one shard, each of one call and one sub-stock.
    ShardCalls,
}

/// Which limits to find, on what, and how.
#[derive(Debug, Clone, Args)]
pub struct LimitsSpec {
    /// Which limits, separated by commas; by default all.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIMIT")]
    pub only: Vec<LimitKind>,
    /// The servers behind the proxy whose limits are found; a primary and a shard are measured alone.
    #[command(flatten)]
    pub bed: BedSpec,
    /// One rung.
    #[command(flatten)]
    pub window: WindowSpec,
    /// How the load is raised.
    #[command(flatten)]
    pub ladder: LadderSpec,
    /// Writes what was found to this file, for the planner.
    #[arg(long, value_name = "FILE", default_value = "limits.toml")]
    pub out: PathBuf,
}

impl LimitKind {
    /// Its key in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ProxyRefusals => "proxy_refusals",
            Self::ProxyClaims => "proxy_claims",
            Self::PrimaryWrites => "primary_writes",
            Self::PrimaryReads => "primary_reads",
            Self::ShardCalls => "shard_calls",
        }
    }

    /// The servers on which it is found.
    fn bed(self, whole: &BedSpec) -> BedSpec {
        match self {
            Self::ProxyRefusals | Self::ProxyClaims => BedSpec { proxies: 1, ..whole.clone() },
            Self::PrimaryWrites | Self::PrimaryReads | Self::ShardCalls => {
                BedSpec { primaries: 1, shards: 1, proxies: 1, ..whole.clone() }
            }
        }
    }
}

/// Finds the limits, prints them and writes them.
///
/// # Errors
/// When one could not be measured, or a count is wrong: then nothing is written.
pub async fn limits(spec: &LimitsSpec) -> Result<Limits, Error> {
    spec.bed.check()?;
    spec.ladder.check()?;
    refuse(&[(spec.window.duration.is_zero(), "--duration must be more than nothing")])?;
    let screen = Screen::new();
    let mut kinds = if spec.only.is_empty() { LimitKind::value_variants().to_vec() } else { spec.only.clone() };
    kinds.sort_unstable();
    kinds.dedup();
    let (mut found, mut background) = (BTreeMap::new(), None);
    for kind in kinds {
        screen.say(&format!("limit of {}", kind.name()));
        let (limit, read) = one(kind, spec, screen).await?;
        screen.say(&format!("  {}: {limit}", kind.name()));
        background.get_or_insert(read);
        found.insert(kind.name().to_owned(), limit);
    }
    let Some((environment, durability)) = background else {
        return Err(Error::Arguments("no limit was asked for".to_owned()));
    };
    let measured_at_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let limits = Limits::new(measured_at_s, environment::commit(), environment, durability, found);
    screen.result(&limits.to_string());
    limits.write(&spec.out)?;
    Ok(limits)
}

type Background = (Environment, BTreeMap<String, String>);

/// On servers of its own, so that no limit is found on what another left behind.
async fn one(kind: LimitKind, spec: &LimitsSpec, screen: Screen) -> Result<(Limit, Background), Error> {
    let deployment = Deployment::start(&kind.bed(&spec.bed), screen).await?;
    let background = environment::read(&deployment).await?;
    let limit = measure::limit(kind, &deployment, spec, screen).await?;
    Ok((limit, background))
}
