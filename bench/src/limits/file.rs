//! The file of limits: TOML, versioned, with units. `bench/README.md` explains it to those who write a planner.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::report::Environment;

/// The version of the form; raised when a field changes its meaning or goes away.
pub const VERSION: u32 = 1;
/// What is planned with is the limit divided by it.
pub const HEADROOM: f64 = 1.5;

/// Every limit that was found, and on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// [`VERSION`] when it was written.
    pub version: u32,
    /// [`HEADROOM`] when it was written.
    pub headroom: f64,
    /// Seconds since 1970-01-01 UTC.
    pub measured_at_s: u64,
    /// The sources' commit; with a mark if they were changed since.
    pub commit: String,
    /// The machine and the servers.
    pub environment: Environment,
    /// What an acknowledged commit survives: the variables of the database servers as they say them.
    pub durability: BTreeMap<String, String>,
    /// By name, as in `primary_writes`.
    pub limits: BTreeMap<String, Limit>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// What is counted, as in `claims/s`.
    pub unit: String,
    /// Of what it is the limit.
    pub of: String,
    /// The highest rate that held, as it was achieved.
    pub value: f64,
    /// What to plan with: `value` / headroom.
    pub plan: f64,
    /// The rate for each core that the measured tier used: what a machine of its own may take per core.
    pub per_core: f64,
    /// True if something else gave way first: then the limit is at least `value`.
    pub at_least: bool,
    /// What gave way: `client`, `proxy`, `redis`, `mysql` (their CPU), `waiting` (no CPU was short), or `nothing`.
    pub bound_by: String,
    /// Latency while the limit just held, from when a request was due.
    pub p50_ms: f64,
    /// The same, the 99th percentile.
    pub p99_ms: f64,
    /// Database servers.
    pub primaries: u16,
    /// Redis servers.
    pub shards: u16,
    /// Proxies.
    pub proxies: u16,
    /// Length of one rung, in milliseconds.
    pub window_ms: u64,
    /// Cores in use while the limit just held.
    pub cores: Cores,
    /// Every rung, in the order in which they were tried.
    pub rungs: Vec<Rung>,
}

/// Cores in use, by tier.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cores {
    /// This program: one thread.
    pub client: f64,
    /// The proxy.
    pub proxy: f64,
    /// All Redis servers: one thread each.
    pub redis: f64,
    /// All database servers.
    pub mysql: f64,
}

/// One load that was tried.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rung {
    /// Requests a second that were due.
    pub offered_per_s: u64,
    /// Requests a second that were decided.
    pub achieved_per_s: f64,
    /// The median latency.
    pub p50_ms: f64,
    /// Of a hundred requests, 99 were answered sooner.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Coupons in one transaction.
    pub rows_per_transaction: f64,
    /// Why it was too much; absent if it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broke: Option<String>,
    /// Cores in use.
    pub cores: Cores,
}

impl Limits {
    pub(super) fn new(
        measured_at_s: u64,
        commit: String,
        environment: Environment,
        durability: BTreeMap<String, String>,
        limits: BTreeMap<String, Limit>,
    ) -> Self {
        Self { version: VERSION, headroom: HEADROOM, measured_at_s, commit, environment, durability, limits }
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |problem: String| Error::Report { path: path.to_owned(), problem };
        let text = toml::to_string(self).map_err(|error| failed(error.to_string()))?;
        fs::write(path, text).map_err(|error| failed(error.to_string()))
    }

    /// # Errors
    /// When the file cannot be read, is none of limits, or is of another version.
    pub fn read(path: &Path) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let failed = |problem: String| Error::Report { path: path.to_owned(), problem };
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let found: Versioned = toml::from_str(&text).map_err(|error| failed(format!("no limits: {error}")))?;
        if found.version != VERSION {
            return Err(failed(format!("limits of version {}; this program reads {VERSION}", found.version)));
        }
        toml::from_str(&text).map_err(|error| failed(format!("no limits: {error}")))
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.environment.debug_build {
            writeln!(f, " ATTENTION    built without optimisation: these figures say nothing")?;
        }
        for (name, limit) in &self.limits {
            writeln!(f, " {name:<16} {limit}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = if self.at_least { "at least " } else { "" };
        write!(
            f,
            "{least}{:.0} {} (plan with {:.0}; {:.0} a core; p99 {:.1} ms; bound by {})",
            self.value, self.unit, self.plan, self.per_core, self.p99_ms, self.bound_by
        )
    }
}

impl Cores {
    /// All tiers together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.client + self.proxy + self.redis + self.mysql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_another_version_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("limits.toml");
        let limit = Limit {
            unit: "coupons/s".to_owned(),
            of: "one primary".to_owned(),
            value: 30_000.0,
            plan: 20_000.0,
            per_core: 40_000.0,
            at_least: false,
            bound_by: "mysql".to_owned(),
            p50_ms: 1.0,
            p99_ms: 9.0,
            primaries: 1,
            shards: 1,
            proxies: 1,
            window_ms: 10_000,
            cores: Cores { mysql: 0.75, ..Cores::default() },
            rungs: vec![Rung::default(), Rung { broke: Some("too much".to_owned()), ..Rung::default() }],
        };
        let limits = BTreeMap::from([("primary_writes".to_owned(), limit)]);
        let limits = Limits::new(1, "abc".to_owned(), Environment::default(), BTreeMap::new(), limits);
        limits.write(&path).expect("written");
        assert_eq!(Limits::read(&path).expect("read"), limits);
        let text = fs::read_to_string(&path).expect("text");
        assert!(text.contains("[limits.primary_writes]") && text.contains("headroom = 1.5"), "{text}");
        Limits { version: VERSION + 1, ..limits }.write(&path).expect("written");
        assert!(Limits::read(&path).is_err_and(|error| error.to_string().contains("version")));
    }
}
