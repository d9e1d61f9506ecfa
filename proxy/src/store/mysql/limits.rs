//! How long we wait for a server, and how many connections it gets.

use std::time::Duration;

/// Time limits, each for one call as a whole, and the limit of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MysqlLimits {
    /// To connect, log in and check who it is. Keeps a frozen server from holding a lane.
    pub connect: Duration,
    /// For one batch. When it is over the outcome is unknown, so it lies above `lock_wait`, whose end is definite.
    pub record: Duration,
    /// For a read.
    pub read: Duration,
    /// For a read from a replica, and again for what comes before it: the mark, and a connection if there is none. When it is
    /// over the primary is asked.
    pub replica: Duration,
    /// For one statement of a settle or of meta.
    pub control: Duration,
    /// How long the server lets a statement wait for a lock, in whole seconds, at least one.
    pub lock_wait: Duration,
    /// Connections to each primary beside those of the record lanes: listing and settling need few. Keeps a slow primary
    /// from collecting callers.
    pub connections: usize,
}

impl Default for MysqlLimits {
    fn default() -> MysqlLimits {
        MysqlLimits {
            connect: Duration::from_secs(2),
            record: Duration::from_secs(5),
            read: Duration::from_secs(4),
            replica: Duration::from_millis(100),
            control: Duration::from_secs(5),
            lock_wait: Duration::from_secs(3),
            connections: 8,
        }
    }
}
