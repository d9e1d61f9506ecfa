//! `scrip-proxy migrate`: what was done to each primary.

use std::fmt::Write;

use scrip_shard_config::Topology;

use crate::config::Config;
use crate::store::mysql::migrate::{Migrated, Report, migrate as migrate_all};

/// Migrates; a line for each primary, and whether all of them are ready.
pub async fn migrate(config: &Config, topology: &Topology) -> (String, bool) {
    let reports = migrate_all(topology, config.mysql_limits()).await;
    let mut text = String::new();
    for Report { primary, outcome } in &reports {
        let words = outcome.as_ref().map_or_else(|error| format!("FAILED: {error}"), told);
        let _ = writeln!(text, "{:<10} {words}", primary.to_string());
    }
    (text, reports.iter().all(|report| report.outcome.is_ok()))
}

fn told(migrated: &Migrated) -> String {
    let applied = match migrated.applied.is_empty() {
        true => "schema was up to date".to_owned(),
        false => format!("applied {}", migrated.applied.join(", ")),
    };
    match migrated.version_before {
        Some(version) => format!("{applied}; it was at version {version} of the topology"),
        None => format!("{applied}; set up anew"),
    }
}
