//! Jobs: what becomes of one is decided with its row locked.

use scrip_protocol::v1::BulkJobState;
use scrip_protocol::{BulkJobId, RequestId, TemplateId};
use scrip_shard_config::PrimaryId;

use crate::store::StoreError;
use crate::store::bulk::{BulkError, Counted, Expected, JobRecord, NewJob};
use crate::store::mysql::meta::transaction::Transaction;
use crate::store::mysql::pool::Pool;
use crate::store::mysql::sql::{self as meta_sql, bulk as sql};

/// The columns of a job.
pub(super) type Columns = (u32, Vec<u8>, u32, u32, u64, u64, u8, u32, u64, u64);

/// A row that no version of this program wrote.
fn corrupt(job: u32, what: &str) -> StoreError {
    StoreError::Refused(format!("bulk job {job} in meta has an unreadable {what}"))
}

pub(super) fn id(job: u32) -> Result<BulkJobId, BulkError> {
    Ok(BulkJobId::try_new(job).map_err(|_| corrupt(job, "id"))?)
}

pub(super) fn record(row: Columns) -> Result<JobRecord, BulkError> {
    let (job, request, template, rate_per_s, start_at_ms, created_at_ms, state, seal, users, digest) = row;
    let new = NewJob {
        request: RequestId::try_from_slice(&request).map_err(|_| corrupt(job, "request id"))?,
        template: TemplateId::try_new(template).map_err(|_| corrupt(job, "template"))?,
        rate_per_s,
        start_at_ms,
    };
    let state = BulkJobState::try_from(i32::from(state)).map_err(|_| corrupt(job, "state"))?;
    Ok(JobRecord { job: id(job)?, new, state, list: Counted { users, digest }, seal, created_at_ms })
}

/// Creates a job, or finds the one that this request created. Cancelled, it exists or not, and the same request finds
/// out.
pub(super) async fn create(pool: &Pool, new: &NewJob, now_ms: u64) -> Result<JobRecord, BulkError> {
    let mut transaction = Transaction::begin(pool).await?;
    let created = create_in(&mut transaction, new, now_ms).await;
    transaction.end(created).await
}

async fn create_in(transaction: &mut Transaction, new: &NewJob, now_ms: u64) -> Result<JobRecord, BulkError> {
    if let Some(job) = existing(transaction, new).await? {
        return same(job, new);
    }
    let templates: Vec<mysql_async::Row> = transaction.rows(meta_sql::TEMPLATE, (new.template.get(),)).await?;
    if templates.is_empty() {
        return Err(BulkError::TemplateNotFound);
    }
    let columns = (&new.request.0[..], new.template.get(), new.rate_per_s, new.start_at_ms, now_ms);
    // Another one may just have created it: then this waits for its end, and finds its row or none.
    transaction.insert_new(sql::JOB_INSERT, columns).await?;
    let lost = || StoreError::Refused("meta refused a new bulk job and has none for its request; try again".to_owned());
    same(existing(transaction, new).await?.ok_or_else(lost)?, new)
}

async fn existing(transaction: &mut Transaction, new: &NewJob) -> Result<Option<JobRecord>, BulkError> {
    let rows: Vec<Columns> = transaction.rows(sql::JOB_OF_REQUEST, (&new.request.0[..],)).await?;
    rows.into_iter().next().map(record).transpose()
}

fn same(job: JobRecord, new: &NewJob) -> Result<JobRecord, BulkError> {
    if job.new == *new { Ok(job) } else { Err(BulkError::RequestIdReused) }
}

/// The job, locked: the first lock of whatever changes it.
pub(super) async fn locked(transaction: &mut Transaction, job: BulkJobId) -> Result<JobRecord, BulkError> {
    let rows: Vec<Columns> = transaction.rows(sql::JOB_LOCKED, (job.get(),)).await?;
    record(rows.into_iter().next().ok_or(BulkError::NotFound)?)
}

pub(super) async fn update(transaction: &mut Transaction, job: &JobRecord) -> Result<(), BulkError> {
    transaction
        .run(sql::JOB_UPDATE, (job.state as i32, job.seal, job.list.users, job.list.digest, job.job.get()))
        .await?;
    Ok(())
}

/// What a change makes of a job.
type Change = fn(JobRecord) -> Result<JobRecord, BulkError>;

/// Changes a job. Cancelled, it is changed or not, and the same call finds out.
pub(super) async fn change(pool: &Pool, job: BulkJobId, change: Change) -> Result<JobRecord, BulkError> {
    let mut transaction = Transaction::begin(pool).await?;
    let changed = change_in(&mut transaction, job, change).await;
    transaction.end(changed).await
}

async fn change_in(transaction: &mut Transaction, job: BulkJobId, change: Change) -> Result<JobRecord, BulkError> {
    let before = locked(transaction, job).await?;
    let after = change(before)?;
    if after != before {
        update(transaction, &after).await?;
    }
    Ok(after)
}

