//! `scrip-proxy audit`: the report for people, and as a file for programs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scrip_shard_config::{LoadError, Topology};

use crate::audit::{self, AuditError, Options, Report};
use crate::config::Config;

/// Why an audit gave no report.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The topology is wrong.
    #[error(transparent)]
    Topology(#[from] LoadError),
    /// Meta could not be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The report could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// Audits, and writes the report to `json` if there is one. With `archive`, its files as well.
///
/// # Errors
/// When there is no report, or it could not be written.
pub async fn audit(config: &Config, json: Option<&Path>, archive: Option<&Path>) -> Result<Report, CommandError> {
    let topology = Arc::new(Topology::load(&config.topology)?);
    let report = audit::run_with(&topology, Options::default(), archive).await?;
    if let Some(path) = json {
        write(path, &report).map_err(|source| CommandError::Write { path: path.to_owned(), source })?;
    }
    Ok(report)
}

fn write(path: &Path, report: &Report) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    std::fs::write(path, text)
}
