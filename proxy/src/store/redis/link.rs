//! The connection to one shard. One call is one attempt.
//!
//! What fred 10.1 does, and how a command is kept from being written twice, or late:
//!
//! - It replays in-flight commands after a reconnect while they have attempts left. A command is given one attempt
//!   (`max_attempts`), which is taken off *before* it is written; what is left when the connection goes ends in an error.
//! - While the client is not connected a command with `fail_fast` is refused before it is queued. Between the loss of a
//!   connection and the first attempt to replace it the client still counts as connected, and what comes then is queued
//!   and written after the reconnect. (Its list of connections is no help: the lost one stays on it.) So a loss is
//!   remembered, for as long as fred waits at most.
//! - What slips into the queue all the same is not written after its time limit: the time-out marks a command, and a
//!   marked command is skipped. Hence every command has a time limit, and calls that must not come late are never
//!   dropped midway (see `stock`).
//! - A time-out does not recall what was written. Neither does dropping the future, which does not mark the command.
//! - Errors of the server and of the client have the same type. `custom_raw` hands over the frame instead, so that an
//!   answer is never taken for a loss, nor a loss for an answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{ClientLike, Resp3Frame};
use fred::socket2::TcpKeepalive;
use fred::types::config::{Config, ConnectionConfig, Options, ReconnectPolicy, Server, ServerConfig, TcpConfig};
use fred::types::{Builder, ClientState, ClusterHash, CustomCommand, Value};
use rand::RngExt;
use scrip_shard_config::{Address, Shard, ShardId};
use tokio_util::task::AbortOnDropHandle;

use super::ConnectError;
use super::health::{self, Health};
use super::settings::{RECONNECT_DELAY_MS, RECONNECT_JITTER_MS, Timeouts};
use crate::store::StoreError;

/// Why a call has no value to show.
#[derive(Debug)]
pub(super) enum CallError {
    /// Not connected: nothing was queued, and nothing will be written.
    NotConnected(String),
    /// No answer: what was sent may have been carried out, or may yet be.
    NoAnswer(String),
    /// The server's answer is an error.
    Answer(String),
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotConnected(what) => StoreError::Unreachable(what),
            CallError::NoAnswer(what) => StoreError::Unknown(what),
            CallError::Answer(what) => StoreError::Refused(what),
        }
    }
}

/// One shard. Cheap to clone; the connection closes when the last clone is gone.
#[derive(Clone)]
pub(super) struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    shard: ShardId,
    address: String,
    timeouts: Timeouts,
    client: Client,
    health: Arc<Health>,
    loading: tokio::sync::Mutex<()>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Link {
    /// Starts to connect, and goes on for ever.
    pub(super) fn open(shard: &Shard, timeouts: Timeouts) -> Result<Self, ConnectError> {
        let client = build(shard, timeouts).map_err(|error| ConnectError::Client {
            shard: shard.id,
            address: shard.address.to_string(),
            what: error.details().to_owned(),
        })?;
        let health = Arc::new(Health::default());
        let tasks = [
            AbortOnDropHandle::new(tokio::spawn(health::watch(client.clone(), health.clone()))),
            AbortOnDropHandle::new(tokio::spawn(supervise(client.clone()))),
        ];
        let loading = tokio::sync::Mutex::new(());
        let address = shard.address.to_string();
        let inner = Inner { shard: shard.id, address, timeouts, client, health, loading, _tasks: tasks };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(super) fn shard(&self) -> ShardId {
        self.inner.shard
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.inner.timeouts
    }

    /// Held while the library is loaded: two loads in a row make every key stale twice.
    pub(super) fn loading(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.loading
    }

    pub(super) fn is_connected(&self) -> bool {
        self.inner.client.state() == ClientState::Connected && !self.inner.health.is_lost()
    }

    /// Until connected, or for the time limit of connecting.
    pub(super) async fn ready(&self) {
        let connected = async {
            while !self.is_connected() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let _ = tokio::time::timeout(self.inner.timeouts.connect, connected).await;
    }

    /// One function, one attempt.
    pub(super) async fn fcall(
        &self,
        function: &'static str,
        keys: impl ExactSizeIterator<Item = Value>,
        args: impl Iterator<Item = Value>,
        limit: Duration,
    ) -> Result<Resp3Frame, CallError> {
        let mut all = vec![Value::from_static_str(function), Value::Integer(keys.len() as i64)];
        all.extend(keys);
        all.extend(args);
        self.call("FCALL", all, limit).await
    }

    /// One command, one attempt.
    ///
    /// Cancellation: what was written stays written, and what was queued may still be written, once.
    pub(super) async fn call(
        &self,
        command: &'static str,
        args: Vec<Value>,
        limit: Duration,
    ) -> Result<Resp3Frame, CallError> {
        if !self.is_connected() {
            return Err(CallError::NotConnected(self.say(&format!("not connected: {}", self.inner.health.trouble()))));
        }
        let once = Options { max_attempts: Some(1), fail_fast: true, timeout: Some(limit), ..Options::default() };
        let command = CustomCommand::new_static(command, ClusterHash::FirstKey, false);
        match self.inner.client.with_options(&once).custom_raw(command, args).await {
            Ok(Resp3Frame::SimpleError { data, .. }) => Err(CallError::Answer(self.say(&data))),
            Ok(Resp3Frame::BlobError { data, .. }) => Err(CallError::Answer(self.say(&String::from_utf8_lossy(&data)))),
            Ok(frame) => Ok(frame),
            Err(error) => Err(CallError::NoAnswer(self.say(error.details()))),
        }
    }

    /// A message that begins with which shard it is about.
    pub(super) fn say(&self, what: &str) -> String {
        format!("shard {} ({}): {what}", self.inner.shard, self.inner.address)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client's configuration holds the password.
        f.debug_struct("Link").field("shard", &self.inner.shard).field("address", &self.inner.address).finish()
    }
}

fn build(shard: &Shard, timeouts: Timeouts) -> Result<Client, fred::error::Error> {
    let config = Config {
        // The first attempt is made at once; `supervise` makes the next ones until one succeeds.
        fail_fast: true,
        server: match &shard.address {
            Address::Tcp { host, port } => ServerConfig::Centralized { server: Server::new(host.as_str(), *port) },
            Address::Unix(path) => ServerConfig::Unix { path: path.clone() },
        },
        username: shard.user.clone(),
        password: shard.password.as_ref().map(|secret| secret.expose().to_owned()),
        ..Config::default()
    };
    let mut policy = ReconnectPolicy::new_constant(0, RECONNECT_DELAY_MS);
    policy.set_jitter(RECONNECT_JITTER_MS);
    let connection = ConnectionConfig {
        connection_timeout: timeouts.connect,
        internal_command_timeout: timeouts.connect,
        max_command_attempts: 1,
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(TcpKeepalive::new().with_time(timeouts.unacknowledged)),
            user_timeout: Some(timeouts.unacknowledged),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    };
    Builder::from_config(config).set_policy(policy).set_connection_config(connection).build()
}

/// fred reconnects by itself once it was connected, but gives up for good when the first attempt fails, or when an
/// error looks to it like a wrong configuration.
async fn supervise(client: Client) {
    loop {
        let _ = AbortOnDropHandle::new(client.connect()).await;
        let jitter_ms = rand::rng().random_range(0..RECONNECT_JITTER_MS);
        tokio::time::sleep(Duration::from_millis(u64::from(RECONNECT_DELAY_MS + jitter_ms))).await;
    }
}
