//! Several reports of one bench.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Report, table, write_json};
use crate::Error;

/// What `scrip-bench compare`, `ceiling` and `reference` write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Together {
    /// [`VERSION`](super::VERSION) when it was written.
    pub version: u32,
    /// By name.
    pub reports: BTreeMap<String, Report>,
    /// Of the proxy's claims a second to each other way's: the median over the rounds.
    pub ratios: BTreeMap<String, f64>,
}

impl Together {
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_json(path, self)
    }

    /// Why the figures of some measurement are void; none if every count is right.
    #[must_use]
    pub fn void(&self) -> Option<String> {
        self.reports.values().find_map(Report::void)
    }
}

impl fmt::Display for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in self.reports.values() {
            writeln!(f, "{}", table::render(report))?;
        }
        for (name, ratio) in &self.ratios {
            writeln!(f, " proxy / {name:<22} {ratio:.2}")?;
        }
        Ok(())
    }
}
