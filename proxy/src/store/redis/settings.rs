//! Time limits. Each names the failure that it prevents.

use std::time::Duration;

/// Time limits of the calls to the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect and log in: a server that accepts and never answers.
    pub connect: Duration,
    /// A deduction: a frozen shard must leave a claim the time to take its unit from another one.
    pub deduct: Duration,
    /// Everything else of the stock protocol, the loading of the library included.
    pub call: Duration,
    /// The template cache: a claim can do without it.
    pub cache: Duration,
    /// Bytes that the peer does not acknowledge: a connection that was cut without a word is given up after this
    /// long, instead of the quarter of an hour that the kernel would go on trying.
    pub unacknowledged: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            deduct: Duration::from_millis(150),
            call: Duration::from_millis(500),
            cache: Duration::from_millis(100),
            unacknowledged: Duration::from_secs(3),
        }
    }
}

/// Between two attempts to connect at least.
pub(super) const RECONNECT_DELAY_MS: u32 = 20;

/// Drawn at random and added to it, so that the proxies do not all knock at the same instant. Bounded and not growing:
/// an attempt costs a shard microseconds, and one that is back should serve at once. (fred's growing policies lose
/// their jitter when they reach their bound.)
pub(super) const RECONNECT_JITTER_MS: u32 = 230;
