//! The result as data: a versioned form that other programs may read.
//!
//! - [`figures`]: what one measurement yields. [`table`]: the same for people. [`diff`]: two reports side by side.
//! - [`html`]: one page with plots. `together`: several reports of one bench. `output`: where they go.

pub mod diff;
pub mod figures;
pub mod html;
mod output;
pub mod table;
mod together;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use figures::{Audit, Backend, CpuPerClaim, Figures, Latency, Quantile, Refusal, Second, Spread, Stage};
pub use output::show;
pub use together::Together;

use crate::Error;

/// The version of the form; raised when a field changes its meaning or goes away.
pub const VERSION: u32 = 2;

/// One bench: several measurements of one thing under one load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`VERSION`] when it was written.
    pub version: u32,
    /// What was measured, and under which load. Only reports in which this is the same can be compared.
    pub subject: Subject,
    /// The sources' commit; with a mark if they were changed since.
    pub commit: String,
    /// The machine and the servers.
    pub environment: Environment,
    /// What an acknowledged commit survives: the variables of the database servers as they say them.
    pub durability: BTreeMap<String, String>,
    /// The measurement with the median rate; of an even number, the lower one.
    #[serde(flatten)]
    pub figures: Figures,
    /// Claims a second over all measurements.
    pub spread: Spread,
    /// Every measurement, in order.
    pub repeats: Vec<Figures>,
}

/// What was measured, and under which load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The way that claims take: `proxy`, `reference` or `ceiling`.
    pub path: String,
    /// What callers do.
    pub workload: String,
    /// How load is made.
    pub load: String,
    /// Database servers.
    pub primaries: u16,
    /// Redis servers.
    pub shards: u16,
    /// Proxies.
    pub proxies: u16,
    /// Length of the measured window, in milliseconds.
    pub duration_ms: u64,
    /// Load before it, in milliseconds.
    pub warm_up_ms: u64,
    /// Further settings of the load.
    pub settings: BTreeMap<String, String>,
}

/// The machine and the servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// Cores that this process may use.
    pub cores: usize,
    /// The processor's name.
    pub processor: String,
    /// Main memory.
    pub memory_mib: u64,
    /// The operating system's name.
    pub system: String,
    /// The kernel's version.
    pub kernel: String,
    /// The machine's load averages before the bench: what else was going on.
    pub load_before: String,
    /// The database servers' version, as they say it.
    pub database: String,
    /// The Redis servers' version, as they say it.
    pub redis: String,
    /// Built without optimisation: such figures say nothing.
    pub debug_build: bool,
}

impl Report {
    /// A report of these measurements, of which there is at least one.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(
        subject: Subject,
        commit: String,
        (environment, durability): (Environment, BTreeMap<String, String>),
        repeats: Vec<Figures>,
    ) -> Result<Self, Error> {
        let mut order: Vec<&Figures> = repeats.iter().collect();
        order.sort_by(|a, b| a.claims_per_s.total_cmp(&b.claims_per_s));
        let nothing = || Error::Arguments("nothing was measured".to_owned());
        let [min, .., max] = [*order.first().ok_or_else(nothing)?, *order.last().ok_or_else(nothing)?];
        let median = order[(order.len() - 1) / 2];
        let spread = Spread { min: min.claims_per_s, median: median.claims_per_s, max: max.claims_per_s };
        let figures = median.clone();
        Ok(Self { version: VERSION, subject, commit, environment, durability, figures, spread, repeats })
    }

    /// # Errors
    /// When the file cannot be read, is not a report, or is one of another version.
    pub fn read(path: &Path) -> Result<Self, Error> {
        read_json(path)
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_json(path, self)
    }

    /// Why the figures of some measurement are void; none if every count is right.
    #[must_use]
    pub fn void(&self) -> Option<String> {
        self.repeats.iter().find_map(|figures| figures.audit.void())
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let failed = |problem: String| Error::Report { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let found: Versioned = serde_json::from_str(&text).map_err(|error| failed(format!("no report: {error}")))?;
    if found.version != VERSION {
        return Err(failed(format!("a report of version {}; this program reads {VERSION}", found.version)));
    }
    serde_json::from_str(&text).map_err(|error| failed(format!("no report: {error}")))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let failed = |problem: String| Error::Report { path: path.to_owned(), problem };
    let text = serde_json::to_string_pretty(value).map_err(|error| failed(error.to_string()))?;
    fs::write(path, text + "\n").map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
pub(in crate::report) mod tests;
