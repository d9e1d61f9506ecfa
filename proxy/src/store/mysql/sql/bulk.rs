//! Bulk jobs: the statements on meta, on the lists, and on their entries.

use scrip_protocol::v1::Code;
use scrip_protocol::{BulkJobId, UserId};
use scrip_shard_config::Tail;

use super::text::{hex_text, number};
use crate::bulk::request_of;
use crate::store::bulk::{Entry, NewJob};

/// Rows of one statement: about 30 bytes each, with a look for a coupon about 190.
pub(in crate::store::mysql) const ROWS_MAX: usize = 2048;

macro_rules! select_job {
    ($rest:literal) => {
        concat!(
            "SELECT job_id, create_request_id, template_id, rate_per_s, start_at_ms, created_at_ms, state, seal, users, \
             list_digest \
             FROM meta_bulk_job ",
            $rest
        )
    };
}

/// One job.
pub(in crate::store::mysql) const JOB: &str = select_job!("WHERE job_id = ?");
/// One job, locked: the first lock of every transaction that changes anything of it.
pub(in crate::store::mysql) const JOB_LOCKED: &str = select_job!("WHERE job_id = ? FOR UPDATE");
/// The job that a request created.
pub(in crate::store::mysql) const JOB_OF_REQUEST: &str = select_job!("WHERE create_request_id = ?");
/// Jobs by id.
pub(in crate::store::mysql) const JOBS: &str = select_job!("WHERE job_id > ? ORDER BY job_id LIMIT ?");
/// Jobs of one state by id.
pub(in crate::store::mysql) const JOBS_OF_STATE: &str =
    select_job!("WHERE job_id > ? AND state = ? ORDER BY job_id LIMIT ?");
/// A new job, in UPLOADING.
pub(in crate::store::mysql) const JOB_INSERT: &str = "INSERT INTO meta_bulk_job (create_request_id, template_id, \
     rate_per_s, start_at_ms, created_at_ms, state, seal, users, list_digest) VALUES (?, ?, ?, ?, ?, 1, 1, 0, 0)";
/// Another state, seal and list.
pub(in crate::store::mysql) const JOB_UPDATE: &str =
    "UPDATE meta_bulk_job SET state = ?, seal = ?, users = ?, list_digest = ? WHERE job_id = ?";

/// A slice of a job that was started; after another start it is read from its first entry again.
pub(in crate::store::mysql) const SLICE_INSERT: &str = "INSERT INTO meta_bulk_slice (job_id, primary_id, users, done,      owner) VALUES (?, ?, ?, 0, 0) ON DUPLICATE KEY UPDATE users = VALUES(users), done = 0";
/// How many entries it had when the job was started.
pub(in crate::store::mysql) const SLICE_USERS: &str =
    "SELECT users FROM meta_bulk_slice WHERE job_id = ? AND primary_id = ?";
/// Slices for the taking. 3 and 5: running and cancelling. A lease that ends far ahead was given by a clock that went
/// back.
pub(in crate::store::mysql) const SLICES_FREE: &str = "SELECT s.job_id, s.primary_id FROM meta_bulk_job j \
     JOIN meta_bulk_slice s ON s.job_id = j.job_id WHERE (j.state = 5 OR (j.state = 3 AND j.start_at_ms <= ?)) \
     AND s.done = 0 AND (s.leased_until <= NOW(3) OR s.leased_until > NOW(3) + INTERVAL 1 MINUTE) \
     ORDER BY s.job_id, s.primary_id LIMIT ?";
/// Takes a lease, or renews it.
pub(in crate::store::mysql) const SLICE_LEASE: &str = "UPDATE meta_bulk_slice SET owner = ?, \
     leased_until = NOW(3) + INTERVAL ? MICROSECOND WHERE job_id = ? AND primary_id = ? AND done = 0 \
     AND (owner = ? OR leased_until <= NOW(3) OR leased_until > NOW(3) + INTERVAL 1 MINUTE)";
/// Gives a lease back.
pub(in crate::store::mysql) const SLICE_RELEASE: &str = "UPDATE meta_bulk_slice SET owner = 0, leased_until = NOW(3) \
     WHERE job_id = ? AND primary_id = ? AND owner = ?";
/// Nothing of it is pending.
pub(in crate::store::mysql) const SLICE_DONE: &str =
    "UPDATE meta_bulk_slice SET done = 1, owner = 0 WHERE job_id = ? AND primary_id = ?";
/// Slices with something pending.
pub(in crate::store::mysql) const SLICES_OPEN: &str =
    "SELECT COUNT(*) FROM meta_bulk_slice WHERE job_id = ? AND done = 0";

/// Entries. A tail of -1: from the first.
pub(in crate::store::mysql) const ENTRIES: &str = "SELECT user_id, result, coupon_seq, done_at_ms FROM bulk_entry \
     WHERE job_id = ? AND (tail > ? OR (tail = ? AND user_id > ?)) ORDER BY tail, user_id LIMIT ?";
/// Entries by result.
pub(in crate::store::mysql) const COUNTS: &str = "SELECT result, COUNT(*), CAST(SUM(done_at_ms >= ?) AS UNSIGNED) \
     FROM bulk_entry WHERE job_id = ? GROUP BY result ORDER BY result";

