//! What a client is told before it connects, and what is wrong with it.

use std::fmt;
use std::time::Duration;

use scrip_protocol::frame::FRAME_LEN_MAX;

use crate::secret::Secret;

mod check;

/// How a [`Client`](crate::Client) reaches the proxies. Made with [`ClientConfig::new`]; every field has a default that can then be
/// changed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Addresses of proxies, `host:port` each. At least one.
    pub proxies: Vec<String>,
    /// Who calls: a name in the proxies' list of callers.
    pub caller: String,
    /// The caller's token.
    pub token: Secret,
    /// The fingerprint of the topology that the proxies must serve. None: any.
    pub topology_fingerprint: Option<Vec<u8>>,
    /// Connections to each proxy: 1 to 64. Default 2.
    pub connections_per_proxy: usize,
    /// One deadline over all attempts of a claim or a read. Default 500 ms.
    pub deadline: Duration,
    /// The same for operations on templates, which touch every primary. Default 30 s.
    pub admin_deadline: Duration,
    /// How long [`Client::connect`](crate::Client::connect) waits for the first connection. Default 5 s.
    pub connect_deadline: Duration,
    /// How long one TCP connect together with its `Hello` may take. Default 1 s.
    pub handshake_deadline: Duration,
    /// Requests in flight on one connection, unless the proxy allows fewer: 1 to 1,000,000. Prevents a slow proxy from
    /// collecting more work than it can finish. Default 16,384.
    pub in_flight_per_connection_max: usize,
    /// Requests that wait for a place in flight, for each connection: 1 to 10,000,000. Prevents a stalled proxy from
    /// filling the caller's memory; what exceeds it fails as not applied. Default 65,536.
    pub queued_per_connection_max: usize,
    /// The largest answer that is read, in bytes. Default 64 KiB.
    pub frame_len_max: usize,
    /// A connection that left a deadline pass unanswered and on which nothing was heard for so long is given up. Default 2 s.
    pub silence_max: Duration,
    /// How often requests are sent again.
    pub retry: RetryConfig,
    /// How soon a lost connection is made anew.
    pub reconnect: BackoffConfig,
}

/// How often requests are sent again, with the same request id.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetryConfig {
    /// Attempts of one request, the first included: 1 to 100. Default 6.
    pub attempts_max: u32,
    /// Resends earned by each 100 requests: 0 to 100. Prevents retries from multiplying an overload. Default 10.
    pub budget_percent: u32,
    /// Resends earned by each second, so that a quiet client can retry too. Default 10.
    pub budget_floor_per_s: u32,
    /// The most resends that can be saved up: 1 to 1,000,000. Default 1,000.
    pub budget_saved_max: u32,
    /// How long to wait before a resend. Default 5 ms to 200 ms.
    pub backoff: BackoffConfig,
}

/// An exponential backoff with jitter: the n-th wait is random between half of `min * 2^n` and all of it, at most `max`.
#[derive(Debug, Clone, Copy)]
pub struct BackoffConfig {
    /// The first wait.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

/// Everything that is wrong with a [`ClientConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// One entry for each violation; never empty.
    pub violations: Vec<Violation>,
}

/// One field that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which field.
    pub field: &'static str,
    /// What it holds. A secret's value is not told.
    pub value: String,
    /// What it must be.
    pub fix: &'static str,
}

impl ClientConfig {
    /// A configuration with all defaults.
    pub fn new<A: Into<String>>(
        proxies: impl IntoIterator<Item = A>,
        caller: impl Into<String>,
        token: impl Into<Secret>,
    ) -> Self {
        Self {
            proxies: proxies.into_iter().map(Into::into).collect(),
            caller: caller.into(),
            token: token.into(),
            topology_fingerprint: None,
            connections_per_proxy: 2,
            deadline: Duration::from_millis(500),
            admin_deadline: Duration::from_secs(30),
            connect_deadline: Duration::from_secs(5),
            handshake_deadline: Duration::from_secs(1),
            in_flight_per_connection_max: 16_384,
            queued_per_connection_max: 65_536,
            frame_len_max: FRAME_LEN_MAX,
            silence_max: Duration::from_secs(2),
            retry: RetryConfig::default(),
            reconnect: BackoffConfig { min: Duration::from_millis(20), max: Duration::from_secs(2) },
        }
    }

    /// # Errors
    /// Every violation at once.
    pub fn check(&self) -> Result<(), ConfigError> {
        let violations = check::violations(self);
        if violations.is_empty() { Ok(()) } else { Err(ConfigError { violations }) }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts_max: 6,
            budget_percent: 10,
            budget_floor_per_s: 10,
            budget_saved_max: 1_000,
            backoff: BackoffConfig { min: Duration::from_millis(5), max: Duration::from_millis(200) },
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client's configuration cannot be used:")?;
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: {}", self.field, self.value, self.fix)
    }
}
