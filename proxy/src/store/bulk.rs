//! Bulk jobs, as their tasks see them.
//!
//! A job stands in meta, its list with the users: each primary holds the entries of its own. What makes the list exact is
//! its *seal*, a number that only rises:
//!
//! - users are added under the seal that meta had when it said that the job takes users; the primary refuses them if its
//!   own copy of the seal is above that;
//! - a start raises the seal in meta, then on every primary, and counts the entries of a primary in the transaction that
//!   raised it there. Whatever was added under an older seal is counted, and nothing comes in under it afterwards;
//! - one compare-and-set in meta then lets the job run, or, when the count is not the one expected, take users again under
//!   the new seal. A start that finds another one at it raises the seal once more, and the other's end fails.
//!
//! A start may stop anywhere: the job then stays in STARTING until it is sent again.
//!
//! A primary that fails over may lose entries that it had acknowledged. Whoever finds at the end of a slice that it has become
//! shorter makes the job take users again, of the very list that it was started with: those that are there stay as they are.
//!
//! An entry goes from *pending* to a result and never back; a coupon (OK) replaces a refusal, because the coupon is the
//! truth and the entry a note of it. So OK is only ever noted beside the coupon, in one transaction of their primary: a primary
//! that failed over in between may lack the coupon, and then its claim is sent again.

use std::time::Duration;

use scrip_protocol::v1::{BulkJobState, Code};
use scrip_protocol::{BulkJobId, RequestId, TemplateId, UserId};
use scrip_shard_config::PrimaryId;

use super::StoreError;

/// What a caller wants of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewJob {
    /// The caller's id.
    pub request: RequestId,
    /// What is issued.
    pub template: TemplateId,
    /// Users a second over all proxies; 0: no limit.
    pub rate_per_s: u32,
    /// Not before, in milliseconds since 1970-01-01 UTC.
    pub start_at_ms: u64,
}

/// The users of a list, or of a part of it: how many, and the XOR over them of the first 8 bytes of SHA-256 over the user in
/// decimal. Two lists of the same size differ in it, but for a chance of 2^-64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub users: u64,
    /// Which.
    pub digest: u64,
}

impl Counted {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Counted) -> Counted {
        Counted { users: self.users + other.users, digest: self.digest ^ other.digest }
    }
}

/// What a start says of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// How many users it has.
    pub users: u64,
    /// Which; `None`: any.
    pub digest: Option<u64>,
}

impl Expected {
    /// Whether a list is as expected.
    ///
    /// # Errors
    /// [`BulkError::CountMismatch`], [`BulkError::OtherUsers`]
    pub fn check(self, found: Counted) -> Result<(), BulkError> {
        if found.users != self.users {
            return Err(BulkError::CountMismatch { expected: self.users, found: found.users });
        }
        match self.digest {
            Some(digest) if digest != found.digest => Err(BulkError::OtherUsers),
            Some(_) | None => Ok(()),
        }
    }
}

/// A job as it stands in meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRecord {
    /// Its id.
    pub job: BulkJobId,
    /// What was asked for.
    pub new: NewJob,
    /// Where it is in its life.
    pub state: BulkJobState,
    /// Its list; empty until it was started.
    pub list: Counted,
    /// The seal of its list.
    pub seal: u32,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at_ms: u64,
}

impl JobRecord {
    /// Whether it may be started with this list: with any, the first time, and then with no other one.
    ///
    /// # Errors
    /// As of [`Expected::check`].
    pub fn check(&self, list: Counted) -> Result<(), BulkError> {
        if self.list == Counted::default() {
            return Ok(());
        }
        Expected { users: self.list.users, digest: Some(self.list.digest) }.check(list)
    }
}

/// The entries of one job on one primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceKey {
    /// The job.
    pub job: BulkJobId,
    /// The primary.
    pub primary: PrimaryId,
}

/// A lease of a slice, and what its holder has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The job as it stands.
    pub job: JobRecord,
    /// Its slices that are not done, this one included.
    pub open_slices: u32,
}

/// The result of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The user.
    pub user: UserId,
    /// `Unspecified`: pending.
    pub result: Code,
    /// Of the coupon, if the result is OK; else 0.
    pub seq: u16,
    /// When it was written down, in milliseconds since 1970-01-01 UTC; 0 while pending.
    pub done_at_ms: u64,
}

/// How many entries have one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultCount {
    /// `Unspecified`: pending.
    pub result: Code,
    /// How many.
    pub users: u64,
    /// How many of them of late.
    pub recent: u64,
}

