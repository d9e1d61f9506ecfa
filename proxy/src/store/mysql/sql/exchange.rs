//! Exchange codes: the statements on their batches in meta, and on their uses.

macro_rules! select_batch {
    ($rest:literal) => {
        concat!(
            "SELECT batch_id, create_request_id, template_id, count, uses, status, created_at_ms FROM meta_code_batch ",
            $rest
        )
    };
}

/// One batch.
pub(in crate::store::mysql) const BATCH: &str = select_batch!("WHERE batch_id = ?");
/// The batch that a request created.
pub(in crate::store::mysql) const BATCH_OF_REQUEST: &str = select_batch!("WHERE create_request_id = ?");
/// Batches by id.
pub(in crate::store::mysql) const BATCHES: &str = select_batch!("WHERE batch_id > ? ORDER BY batch_id LIMIT ?");
/// A new batch, open (1).
pub(in crate::store::mysql) const BATCH_INSERT: &str = "INSERT INTO meta_code_batch (create_request_id, template_id, \
     count, uses, created_at_ms, status) VALUES (?, ?, ?, ?, ?, 1)";
/// Revoked (2).
pub(in crate::store::mysql) const BATCH_REVOKE: &str = "UPDATE meta_code_batch SET status = 2 WHERE batch_id = ?";

/// The user's use of a code: one look into the unique key.
pub(in crate::store::mysql) const USE_OF: &str =
    "SELECT use_no FROM code_use WHERE tail = ? AND batch_id = ? AND code_index = ? AND user_id = ?";
/// The number of a code's last use, which is how many there are: one look at the end of the range.
pub(in crate::store::mysql) const USED: &str = "SELECT CAST(COALESCE(MAX(use_no), 0) AS UNSIGNED) FROM code_use \
     WHERE tail = ? AND batch_id = ? AND code_index = ?";
/// Takes the use behind the last one that is committed. One that another transaction has under way is waited for, and then
/// is a duplicate, or is gone: so the numbers stay dense. The tail becomes NULL, which is an error in strict mode, where
/// the primary has another version of the topology.
pub(in crate::store::mysql) const USE_INSERT: &str = "INSERT INTO code_use (tail, batch_id, code_index, use_no, \
     user_id, taken_at_ms) SELECT IF((SELECT topology_version FROM node WHERE id = 1 LOCK IN SHARE MODE) = ?, ?, NULL), \
     ?, ?, last_use.no + 1, ?, ? FROM (SELECT COALESCE(MAX(use_no), 0) AS no FROM code_use WHERE tail = ? \
     AND batch_id = ? AND code_index = ?) AS last_use WHERE last_use.no < ?";
