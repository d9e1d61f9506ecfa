//! One Redis server of the testbed, and what can be done to it.

mod command;
mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::server::Server;
use super::offload::offload;
use super::snapshot::{Restart, RestartWith, Snapshot};
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

    /// The name, as in `shard-02`.
    pub fn name(&self) -> &str {
        self.server.process().name()
    }

    /// Where it listens. It stays the same over restarts.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The password of the default user.
    pub fn password(&self) -> &Secret {
        &self.server.plan().password
    }

    /// What it logged, over all its runs.
    pub fn log_path(&self) -> &Path {
        self.server.process().log_path()
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.process().pid()
    }

    /// Whether it runs; a frozen server does.
    pub fn is_running(&self) -> bool {
        self.server.process().is_running()
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&self) {
        self.server.process().kill();
    }

    /// SIGSTOP, and waits until it stands still.
    pub fn pause(&self) -> Result<(), Error> {
        self.server.process().pause()
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<(), Error> {
        self.server.process().resume()
    }

    /// Saves the data and shuts it down. A server that is not running is left alone.
    pub async fn stop(&self) -> Result<(), Error> {
        self.run(|server| server.stop()).await
    }

    /// Starts it again on the same port and waits until it answers. If it runs, it is stopped cleanly before; for a crash
    /// call [`kill`](Self::kill) first.
    pub async fn restart(&self, with: RestartWith<'_>) -> Result<(), Error> {
        let with = Restart::from(with);
        self.run(move |server| server.restart(&with)).await
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

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Server) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let server = Arc::clone(&self.server);
        offload(move || server.alone(work)).await
    }
}
