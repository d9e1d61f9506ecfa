//! Bulk jobs and batches of codes in meta.

use std::collections::BTreeMap;

use scrip_client::{BulkJobId, CodeBatchId};
use scrip_protocol::v1::{BulkJobState, CodeBatchStatus};
use scrip_proxy::store::StoreError;
use scrip_proxy::store::bulk::{BulkError, Counted, Expected, JobRecord, Lease, NewJob, SliceKey};
use scrip_proxy::store::exchange::{BatchRecord, ExchangeError, NewBatch};
use scrip_shard_config::PrimaryId;

use super::Meta;

/// What stands in meta beside templates.
#[derive(Debug, Default)]
pub struct Beside {
    jobs: BTreeMap<u32, JobRecord>,
    slices: BTreeMap<(u32, PrimaryId), Slice>,
    /// By id.
    pub batches: BTreeMap<u32, BatchRecord>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    users: u64,
    done: bool,
    owner: u64,
    leased_until_ms: u64,
}

impl Meta {
    /// Creates a job, or finds the one that this request created.
    pub fn create_job(&mut self, new: &NewJob, now_ms: u64) -> Result<JobRecord, BulkError> {
        if let Some(job) = self.beside.jobs.values().find(|job| job.new.request == new.request) {
            return if job.new == *new { Ok(*job) } else { Err(BulkError::RequestIdReused) };
        }
        if !self.templates.contains_key(&new.template) {
            return Err(BulkError::TemplateNotFound);
        }
        let id = self.beside.jobs.len() as u32 + 1;
        let job = BulkJobId::try_new(id).map_err(|_| StoreError::Refused("no id is left".to_owned()))?;
        let (state, list) = (BulkJobState::Uploading, Counted::default());
        let record = JobRecord { job, new: *new, state, list, seal: 1, created_at_ms: now_ms };
        self.beside.jobs.insert(id, record);
        Ok(record)
    }

    /// A job.
    pub fn job(&self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        self.beside.jobs.get(&job.get()).copied().ok_or(BulkError::NotFound)
    }

    /// Jobs by id.
    pub fn jobs(&self, after: u32, state: Option<BulkJobState>, count_max: u32) -> Vec<JobRecord> {
        let later = self.beside.jobs.range(after.saturating_add(1)..).map(|(_, job)| *job);
        later.filter(|job| state.is_none_or(|state| job.state == state)).take(count_max as usize).collect()
    }

    fn set(&mut self, job: JobRecord) -> JobRecord {
        self.beside.jobs.insert(job.job.get(), job);
        job
    }

    /// The beginning of a start.
    pub fn begin_start(&mut self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        use BulkJobState::{Cancelled, Cancelling, Finished, Paused, Running, Starting, Unspecified, Uploading};
        let job = self.job(job)?;
        match job.state {
            Uploading | Starting => Ok(self.set(JobRecord { state: Starting, seal: job.seal + 1, ..job })),
            Running | Paused | Finished => Ok(job),
            Cancelling | Cancelled => Err(BulkError::Cancelled),
            Unspecified => Err(BulkError::State(job.state)),
        }
    }

    /// The end of a start.
    pub fn end_start(
        &mut self,
        job: BulkJobId,
        seal: u32,
        expected: Expected,
        counts: &[(PrimaryId, Counted)],
    ) -> Result<JobRecord, BulkError> {
        let job = self.job(job)?;
        if job.seal != seal || job.state != BulkJobState::Starting {
            return Err(BulkError::Contended);
        }
        let list = counts.iter().fold(Counted::default(), |sum, (_, counted)| sum.and(*counted));
        if let Err(error) = expected.check(list).and_then(|()| job.check(list)) {
            self.set(JobRecord { state: BulkJobState::Uploading, ..job });
            return Err(error);
        }
        for (primary, counted) in counts.iter().filter(|(_, counted)| counted.users > 0) {
            let slice = self.beside.slices.entry((job.job.get(), *primary)).or_default();
            (slice.users, slice.done) = (counted.users, false);
        }
        Ok(self.set(JobRecord { state: BulkJobState::Running, list, ..job }))
    }

    /// From state to state.
    pub fn move_job(
        &mut self,
        job: BulkJobId,
        from: &[BulkJobState],
        to: BulkJobState,
    ) -> Result<JobRecord, BulkError> {
        let job = self.job(job)?;
        if job.state == to || from.contains(&job.state) {
            return Ok(self.set(JobRecord { state: to, ..job }));
        }
        Err(BulkError::State(job.state))
    }

    /// Ends a job for good.
    pub fn cancel_job(&mut self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        use BulkJobState::{Cancelled, Cancelling, Paused, Running, Starting, Uploading};
        match self.job(job)?.state {
            Uploading | Starting | Cancelled => self.move_job(job, &[Uploading, Starting], Cancelled),
            _ => self.move_job(job, &[Running, Paused], Cancelling),
        }
    }

