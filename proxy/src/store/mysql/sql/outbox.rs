//! The outbox of a primary, and the leases on it.

use prost::Message;
use scrip_protocol::v1::EventBatch;

use super::text::{hex_text, number};

/// Appends the statement that keeps the events of a transaction, as one of its statements.
pub(in crate::store::mysql) fn keep(out: &mut Vec<u8>, at_ms: u64, batch: &EventBatch) {
    out.extend_from_slice(b";INSERT INTO outbox (at_ms,events) VALUES (");
    number(out, at_ms);
    out.push(b',');
    hex_text(out, &batch.encode_to_vec());
    out.push(b')');
}

/// The same with parameters.
pub(in crate::store::mysql) const KEEP: &str = "INSERT INTO outbox (at_ms, events) VALUES (?, ?)";
/// Milliseconds since 1970-01-01 UTC, by the clock of the server.
pub(in crate::store::mysql) const NOW_MS: &str = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED)";

/// Takes a lease that is over, or keeps one's own: only then the row is found by [`LEASE`]. Owner, owner, microseconds,
/// name, owner. The term is set first: what comes after it in the list does not see the old owner.
pub(in crate::store::mysql) const LEASE_TAKE: &str = "UPDATE lease SET term = term + (owner <> ?), owner = ?, \
     until_at = NOW(3) + INTERVAL ? MICROSECOND WHERE name = ? AND (owner = ? OR until_at < NOW(3))";
/// The term of a lease that somebody holds.
pub(in crate::store::mysql) const LEASE: &str = "SELECT term FROM lease WHERE name = ? AND owner = ?";

/// Rows that have not left yet, in their order.
pub(in crate::store::mysql) const UNPUBLISHED: &str = "SELECT id, at_ms, events FROM outbox FORCE INDEX \
     (published_at_ms) WHERE published_at_ms = 0 ORDER BY id LIMIT ?";
/// Rows that have left, in their order: after an id, up to another.
pub(in crate::store::mysql) const PUBLISHED: &str = "SELECT id, at_ms, events FROM outbox WHERE id > ? AND id <= ? \
     AND published_at_ms > 0 ORDER BY id LIMIT ?";
/// How many rows wait, up to a number, and since when the oldest does.
pub(in crate::store::mysql) const BACKLOG: &str = "SELECT CAST(COUNT(*) AS UNSIGNED), \
     CAST(COALESCE(MIN(waiting.at_ms), 0) AS UNSIGNED) FROM (SELECT at_ms FROM outbox FORCE INDEX (published_at_ms) \
     WHERE published_at_ms = 0 ORDER BY id LIMIT ?) waiting";
/// Drops rows that left so many milliseconds ago. A bounded slice.
pub(in crate::store::mysql) const DROP_OLD: &str = "DELETE FROM outbox WHERE published_at_ms > 0 AND \
     published_at_ms < CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED) - ? ORDER BY published_at_ms LIMIT ?";

/// How far each shard is.
pub(in crate::store::mysql) const SHARDS: &str = "SELECT shard_id, run, replay_after, replay_until FROM outbox_shard";
/// A shard has begun another life: all rows that have left so far leave again. Without the lease the shard is NULL, which
/// is an error. Name, owner, term, shard, run.
pub(in crate::store::mysql) const SHARD_BORN: &str = "INSERT INTO outbox_shard (shard_id, run, replay_after, \
     replay_until) VALUES (IF((SELECT COUNT(*) FROM lease WHERE name = ? AND owner = ? AND term = ? LOCK IN SHARE MODE) = \
     1, ?, NULL), ?, 0, (SELECT COALESCE(MAX(o.id), 0) FROM outbox o)) ON DUPLICATE KEY UPDATE run = VALUES(run), \
     replay_after = VALUES(replay_after), replay_until = VALUES(replay_until)";
/// Rows up to here have left to a shard again. Id, shard, run, name, owner, term.
pub(in crate::store::mysql) const REPLAYED: &str = "UPDATE outbox_shard SET replay_after = ? WHERE shard_id = ? AND \
     run = ? AND EXISTS (SELECT 1 FROM lease WHERE name = ? AND owner = ? AND term = ? LOCK IN SHARE MODE)";

/// These rows have left, unless somebody else holds the lease by now.
pub(in crate::store::mysql) fn published(ids: &[u64], name: &str, owner: &str, term: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(320 + ids.len() * 12);
    out.extend_from_slice(
        b"UPDATE outbox SET published_at_ms=CAST(UNIX_TIMESTAMP(NOW(3))*1000 AS UNSIGNED) WHERE id IN (",
    );
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        number(&mut out, *id);
    }
    out.extend_from_slice(b") AND published_at_ms=0 AND EXISTS (SELECT 1 FROM lease WHERE name=");
    hex_text(&mut out, name.as_bytes());
    out.extend_from_slice(b" AND owner=");
    hex_text(&mut out, owner.as_bytes());
    out.extend_from_slice(b" AND term=");
    number(&mut out, term);
    out.extend_from_slice(b" LOCK IN SHARE MODE)");
    out
}
