//! Logs and metrics.
//!
//! Logs go to standard error, metrics to [`crate::admin`]. What the claim path counts is in [`crate::meter`], as plain
//! atomics; the recorder here holds the rest.

pub mod metric;

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// How often recorded samples are folded into their buckets. Without it they would pile up between two scrapes.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directive of `log.level` is none.
    #[error("log.level is not a tracing directive: {0}")]
    Level(String),
    /// This process has a subscriber or a recorder already.
    #[error("telemetry is already set up in this process: {0}")]
    AlreadySet(String),
}

/// Sends log lines to standard error from here on. Once a process.
///
/// # Errors
/// When the directive is wrong or a subscriber is set.
pub fn init_logs(log: &Log) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(&log.level).map_err(|error| TelemetryError::Level(error.to_string()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => builder.with_ansi(false).finish().try_init(),
    };
    set.map_err(|error| TelemetryError::AlreadySet(error.to_string()))
}

/// Installs the recorder of this process, or returns the handle of the one that was installed here before. Call it
/// before any handle is made: a handle made earlier records nothing.
///
/// # Errors
/// When another recorder is installed.
pub fn init_metrics() -> Result<PrometheusHandle, TelemetryError> {
    if let Some(handle) = METRICS.get() {
        return Ok(handle.clone());
    }
    let handle =
        PrometheusBuilder::new().install_recorder().map_err(|error| TelemetryError::AlreadySet(error.to_string()))?;
    metric::describe_all();
    Ok(METRICS.get_or_init(|| handle).clone())
}

/// Folds samples for as long as it is polled; the server spawns it.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}