    /// Slices that are not done and that nobody holds.
    pub fn free_slices(&self, wall_ms: u64, now_ms: u64, count_max: u32) -> Vec<SliceKey> {
        let free = self.beside.slices.iter().filter(|((job, _), slice)| {
            let goes_on = self.beside.jobs.get(job).is_some_and(|job| match job.state {
                BulkJobState::Cancelling => true,
                BulkJobState::Running => job.new.start_at_ms <= now_ms,
                _ => false,
            });
            goes_on && !slice.done && slice.leased_until_ms <= wall_ms
        });
        let key = |((job, primary), _): (&(u32, PrimaryId), &Slice)| {
            Some(SliceKey { job: self.beside.jobs.get(job)?.job, primary: *primary })
        };
        free.filter_map(key).take(count_max as usize).collect()
    }

    fn open_slices(&self, job: BulkJobId) -> usize {
        let own = self.beside.slices.range((job.get(), PrimaryId(0))..=(job.get(), PrimaryId(u16::MAX)));
        own.filter(|(_, slice)| !slice.done).count()
    }

    /// Takes a lease, or renews it.
    pub fn lease(
        &mut self,
        key: SliceKey,
        owner: u64,
        (wall_ms, lasts_ms): (u64, u64),
    ) -> Result<Option<Lease>, BulkError> {
        let found = self.beside.slices.get_mut(&(key.job.get(), key.primary));
        let free = |slice: &&mut Slice| !slice.done && (slice.owner == owner || slice.leased_until_ms <= wall_ms);
        let Some(slice) = found.filter(free) else { return Ok(None) };
        (slice.owner, slice.leased_until_ms) = (owner, wall_ms + lasts_ms);
        Ok(Some(Lease { job: self.job(key.job)?, open_slices: self.open_slices(key.job) as u32 }))
    }

    /// Gives a lease back.
    pub fn release_slice(&mut self, key: SliceKey, owner: u64, wall_ms: u64) {
        let slice = self.beside.slices.get_mut(&(key.job.get(), key.primary));
        if let Some(slice) = slice.filter(|slice| slice.owner == owner) {
            (slice.owner, slice.leased_until_ms) = (0, wall_ms);
        }
    }

    /// Nothing of a slice with so many entries is pending; the job ends with the last, or takes users again if some were lost.
    pub fn close_slice(&mut self, key: SliceKey, users: u64) -> Result<JobRecord, BulkError> {
        let job = self.job(key.job)?;
        let is_short = |slice: &Slice| users < slice.users;
        if self.beside.slices.get(&(key.job.get(), key.primary)).is_some_and(is_short)
            && matches!(job.state, BulkJobState::Running | BulkJobState::Paused)
        {
            return Ok(self.set(JobRecord { state: BulkJobState::Uploading, ..job }));
        }
        if let Some(slice) = self.beside.slices.get_mut(&(key.job.get(), key.primary)) {
            slice.done = true;
        }
        let state = match job.state {
            BulkJobState::Running | BulkJobState::Paused => BulkJobState::Finished,
            BulkJobState::Cancelling => BulkJobState::Cancelled,
            _ => return Ok(job),
        };
        if self.open_slices(key.job) > 0 {
            return Ok(job);
        }
        Ok(self.set(JobRecord { state, ..job }))
    }

    /// How many entries a slice had that is done.
    pub fn done_with(&self, key: SliceKey) -> Option<u64> {
        self.beside.slices.get(&(key.job.get(), key.primary)).filter(|slice| slice.done).map(|slice| slice.users)
    }

    /// Creates a batch of codes, or finds the one that this request created.
    pub fn create_batch(&mut self, new: &NewBatch, now_ms: u64) -> Result<BatchRecord, ExchangeError> {
        if let Some(batch) = self.beside.batches.values().find(|batch| batch.new.request == new.request) {
            return if batch.new == *new { Ok(*batch) } else { Err(ExchangeError::RequestIdReused) };
        }
        if !self.templates.contains_key(&new.template) {
            return Err(ExchangeError::TemplateNotFound);
        }
        let id = self.beside.batches.len() as u32 + 1;
        let batch = CodeBatchId::try_new(id).map_err(|_| ExchangeError::Full)?;
        let record = BatchRecord { batch, new: *new, status: CodeBatchStatus::Open, created_at_ms: now_ms };
        self.beside.batches.insert(id, record);
        Ok(record)
    }

    /// From open to revoked.
    pub fn revoke_batch(&mut self, batch: CodeBatchId) -> Result<BatchRecord, ExchangeError> {
        let record = self.beside.batches.get_mut(&batch.get()).ok_or(ExchangeError::NotFound)?;
        record.status = CodeBatchStatus::Revoked;
        Ok(*record)
    }
}
