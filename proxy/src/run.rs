//! Runs a proxy until it is told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use scrip_shard_config::{LoadError, Topology};
use tokio::net::TcpListener;

use crate::admin::{self, Health};
use crate::config::Config;
use crate::telemetry::{self, TelemetryError};

/// Why a proxy could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The topology is wrong.
    #[error(transparent)]
    Topology(#[from] LoadError),
    /// Logs or metrics could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A listener could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The admin listener failed.
    #[error("the admin listener failed: {0}")]
    Admin(io::Error),
}

/// Runs until `shutdown`, then drains. So far it serves health and metrics only, and says that it is not ready.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), RunError> {
    let topology = Topology::load(&config.topology)?;
    let metrics = telemetry::init_metrics()?;
    let health = Arc::new(Health::new(&config.name, &topology));
    let address = config.admin_listen;
    let listener = TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, source })?;
    tracing::info!(name = config.name, %address, "admin listener");
    let upkeep = tokio::spawn(telemetry::upkeep(metrics.clone()));
    let render: admin::Render = Arc::new(move || metrics.render());
    let served = admin::serve(listener, health, render, shutdown).await.map_err(RunError::Admin);
    upkeep.abort();
    served
}
