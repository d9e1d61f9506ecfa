//! Lists: the entries of jobs on one primary.

use std::time::Duration;

use scrip_protocol::{BulkJobId, UserId};
use scrip_shard_config::Tail;

use super::code;
use crate::store::StoreError;
use crate::store::bulk::{BulkError, Counted, Entry, NewJob, ResultCount, SliceKey};
use crate::store::mysql::failure::{ER_BAD_NULL_ERROR, Failed};
use crate::store::mysql::pool::Pool;
use crate::store::mysql::session::decode;
use crate::store::mysql::sql::bulk as sql;

/// Counting the entries of a job reads them all: millions are seconds.
const COUNT_LIMIT: Duration = Duration::from_secs(60);

/// Adds users. Running it again changes nothing, so an unknown outcome needs no care.
pub(super) async fn add_users(pool: &Pool, slice: SliceKey, seal: u32, users: &[UserId]) -> Result<(), BulkError> {
    for users in users.chunks(sql::ROWS_MAX) {
        let text = sql::add_users(slice.job, seal, users, pool.target().version());
        let limit = pool.target().limits().control;
        packet(pool, &text, sql::ADD_STATEMENTS, sql::ADD_COMMIT, limit).await.map_err(|(failed, error)| {
            if failed.code() == Some(ER_BAD_NULL_ERROR) {
                return BulkError::Sealed;
            }
            BulkError::Primary { primary: slice.primary, error }
        })?;
    }
    Ok(())
}

/// Raises the seal and counts. Repeating it changes nothing.
pub(super) async fn seal(pool: &Pool, job: BulkJobId, seal: u32) -> Result<Counted, StoreError> {
    let text = sql::seal(job, seal);
    let sets = packet(pool, &text, sql::SEAL_STATEMENTS, sql::SEAL_COMMIT, COUNT_LIMIT).await;
    let mut sets = sets.map_err(|(_, error)| error)?;
    let rows = decode::<(u64, u64)>(sets.swap_remove(sql::SEAL_COUNT));
    let rows = rows.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
    let counted = rows.first().map(|&(users, digest)| Counted { users, digest });
    counted.ok_or_else(|| StoreError::Refused(format!("{}: no count", pool.target().whom())))
}

/// Notes results. Repeating it changes nothing.
pub(super) async fn note(pool: &Pool, job: BulkJobId, new: &NewJob, entries: &[Entry]) -> Result<(), StoreError> {
    for entries in entries.chunks(sql::ROWS_MAX) {
        let limit = pool.target().limits().control;
        packet(pool, &sql::note(job, new, entries), 1, 0, limit).await.map_err(|(_, error)| error)?;
    }
    Ok(())
}

/// Runs a packet whose statement `commit` is its COMMIT.
async fn packet(
    pool: &Pool,
    text: &[u8],
    statements: usize,
    commit: usize,
    limit: Duration,
) -> Result<Vec<Vec<mysql_async::Row>>, (Failed, StoreError)> {
    let whom = pool.target().whom();
    let mut lease = pool.lease().await.map_err(|error| (Failed::Lost(error.to_string()), error))?;
    match lease.session.packet(text, statements, limit).await {
        Ok(sets) => {
            lease.keep();
            Ok(sets)
        }
        Err(failed) => {
            if failed.answered() {
                lease.roll_back(pool.target().limits().control).await;
            }
            let error = failed.maybe_applied(&whom, commit);
            Err((failed, error))
        }
    }
}

/// A page of entries.
pub(super) async fn entries(
    pool: &Pool,
    job: BulkJobId,
    after: Option<UserId>,
    count_max: u32,
) -> Result<Vec<Entry>, StoreError> {
    let tail = after.map_or(-1, |user| i32::from(Tail::of_user(user.get()).get()));
    let user = after.map_or(0, UserId::get);
    let limit = pool.target().limits().read;
    let mut lease = pool.lease().await?;
    let rows = lease.session.rows(sql::ENTRIES, (job.get(), tail, tail, user, count_max), limit).await;
    let rows: Vec<(u64, u8, u16, u64)> = rows.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
    lease.keep();
    let entry =
        |(user, result, seq, done_at_ms)| Ok(Entry { user: UserId(user), result: code(result)?, seq, done_at_ms });
    rows.into_iter().map(entry).collect()
}

/// Entries by result.
pub(super) async fn counts(pool: &Pool, job: BulkJobId, since_ms: u64) -> Result<Vec<ResultCount>, StoreError> {
    let mut lease = pool.lease().await?;
    let rows: Result<Vec<(u8, u64, u64)>, _> =
        lease.session.rows(sql::COUNTS, (since_ms, job.get()), COUNT_LIMIT).await;
    let rows = rows.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
    lease.keep();
    rows.into_iter().map(|(result, users, recent)| Ok(ResultCount { result: code(result)?, users, recent })).collect()
}
