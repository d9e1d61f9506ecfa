//! How long we wait for a server.

use std::time::Duration;

/// Time limits, each for one call as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MysqlTimeouts {
    /// To connect, log in and check who it is. Keeps a frozen server from holding a lane.
    pub connect: Duration,
    /// For one batch. When it is over the outcome is unknown, so it lies above `lock_wait`, whose end is definite.
    pub record: Duration,
    /// For a read.
    pub read: Duration,
    /// For one statement of a settle or of meta.
    pub control: Duration,
    /// How long the server lets a statement wait for a lock, in whole seconds, at least one.
    pub lock_wait: Duration,
}

impl Default for MysqlTimeouts {
    fn default() -> MysqlTimeouts {
        MysqlTimeouts {
            connect: Duration::from_secs(2),
            record: Duration::from_secs(5),
            read: Duration::from_secs(4),
            control: Duration::from_secs(5),
            lock_wait: Duration::from_secs(3),
        }
    }
}
