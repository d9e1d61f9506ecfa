//! What each connection is doing, for health pages and logs.

use super::Client;
use crate::link::{Link, Status};

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionHealth {
    /// The proxy's address.
    pub proxy: String,
    /// What it is doing.
    pub state: ConnectionState,
    /// Requests queued and in flight.
    pub load: usize,
}

/// What a connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionState {
    /// Being made for the first time.
    Connecting,
    /// Takes requests.
    Ready,
    /// The proxy is about to stop: what is in flight is finished, nothing new is sent.
    Draining,
    /// Lost or not to be had; tried again in the background.
    Down(String),
    /// The proxy does not want this client: mend the token, the name, the version or the topology.
    Refused(String),
}

impl Client {
    /// What each connection is doing now.
    pub fn health(&self) -> Vec<ConnectionHealth> {
        self.shared().links().iter().map(health).collect()
    }
}

fn health(link: &Link) -> ConnectionHealth {
    let state = match link.status() {
        Status::Connecting => ConnectionState::Connecting,
        Status::Ready => ConnectionState::Ready,
        Status::Draining { .. } => ConnectionState::Draining,
        Status::Down(failure) => ConnectionState::Down(failure.detail),
        Status::Refused(failure) => ConnectionState::Refused(failure.detail),
    };
    ConnectionHealth { proxy: link.address.clone(), state, load: link.load() }
}
