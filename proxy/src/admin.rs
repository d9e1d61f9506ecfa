//! The admin listener: `/metrics`, `/healthz`, `/livez`. No authentication: it belongs on loopback or on a private
//! network.

pub mod health;
pub mod ready;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

pub use health::{Component, Health, Status};

/// What the routes answer from.
#[derive(Clone)]
struct Shared {
    health: Arc<Health>,
    metrics: Render,
}

/// Renders the metrics in the Prometheus text format.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// The routes.
pub fn router(health: Arc<Health>, metrics: Render) -> Router {
    Router::new()
        .route("/metrics", get(render))
        .route("/healthz", get(healthz))
        .route("/livez", get(livez))
        .with_state(Shared { health, metrics })
}

/// Serves the routes until `shutdown`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    metrics: Render,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(health, metrics)).with_graceful_shutdown(shutdown).await
}

async fn render(State(shared): State<Shared>) -> Response {
    crate::telemetry::metric::record_health(&shared.health.report());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (shared.metrics)()).into_response()
}

async fn healthz(State(shared): State<Shared>) -> Response {
    let report = shared.health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match serde_json::to_string(&report) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The process answers: all that a liveness probe may ask. Restarting a proxy cures no backend.
async fn livez() -> &'static str {
    "ok\n"
}