/// Why something was not done to a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    /// No such job.
    #[error("there is no such bulk job")]
    NotFound,
    /// The job's template does not exist.
    #[error("there is no such template")]
    TemplateNotFound,
    /// The request id was used with other contents.
    #[error("this request id was used for another job")]
    RequestIdReused,
    /// The list is closed.
    #[error("the job was started, so its list is closed; if a start was lost on the way, send it again")]
    Sealed,
    /// The job is cancelled.
    #[error("the job was cancelled")]
    Cancelled,
    /// The state does not allow it.
    #[error("the job is {}", .0.as_str_name())]
    State(BulkJobState),
    /// The list has another number of users.
    #[error("the list has {found} different users, and the start said {expected}")]
    CountMismatch {
        /// What the start said.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The list has as many users, but other ones.
    #[error("the list has as many users as the start said, but other ones")]
    OtherUsers,
    /// Another start is at it.
    #[error("another start of this job is at it")]
    Contended,
    /// Meta could not be asked, or its answer is not known.
    #[error(transparent)]
    Meta(StoreError),
    /// A primary could not be asked, or its answer is not known.
    #[error("{primary}: {error}")]
    Primary {
        /// Which.
        primary: PrimaryId,
        /// Why.
        error: StoreError,
    },
}

/// Jobs in meta, and their entries on the primaries. Every writing call is one transaction that may be repeated.
pub trait BulkStore: Clone + Send + Sync + 'static {
    /// Creates a job, or returns the one that this request id created.
    fn create_job(&self, new: &NewJob, now_ms: u64) -> impl Future<Output = Result<JobRecord, BulkError>> + Send;

    /// One job.
    fn job(&self, job: BulkJobId) -> impl Future<Output = Result<JobRecord, BulkError>> + Send;

    /// Jobs with ids above `after`, by id.
    fn jobs(
        &self,
        after: u32,
        state: Option<BulkJobState>,
        count_max: u32,
    ) -> impl Future<Output = Result<Vec<JobRecord>, BulkError>> + Send;

    /// The beginning of a start: raises the seal of a job that takes users, or whose start did not come to its end. A job
    /// that was started is returned as it is.
    fn begin_start(&self, job: BulkJobId) -> impl Future<Output = Result<JobRecord, BulkError>> + Send;

    /// The end of a start: `counts` is what [`BulkStore::seal`] said of every primary under this seal. If they add up to
    /// what is expected the job runs, with a slice for each primary that has entries; if not, it takes users again.
    fn end_start(
        &self,
        job: BulkJobId,
        seal: u32,
        expected: Expected,
        counts: &[(PrimaryId, Counted)],
    ) -> impl Future<Output = Result<JobRecord, BulkError>> + Send;

    /// From RUNNING to PAUSED, or back.
    fn pause_job(&self, job: BulkJobId, paused: bool) -> impl Future<Output = Result<JobRecord, BulkError>> + Send;

    /// To CANCELLED; of a job that was started, to CANCELLING first.
    fn cancel_job(&self, job: BulkJobId) -> impl Future<Output = Result<JobRecord, BulkError>> + Send;

    /// Slices that are not done and that nobody holds, of jobs that run or are being cancelled.
    fn free_slices(&self, now_ms: u64, count_max: u32)
    -> impl Future<Output = Result<Vec<SliceKey>, BulkError>> + Send;

    /// Takes a slice, or renews the lease of it; `None`: another one holds it, or it is done. By the clock of meta, and
    /// only to save work.
    fn lease(
        &self,
        slice: SliceKey,
        owner: u64,
        lasts: Duration,
    ) -> impl Future<Output = Result<Option<Lease>, BulkError>> + Send;

    /// Gives a slice back.
    fn release(&self, slice: SliceKey, owner: u64) -> impl Future<Output = Result<(), BulkError>> + Send;

    /// No entry of the slice is pending, and it has so many. With the last slice the job is FINISHED, or CANCELLED. Had the slice more
    /// when the job was started, the primary has failed over to a server that lacks some: the job takes users again.
    fn close_slice(&self, slice: SliceKey, users: u64) -> impl Future<Output = Result<JobRecord, BulkError>> + Send;

    /// Adds users to the list under this seal. Users that are on it stay as they are.
    fn add_users(
        &self,
        slice: SliceKey,
        seal: u32,
        users: &[UserId],
    ) -> impl Future<Output = Result<(), BulkError>> + Send;

    /// Raises the primary's copy of the seal, and counts the entries in the same transaction.
    fn seal(&self, slice: SliceKey, seal: u32) -> impl Future<Output = Result<Counted, StoreError>> + Send;

    /// Notes results. A result that is there stays, unless the new one is OK. OK is noted only beside the coupon that it is of, which
    /// has the request id of the entry in the job that `new` created: where there is none, the entry stays as it is.
    fn note(
        &self,
        slice: SliceKey,
        new: &NewJob,
        results: &[Entry],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How many entries have which result, by code. `since_ms`: which of them count as recent.
    fn counts(
        &self,
        slice: SliceKey,
        since_ms: u64,
    ) -> impl Future<Output = Result<Vec<ResultCount>, StoreError>> + Send;

    /// Entries in the order of tails and users.
    fn entries(
        &self,
        slice: SliceKey,
        after: Option<UserId>,
        count_max: u32,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;
}
