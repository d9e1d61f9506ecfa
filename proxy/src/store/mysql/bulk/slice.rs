//! Slices: leases of them, and the end of a job.

use std::time::Duration;

use scrip_protocol::v1::BulkJobState;

use super::job;
use crate::store::bulk::{BulkError, JobRecord, Lease, SliceKey};
use crate::store::mysql::meta::transaction::Transaction;
use crate::store::mysql::pool::Pool;
use crate::store::mysql::sql::bulk as sql;

/// Takes a slice or renews its lease. Cancelled, it is held or not; what is held runs out.
pub(super) async fn lease(
    pool: &Pool,
    slice: SliceKey,
    owner: u64,
    lasts: Duration,
) -> Result<Option<Lease>, BulkError> {
    let mut transaction = Transaction::begin(pool).await?;
    let lease = lease_in(&mut transaction, slice, owner, lasts).await;
    transaction.end(lease).await
}

async fn lease_in(
    transaction: &mut Transaction,
    SliceKey { job, primary }: SliceKey,
    owner: u64,
    lasts: Duration,
) -> Result<Option<Lease>, BulkError> {
    let lasts_us = i64::try_from(lasts.as_micros()).unwrap_or(i64::MAX);
    if transaction.run(sql::SLICE_LEASE, (owner, lasts_us, job.get(), primary.0, owner)).await? == 0 {
        return Ok(None);
    }
    let rows: Vec<job::Columns> = transaction.rows(sql::JOB, (job.get(),)).await?;
    let record = job::record(rows.into_iter().next().ok_or(BulkError::NotFound)?)?;
    Ok(Some(Lease { job: record, open_slices: open(transaction, slice_of(&record, primary)).await? }))
}

fn slice_of(job: &JobRecord, primary: scrip_shard_config::PrimaryId) -> SliceKey {
    SliceKey { job: job.job, primary }
}

async fn open(transaction: &mut Transaction, slice: SliceKey) -> Result<u32, BulkError> {
    let rows: Vec<u32> = transaction.rows(sql::SLICES_OPEN, (slice.job.get(),)).await?;
    Ok(rows.first().copied().unwrap_or(0))
}

/// Gives a lease back.
pub(super) async fn release(pool: &Pool, SliceKey { job, primary }: SliceKey, owner: u64) -> Result<(), BulkError> {
    let mut transaction = Transaction::begin(pool).await?;
    let released = transaction.run(sql::SLICE_RELEASE, (job.get(), primary.0, owner)).await;
    transaction.end(released).await?;
    Ok(())
}

/// Nothing of the slice is pending. Repeating it changes nothing.
pub(super) async fn close(pool: &Pool, slice: SliceKey, users: u64) -> Result<JobRecord, BulkError> {
    let mut transaction = Transaction::begin(pool).await?;
    let closed = close_in(&mut transaction, slice, users).await;
    transaction.end(closed).await
}

async fn close_in(transaction: &mut Transaction, slice: SliceKey, users: u64) -> Result<JobRecord, BulkError> {
    let before = job::locked(transaction, slice.job).await?;
    let rows: Vec<u64> = transaction.rows(sql::SLICE_USERS, (slice.job.get(), slice.primary.0)).await?;
    let is_short = rows.first().is_some_and(|started_with| users < *started_with);
    if is_short && matches!(before.state, BulkJobState::Running | BulkJobState::Paused) {
        let after = JobRecord { state: BulkJobState::Uploading, ..before };
        job::update(transaction, &after).await?;
        return Ok(after);
    }
    transaction.run(sql::SLICE_DONE, (slice.job.get(), slice.primary.0)).await?;
    let state = match before.state {
        BulkJobState::Running | BulkJobState::Paused => BulkJobState::Finished,
        BulkJobState::Cancelling => BulkJobState::Cancelled,
        BulkJobState::Unspecified
        | BulkJobState::Uploading
        | BulkJobState::Starting
        | BulkJobState::Cancelled
        | BulkJobState::Finished => return Ok(before),
    };
    if open(transaction, slice).await? > 0 {
        return Ok(before);
    }
    let after = JobRecord { state, ..before };
    job::update(transaction, &after).await?;
    Ok(after)
}
