//! Runs that went wrong once, kept in files. A plan and not only its seed: what a seed draws may change, a plan does not.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::plan::Plan;

/// A plan that showed a bug.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// What the bug was, and what mended it.
    pub about: String,
    /// The seeds to run it with.
    pub seeds: Vec<u64>,
    /// What happens.
    pub plan: Plan,
}

impl Pinned {
    /// Reads a file.
    ///
    /// # Errors
    /// Says which file, and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The plan with each of its seeds.
    pub fn plans(&self) -> impl Iterator<Item = Plan> {
        self.seeds.iter().map(|seed| Plan { seed: *seed, ..self.plan.clone() })
    }
}
