//! Logs and metrics.
//!
//! Logs go to standard error, metrics to [`crate::admin`]. No stage looks a metric up by label for each claim: it makes
//! the [`handles`] of its lane once and keeps them.

pub mod handles;
pub mod metric;

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// How often recorded samples are folded into their buckets. Without it they would pile up between two scrapes.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Upper bounds in seconds, about a factor of two apart: fine enough for a median of 1 ms and a deadline of 500 ms.
const SECONDS_BUCKETS: [f64; 16] =
    [0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Upper bounds in rows or claims of a group.
const GROUP_BUCKETS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

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
    /// The recorder refuses its settings.
    #[error("the metrics recorder could not be built: {0}")]
    Recorder(String),
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
    let handle = build()?.install_recorder().map_err(|error| TelemetryError::AlreadySet(error.to_string()))?;
    metric::describe_all();
    Ok(METRICS.get_or_init(|| handle).clone())
}

fn build() -> Result<PrometheusBuilder, TelemetryError> {
    let set = |builder: PrometheusBuilder, suffix: &str, buckets: &[f64]| {
        builder
            .set_buckets_for_metric(Matcher::Suffix(suffix.to_owned()), buckets)
            .map_err(|error| TelemetryError::Recorder(error.to_string()))
    };
    let builder = set(PrometheusBuilder::new(), "_seconds", &SECONDS_BUCKETS)?;
    set(builder, "_rows", &GROUP_BUCKETS)
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
