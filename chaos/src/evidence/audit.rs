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

const LIMIT: Duration = Duration::from_secs(120);

/// What the audit said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Audit {
    /// `clean`, or not.
    pub(crate) verdict: String,
    pub(crate) primaries: u64,
    pub(crate) coupons: u64,
    pub(crate) issued: u64,
    pub(crate) findings: Vec<serde_json::Value>,
    pub(crate) took_ms: u64,
}

impl Audit {
    pub(crate) fn is_clean(&self) -> bool {
        self.verdict == "clean"
    }
}

/// Runs it with the configuration of the first proxy. Dropping the future kills it.
pub(crate) async fn audit(testbed: &Testbed, proxies: &[ProxyProcess]) -> Result<Audit, AuditError> {
    let failed = |problem: String| AuditError(problem);
    let binary = proxy_binary().ok_or_else(|| failed("the program is not there".to_owned()))?;
    let name = proxies.first().map_or("migrate", ProxyProcess::name);
    let report = testbed.folder().join("audit.json");
    let mut command = Command::new(binary);
    command.arg("audit").arg("--config").arg(testbed.folder().join(format!("{name}.toml")));
    command.arg("--json").arg(&report).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(LIMIT, command.output()).await.map_err(|_elapsed| failed("it does not end".to_owned()))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    let text = std::fs::read_to_string(&report)
        .map_err(|_absent| failed(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}
