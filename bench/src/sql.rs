//! Every SQL text of the bench.

/// The requests behind all coupons of one template.
pub(crate) const REQUESTS: &str = "SELECT request_id FROM coupon WHERE template_id = ";
/// A variable that the server does not have is a row that is missing.
pub(crate) const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', \
     'innodb_flush_log_at_trx_commit', 'innodb_doublewrite', 'innodb_flush_method', 'log_bin', 'sync_binlog', \
     'innodb_buffer_pool_size', 'innodb_log_file_size', 'innodb_redo_log_capacity')";
