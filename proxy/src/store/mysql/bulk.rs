//! Bulk jobs: `job` and `slice` in meta, `list` on the primaries.

mod job;
mod list;
mod slice;

use std::time::Duration;

use scrip_protocol::v1::{BulkJobState, Code};
use scrip_protocol::{BulkJobId, UserId};
use scrip_shard_config::PrimaryId;

use super::MysqlStore;
use super::sql::bulk as sql;
use crate::store::StoreError;
use crate::store::bulk::{
    BulkError, BulkStore, Counted, Entry, Expected, JobRecord, Lease, NewJob, ResultCount, SliceKey,
};

impl From<StoreError> for BulkError {
    /// Of meta: what goes wrong on a primary names it.
    fn from(error: StoreError) -> BulkError {
        BulkError::Meta(error)
    }
}

impl BulkStore for MysqlStore {
    async fn create_job(&self, new: &NewJob, now_ms: u64) -> Result<JobRecord, BulkError> {
        job::create(self.meta(), new, now_ms).await
    }

    async fn job(&self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        let rows = self.read::<job::Columns>(sql::JOB, (job.get(),)).await?;
        job::record(rows.into_iter().next().ok_or(BulkError::NotFound)?)
    }

    async fn jobs(&self, after: u32, state: Option<BulkJobState>, count_max: u32) -> Result<Vec<JobRecord>, BulkError> {
        let rows: Vec<job::Columns> = match state {
            Some(state) => self.read(sql::JOBS_OF_STATE, (after, state as i32, count_max)).await?,
            None => self.read(sql::JOBS, (after, count_max)).await?,
        };
        rows.into_iter().map(job::record).collect()
    }

    async fn begin_start(&self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        job::change(self.meta(), job, job::begun).await
    }

    async fn end_start(
        &self,
        job: BulkJobId,
        seal: u32,
        expected: Expected,
        counts: &[(PrimaryId, Counted)],
    ) -> Result<JobRecord, BulkError> {
        job::end_start(self.meta(), job, seal, expected, counts).await
    }

    async fn pause_job(&self, job: BulkJobId, paused: bool) -> Result<JobRecord, BulkError> {
        job::change(self.meta(), job, if paused { job::paused } else { job::resumed }).await
    }

    async fn cancel_job(&self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        job::change(self.meta(), job, job::cancelled).await
    }

    async fn free_slices(&self, now_ms: u64, count_max: u32) -> Result<Vec<SliceKey>, BulkError> {
        let rows: Vec<(u32, u16)> = self.read(sql::SLICES_FREE, (now_ms, count_max)).await?;
        rows.into_iter()
            .map(|(job, primary)| Ok(SliceKey { job: job::id(job)?, primary: PrimaryId(primary) }))
            .collect()
    }

    async fn lease(&self, slice: SliceKey, owner: u64, lasts: Duration) -> Result<Option<Lease>, BulkError> {
        slice::lease(self.meta(), slice, owner, lasts).await
    }

    async fn release(&self, slice: SliceKey, owner: u64) -> Result<(), BulkError> {
        slice::release(self.meta(), slice, owner).await
    }

    async fn close_slice(&self, slice: SliceKey, users: u64) -> Result<JobRecord, BulkError> {
        slice::close(self.meta(), slice, users).await
    }

    async fn add_users(&self, slice: SliceKey, seal: u32, users: &[UserId]) -> Result<(), BulkError> {
        let backend = self.inner.backend(slice.primary)?;
        list::add_users(&backend.pool, slice, seal, users).await
    }

    async fn seal(&self, slice: SliceKey, seal: u32) -> Result<Counted, StoreError> {
        list::seal(&self.inner.backend(slice.primary)?.pool, slice.job, seal).await
    }

    async fn note(&self, slice: SliceKey, new: &NewJob, results: &[Entry]) -> Result<(), StoreError> {
        list::note(&self.inner.backend(slice.primary)?.pool, slice.job, new, results).await
    }

    async fn counts(&self, slice: SliceKey, since_ms: u64) -> Result<Vec<ResultCount>, StoreError> {
        list::counts(&self.inner.backend(slice.primary)?.pool, slice.job, since_ms).await
    }

    async fn entries(&self, slice: SliceKey, after: Option<UserId>, count_max: u32) -> Result<Vec<Entry>, StoreError> {
        list::entries(&self.inner.backend(slice.primary)?.pool, slice.job, after, count_max).await
    }
}

/// A code as an entry holds it.
fn code(number: u8) -> Result<Code, StoreError> {
    Code::try_from(i32::from(number)).map_err(|_| {
        StoreError::Refused(format!("a bulk entry has the result {number}, which this program does not know"))
    })
}
