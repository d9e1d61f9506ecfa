//! What it was like, as data and for people.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use crate::report::VERSION;
use crate::report::{Audit, Environment};

/// What it was like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expiry {
    /// [`VERSION`] when it was written.
    pub version: u32,
    /// The sources' commit; with a mark if they were changed since.
    pub commit: String,
    /// The machine and the servers.
    pub environment: Environment,
    /// Claims a second of the load.
    pub rate_per_s: u64,
    /// Coupons that ended together.
    pub coupons: u64,
    /// The load before the end, from it on, and after everything was written down.
    pub phases: Vec<Phase>,
    /// Reads of coupons that had ended, from the first moment on.
    pub reads: u64,
    /// Those that did not say so.
    pub wrong_reads: u64,
    /// Coupons of which an event said that they expired.
    pub told: u64,
    /// From the end until the last of them was written down, in seconds.
    pub written_after_s: f64,
    /// From the end until the last event had arrived, in seconds.
    pub told_after_s: f64,
    /// Is the count of all coupons right?
    pub audit: Audit,
}

/// One measurement of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// When.
    pub name: String,
    /// Latency of claims, in milliseconds.
    pub p50_ms: f64,
    /// The same.
    pub p99_ms: f64,
    /// Claims that were answered.
    pub answered: u64,
    /// Coupons that were written down as expired within it.
    pub written: u64,
}

impl Expiry {
    /// The 99th percentile of a phase, as a multiple of the one before the end.
    fn ratio(&self, phase: &Phase) -> f64 {
        let before = self.phases.first().map_or(0.0, |before| before.p99_ms);
        if before > 0.0 { phase.p99_ms / before } else { 0.0 }
    }

    /// Why these figures are none.
    pub fn void(&self) -> Option<String> {
        if self.wrong_reads > 0 {
            return Some(format!(
                "{} of {} reads did not say that the coupons had ended",
                self.wrong_reads, self.reads
            ));
        }
        if self.told != self.coupons {
            return Some(format!("{} of {} coupons were told as expired", self.told, self.coupons));
        }
        self.audit.void()
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.environment.debug_build {
            writeln!(f, " ATTENTION    built without optimisation: these figures say nothing")?;
        }
        writeln!(f, " {} coupons ended at one moment, beside {} claims a second", self.coupons, self.rate_per_s)?;
        for phase in &self.phases {
            writeln!(
                f,
                " {:<16} p50 {:.1}, p99 {:.1} ms ({:.2} of before), {} claims answered, {} coupons written down",
                phase.name,
                phase.p50_ms,
                phase.p99_ms,
                self.ratio(phase),
                phase.answered,
                phase.written
            )?;
        }
        writeln!(f, " {} reads from the end on, {} of them wrong", self.reads, self.wrong_reads)?;
        writeln!(
            f,
            " all written down after {:.1} s, all events there after {:.1} s",
            self.written_after_s, self.told_after_s
        )
    }
}