/// Statements in [`seal`], and which of them counts.
pub(in crate::store::mysql) const SEAL_STATEMENTS: usize = 4;
pub(in crate::store::mysql) const SEAL_COUNT: usize = 2;
pub(in crate::store::mysql) const SEAL_COMMIT: usize = 3;
/// Statements in [`add_users`], and which of them is the COMMIT.
pub(in crate::store::mysql) const ADD_STATEMENTS: usize = 4;
pub(in crate::store::mysql) const ADD_COMMIT: usize = 3;

/// Raises the seal of a list and counts its entries. Whoever adds users holds the row of the list until the end, so what
/// is counted is all that came in under older seals: READ COMMITTED takes a new snapshot for the count.
pub(in crate::store::mysql) fn seal(job: BulkJobId, seal: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    raise(&mut out, job, seal);
    out.extend_from_slice(
        b";SELECT COUNT(*),CAST(BIT_XOR(CAST(CONV(LEFT(SHA2(user_id,256),16),16,10) AS UNSIGNED)) AS UNSIGNED) \
          FROM bulk_entry WHERE job_id=",
    );
    number(&mut out, job.get().into());
    out.extend_from_slice(b";COMMIT");
    out
}

/// Adds users under a seal. The first row gets a NULL for its job when the list has another seal by now, or the primary
/// another version of the topology: an error in strict mode, and COMMIT is not reached.
pub(in crate::store::mysql) fn add_users(job: BulkJobId, seal: u32, users: &[UserId], version: u64) -> Vec<u8> {
    let mut users = users.to_vec();
    users.sort_unstable_by_key(|user| (Tail::of_user(user.get()), *user));
    let mut out = Vec::with_capacity(512 + users.len() * 32);
    raise(&mut out, job, seal);
    out.extend_from_slice(b";INSERT INTO bulk_entry (job_id,tail,user_id) VALUES ");
    for (index, user) in users.iter().enumerate() {
        if index == 0 {
            out.extend_from_slice(b"(IF((SELECT seal FROM bulk_list WHERE job_id=");
            number(&mut out, job.get().into());
            out.extend_from_slice(b")=");
            number(&mut out, seal.into());
            out.extend_from_slice(b" AND (SELECT topology_version FROM node WHERE id=1 LOCK IN SHARE MODE)=");
            number(&mut out, version);
            out.push(b',');
            number(&mut out, job.get().into());
            out.extend_from_slice(b",NULL),");
        } else {
            out.extend_from_slice(b",(");
            number(&mut out, job.get().into());
            out.push(b',');
        }
        key(&mut out, *user);
        out.push(b')');
    }
    // Not INSERT IGNORE, which would hide other errors.
    out.extend_from_slice(b" ON DUPLICATE KEY UPDATE bulk_entry.result=bulk_entry.result;COMMIT");
    out
}

/// Notes results: what is there stays, unless the new result is OK (1). OK is noted only beside its coupon: where the coupon
/// is not there (the primary failed over to a server that lacks it since), the entry stays as it is. The result comes last,
/// because MySQL assigns from left to right.
pub(in crate::store::mysql) fn note(job: BulkJobId, new: &NewJob, entries: &[Entry]) -> Vec<u8> {
    let mut entries = entries.to_vec();
    entries.sort_unstable_by_key(|entry| (Tail::of_user(entry.user.get()), entry.user));
    let mut out = Vec::with_capacity(512 + entries.len() * 200);
    out.extend_from_slice(b"INSERT INTO bulk_entry (job_id,tail,user_id,result,coupon_seq,done_at_ms) VALUES ");
    for (index, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"(" } else { b",(" });
        number(&mut out, job.get().into());
        out.push(b',');
        key(&mut out, entry.user);
        out.push(b',');
        match entry.result {
            Code::Ok => has_coupon(&mut out, new, entry),
            // Codes have two digits.
            refused => number(&mut out, u64::from((refused as i32).unsigned_abs())),
        }
        out.push(b',');
        number(&mut out, entry.seq.into());
        out.push(b',');
        number(&mut out, entry.done_at_ms);
        out.push(b')');
    }
    out.extend_from_slice(
        b" ON DUPLICATE KEY UPDATE \
          coupon_seq=IF(VALUES(result)=1 OR (result=0 AND VALUES(result)>1),VALUES(coupon_seq),coupon_seq),\
          done_at_ms=IF(result=0 AND VALUES(result)>0,VALUES(done_at_ms),done_at_ms),\
          result=IF(result=0 OR VALUES(result)=1,VALUES(result),result)",
    );
    out
}

/// 1 where the coupon of an entry is, else 0: one look into the primary key.
fn has_coupon(out: &mut Vec<u8>, new: &NewJob, entry: &Entry) {
    out.extend_from_slice(b"EXISTS(SELECT 1 FROM coupon WHERE (tail,user_id,template_id,seq)=(");
    key(out, entry.user);
    out.push(b',');
    number(out, new.template.get().into());
    out.push(b',');
    number(out, entry.seq.into());
    out.extend_from_slice(b") AND request_id=");
    hex_text(out, &request_of(new.request, entry.user).0);
    out.push(b')');
}

fn raise(out: &mut Vec<u8>, job: BulkJobId, seal: u32) {
    out.extend_from_slice(b"BEGIN;INSERT INTO bulk_list (job_id,seal) VALUES (");
    number(out, job.get().into());
    out.push(b',');
    number(out, seal.into());
    out.extend_from_slice(b") ON DUPLICATE KEY UPDATE seal=GREATEST(seal,VALUES(seal))");
}

fn key(out: &mut Vec<u8>, user: UserId) {
    number(out, Tail::of_user(user.get()).get().into());
    out.push(b',');
    number(out, user.get());
}
