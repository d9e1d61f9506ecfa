//! The time limits of the stores, as the configuration sets them.

use super::Config;
use crate::store::mysql::MysqlTimeouts;
use crate::store::redis::Timeouts;

impl Config {
    /// Those of the primaries.
    #[must_use]
    pub fn mysql_timeouts(&self) -> MysqlTimeouts {
        let record = &self.record;
        MysqlTimeouts {
            connect: record.connect_timeout,
            record: record.call_timeout,
            read: record.call_timeout,
            lock_wait: record.lock_wait,
            ..MysqlTimeouts::default()
        }
    }

    /// Those of the shards.
    #[must_use]
    pub fn redis_timeouts(&self) -> Timeouts {
        Timeouts { deduct: self.stock.call_timeout, connect: self.stock.connect_timeout, ..Timeouts::default() }
    }
}
