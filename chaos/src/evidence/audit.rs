//! `scrip-proxy audit`: the proxy's own check of the stores.

use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::timeout;

use crate::testbed::{ProxyProcess, Testbed, proxy_binary};

/// It gave no report.
#[derive(Debug, thiserror::Error)]
#[error("`scrip-proxy audit` gave no report: {0}")]
pub struct AuditError(String);

/// What the audit said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Audit {
    /// `clean`, or not.
    pub verdict: String,
    /// Primaries that were read.
    pub primaries: u64,
    /// Coupons on them.
    pub coupons: u64,
    /// Units that their ledgers say were issued.
    pub issued: u64,
    /// What is wrong.
    pub findings: Vec<serde_json::Value>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Audit {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.verdict == "clean"
    }

    /// Leaves out what is excused; if that was all, the audit is clean.
    pub fn excuse(&mut self, is_excused: impl Fn(&serde_json::Value) -> bool) {
        let before = self.findings.len();
        self.findings.retain(|finding| !is_excused(finding));
        if self.findings.is_empty() && before > 0 && self.verdict == "findings" {
            self.verdict = "clean".to_owned();
        }
    }
}

/// Runs it with the configuration of the first proxy, and the files of the archive if there is one, for so long at most. Dropping the future kills it.
///
/// # Errors
/// When it gave no report. What is wrong with the stores is in the report.
pub async fn audit(testbed: &Testbed, proxies: &[ProxyProcess], limit: Duration) -> Result<Audit, AuditError> {
    let failed = |problem: String| AuditError(problem);
    let binary = proxy_binary().ok_or_else(|| failed("the program is not there".to_owned()))?;
    let name = proxies.first().map_or("migrate", ProxyProcess::name);
    let report = testbed.folder().join("audit.json");
    // What an earlier audit wrote must not be taken for this one's.
    drop(std::fs::remove_file(&report));
    let mut command = Command::new(binary);
    command.arg("audit").arg("--config").arg(testbed.folder().join(format!("{name}.toml")));
    if testbed.archive_folder().is_dir() {
        command.arg("--archive").arg(testbed.archive_folder());
    }
    command.arg("--json").arg(&report).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(limit, command.output()).await.map_err(|_elapsed| failed("it does not end".to_owned()))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    let text = std::fs::read_to_string(&report)
        .map_err(|_absent| failed(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}
