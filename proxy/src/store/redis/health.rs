//! What fred says about a connection while nothing is asked of it: that it was lost, and why there is none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fred::clients::Client;
use fred::interfaces::EventInterface;
use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;

use super::settings::{RECONNECT_DELAY_MS, RECONNECT_JITTER_MS};

/// What happened last.
#[derive(Debug, Default)]
pub(super) struct Health {
    lost_at: Mutex<Option<Instant>>,
    trouble: Mutex<Option<String>>,
}

impl Health {
    /// Whether the connection was lost and fred has not begun to replace it. It begins within this time, and from then on
    /// its own state is right; the loss is forgotten then, so that events out of order do no lasting harm.
    pub(super) fn is_lost(&self) -> bool {
        let waits = Duration::from_millis(u64::from(RECONNECT_DELAY_MS + RECONNECT_JITTER_MS));
        self.lost_at.lock().is_some_and(|at| at.elapsed() < waits)
    }

    /// Why there is no connection.
    pub(super) fn trouble(&self) -> String {
        self.trouble.lock().clone().unwrap_or_else(|| String::from("no connection yet"))
    }
}

/// Follows a client's events for as long as it exists.
pub(super) async fn watch(client: Client, health: Arc<Health>) {
    let (mut errors, mut connects) = (client.error_rx(), client.reconnect_rx());
    loop {
        tokio::select! {
            biased;
            error = errors.recv() => match error {
                Ok((error, of_connection)) => {
                    *health.trouble.lock() = Some(error.details().to_owned());
                    // Attempts to connect that fail name no connection.
                    if of_connection.is_some() {
                        *health.lost_at.lock() = Some(Instant::now());
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            connect = connects.recv() => match connect {
                Ok(_) => *health.lost_at.lock() = None,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}
