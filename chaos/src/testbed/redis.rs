//! One Redis server of the testbed, and what can be done to it.

mod command;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use self::server::Server;
use super::handle::handle;
use super::snapshot::Snapshot;
use super::{Error, Secret};

/// What all Redis servers of a testbed share.
#[derive(Debug)]
pub(crate) struct RedisPlan {
    pub(crate) program: PathBuf,
    /// The testbed's folder.
    pub(crate) folder: PathBuf,
    pub(crate) password: Secret,
}

/// A Redis server. Clones are handles to the same server.
#[derive(Debug, Clone)]
pub struct RedisServer {
    server: Arc<Server>,
}

handle!(RedisServer, Server);

impl RedisServer {
    /// Starts a new server and waits until it answers. A port that somebody else took meanwhile is replaced by another.
    pub(crate) fn start(plan: &Arc<RedisPlan>, name: &str) -> Result<Self, Error> {
        let mut attempts_left = 5;
        loop {
            attempts_left -= 1;
            let server = Server::new(plan, name)?;
            match server.launch() {
                Err(error) if error.is_port_taken() && attempts_left > 0 => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(Self { server: Arc::new(server) }),
            }
        }
    }

    /// The password of the default user.
    pub fn password(&self) -> &Secret {
        &self.server.plan().password
    }

    /// Saves the data and shuts it down. A server that is not running is left alone.
    pub async fn stop(&self) -> Result<(), Error> {
        self.run(|server| server.stop()).await
    }

    /// Saves what a running server has, for a later restart with older data.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        self.run(|server| server.snapshot()).await
    }

    /// Makes it a replica of `other` and waits until it has a full copy.
    pub async fn replicate(&self, other: &Self) -> Result<(), Error> {
        let primary = other.address();
        self.run(move |server| server.replicate(primary)).await
    }

    /// Makes a replica a primary (`REPLICAOF NO ONE`).
    pub async fn promote(&self) -> Result<(), Error> {
        self.run(|server| server.command("REPLICAOF", &["NO", "ONE"]).map(drop)).await
    }

    /// Sends one command and returns the answer as text: elements of a list in lines, nil as an empty text.
    pub async fn command(&self, name: &'static str, arguments: &[&str]) -> Result<String, Error> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.run(move |server| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            server.command(name, &arguments)
        })
        .await
    }
}
