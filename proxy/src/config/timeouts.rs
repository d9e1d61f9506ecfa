//! The limits of the stores, as the configuration sets them.

use super::Config;
use crate::store::mysql::MysqlLimits;
use crate::store::redis::Timeouts;

impl Config {
    /// Those of the primaries.
    #[must_use]
    pub fn mysql_limits(&self) -> MysqlLimits {
        let record = &self.record;
        MysqlLimits {
            connect: record.connect_timeout,
            record: record.call_timeout,
            read: record.call_timeout,
            replica: self.replicas.call_timeout,
            lock_wait: record.lock_wait,
            connections: record.pool_size,
            ..MysqlLimits::default()
        }
    }

    /// Those of the shards.
    #[must_use]
    pub fn redis_timeouts(&self) -> Timeouts {
        Timeouts { deduct: self.stock.call_timeout, connect: self.stock.connect_timeout, ..Timeouts::default() }
    }
}