/// The beginning of a start.
pub(super) fn begun(job: JobRecord) -> Result<JobRecord, BulkError> {
    use BulkJobState::{Cancelled, Cancelling, Finished, Paused, Running, Starting, Unspecified, Uploading};
    match job.state {
        Uploading | Starting => Ok(JobRecord { state: Starting, seal: job.seal + 1, ..job }),
        Running | Paused | Finished => Ok(job),
        Cancelling | Cancelled => Err(BulkError::Cancelled),
        Unspecified => Err(BulkError::State(job.state)),
    }
}

pub(super) fn paused(job: JobRecord) -> Result<JobRecord, BulkError> {
    use BulkJobState::{Paused, Running};
    moved(job, &[Running], Paused)
}

pub(super) fn resumed(job: JobRecord) -> Result<JobRecord, BulkError> {
    use BulkJobState::{Paused, Running};
    moved(job, &[Paused], Running)
}

/// A job that was never started has issued nothing. What one that was started has issued is still to be written down.
pub(super) fn cancelled(job: JobRecord) -> Result<JobRecord, BulkError> {
    use BulkJobState::{Cancelled, Cancelling, Finished, Paused, Running, Starting, Unspecified, Uploading};
    match job.state {
        Cancelling | Cancelled => Ok(job),
        Uploading | Starting => moved(job, &[Uploading, Starting], Cancelled),
        Running | Paused => moved(job, &[Running, Paused], Cancelling),
        Finished | Unspecified => Err(BulkError::State(job.state)),
    }
}

fn moved(job: JobRecord, from: &[BulkJobState], to: BulkJobState) -> Result<JobRecord, BulkError> {
    if job.state == to || from.contains(&job.state) {
        return Ok(JobRecord { state: to, ..job });
    }
    Err(BulkError::State(job.state))
}

/// The end of a start. A list that is not as expected is an end as well: the job takes users again.
pub(super) async fn end_start(
    pool: &Pool,
    job: BulkJobId,
    seal: u32,
    expected: Expected,
    counts: &[(PrimaryId, Counted)],
) -> Result<JobRecord, BulkError> {
    let list = counts.iter().fold(Counted::default(), |sum, (_, counted)| sum.and(*counted));
    let mut transaction = Transaction::begin(pool).await?;
    let ended = end_start_in(&mut transaction, job, seal, (expected, list), counts).await;
    let (job, checked) = transaction.end(ended).await?;
    checked.map(|()| job)
}

async fn end_start_in(
    transaction: &mut Transaction,
    job: BulkJobId,
    seal: u32,
    (expected, list): (Expected, Counted),
    counts: &[(PrimaryId, Counted)],
) -> Result<(JobRecord, Result<(), BulkError>), BulkError> {
    let before = locked(transaction, job).await?;
    if before.seal != seal || before.state != BulkJobState::Starting {
        return Err(BulkError::Contended);
    }
    let checked = expected.check(list).and_then(|()| before.check(list));
    let after = match checked {
        Ok(()) => JobRecord { state: BulkJobState::Running, list, ..before },
        Err(_) => JobRecord { state: BulkJobState::Uploading, ..before },
    };
    for (primary, counted) in counts.iter().filter(|(_, counted)| checked.is_ok() && counted.users > 0) {
        transaction.run(sql::SLICE_INSERT, (job.get(), primary.0, counted.users)).await?;
    }
    update(transaction, &after).await?;
    Ok((after, checked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: BulkJobState) -> JobRecord {
        let id = BulkJobId::try_new(1).expect("not 0");
        let template = TemplateId::try_new(1).expect("not 0");
        let new = NewJob { request: RequestId([7; 16]), template, rate_per_s: 0, start_at_ms: 0 };
        JobRecord { job: id, new, state, list: Counted::default(), seal: 3, created_at_ms: 0 }
    }

    #[test]
    fn states() {
        use BulkJobState::{Cancelled, Cancelling, Finished, Paused, Running, Starting, Uploading};
        let all = [Uploading, Starting, Running, Paused, Cancelling, Cancelled, Finished];
        let check = |change: Change, expect: [Option<BulkJobState>; 7]| {
            for (state, expect) in all.into_iter().zip(expect) {
                assert_eq!(change(job(state)).ok().map(|job| job.state), expect, "from {state:?}");
            }
        };
        let (up, start, run, pause) = (Some(Uploading), Some(Starting), Some(Running), Some(Paused));
        let (ing, gone, end) = (Some(Cancelling), Some(Cancelled), Some(Finished));
        check(begun, [start, start, run, pause, None, None, end]);
        check(paused, [None, None, pause, pause, None, None, None]);
        check(resumed, [None, None, run, run, None, None, None]);
        check(cancelled, [gone, gone, ing, ing, ing, gone, None]);
        assert_eq!((begun(job(Starting)).map(|job| job.seal), up), (Ok(4), Some(Uploading)), "a start takes over");
    }
}
