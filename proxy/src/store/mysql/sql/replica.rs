//! Marks: how far a replica is.

/// No statement of this session may write, whoever the server lets write.
pub(in crate::store::mysql) const READ_ONLY: &str = "SET SESSION TRANSACTION READ ONLY";

/// Settings of a MySQL server on which the order of commits depends, by their names of today and those of before 8.0.26.
pub(in crate::store::mysql) const ORDER: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
     ('replica_preserve_commit_order', 'slave_preserve_commit_order', 'replica_parallel_workers', \
     'slave_parallel_workers')";

/// Run, mark, mark.
pub(in crate::store::mysql) const MARK: &str =
    "INSERT INTO replica_mark (run, mark) VALUES (?, ?) ON DUPLICATE KEY UPDATE mark = ?";
/// What a run of a proxy has written last, as far as this server knows.
pub(in crate::store::mysql) const SHOWN: &str = "SELECT mark FROM replica_mark WHERE run = ?";
/// Marks of runs that have ended. A run that was silent for a day writes a new row.
pub(in crate::store::mysql) const FORGET: &str = "DELETE FROM replica_mark WHERE written_at < NOW() - INTERVAL 1 DAY";
