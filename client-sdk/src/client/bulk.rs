//! Operations on bulk jobs. What they change may be asked again with the same values.

use std::collections::VecDeque;

use scrip_protocol::limits::{BULK_RANGE_PER_REQUEST_MAX, BULK_USERS_PER_REQUEST_MAX};
use scrip_protocol::v1::request::Operation as Wire;
use scrip_protocol::v1::{self, BulkJobAction};
use scrip_protocol::{BulkJobId, RequestId, UserId};
use tokio::task::JoinSet;

use super::Client;
use crate::bulk::{
    BulkCursor, BulkJob, BulkJobPage, BulkJobQuery, BulkJobState, BulkList, BulkProgress, BulkResult, BulkResultPage,
    NewBulkJob,
};
use crate::error::{
    AddBulkUsersError, CreateBulkJobError, GetBulkJobError, ListBulkJobsError, ListBulkResultsError,
    SetBulkJobStateError, StartBulkJobError, SubmitBulkJobError,
};
use crate::reply::{Answer, wrong_kind};

/// Pieces of a list under way at once: so many keep the proxies busy without holding much of the list.
const PIECES_MAX: usize = 4;

/// Bulk issue: one coupon of a template to every user of a list, exactly once. Made with [`Client::bulk`].
///
/// ```no_run
/// # async fn run(client: scrip_client::Client, template: scrip_client::TemplateId) -> Result<(), Box<dyn std::error::Error>> {
/// use scrip_client::{NewBulkJob, UserId, mint_request_id};
///
/// let request_id = mint_request_id(); // store it: the same id and list go on where they stopped, and never issue twice
/// let bulk = client.bulk();
/// let job = bulk.submit(request_id, NewBulkJob::new(template), (1..=1_000_000).map(UserId)).await?;
/// let progress = bulk.progress(job.job).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Bulk {
    client: Client,
}

impl Client {
    /// Bulk issue.
    pub fn bulk(&self) -> Bulk {
        Bulk { client: self.clone() }
    }
}

impl Bulk {
    /// Creates a job, adds its users and starts it. With the same request id and the same users it goes on where an earlier call
    /// stopped, and a job that was started already is returned as it is.
    ///
    /// Keeps 8 bytes for each user, to know how many different ones there are.
    ///
    /// # Errors
    /// Which of the three steps failed. [`StartBulkJobError::CountMismatch`]: the job has other users, from an earlier call with
    /// another list.
    pub async fn submit(
        &self,
        request_id: RequestId,
        new: NewBulkJob,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<BulkJob, SubmitBulkJobError> {
        let job = self.create(request_id, new).await?;
        let mut known: Vec<u64> = Vec::new();
        let users = users.into_iter().inspect(|user| known.push(user.get()));
        match job.state {
            BulkJobState::Uploading => self.upload(job.job, users, |_| {}).await?,
            _ => users.for_each(drop),
        }
        known.sort_unstable();
        known.dedup();
        Ok(self.start(job.job, BulkList::of_different(known.into_iter().map(UserId))).await?)
    }

    /// Creates a job without users. The same request id gives the same job.
    ///
    /// # Errors
    /// [`CreateBulkJobError::disposition`] says whether it may have taken effect.
    pub async fn create(&self, request_id: RequestId, new: NewBulkJob) -> Result<BulkJob, CreateBulkJobError> {
        let operation = v1::CreateBulkJob {
            request_id: request_id.to_bytes(),
            template_id: new.template.get(),
            rate_per_s: new.rate_per_s.unwrap_or(0),
            start_at_ms: new.start_at_ms.unwrap_or(0),
        };
        match self.client.ask_admin(Wire::CreateBulkJob(operation)).await? {
            Answer::BulkJob(job) => Ok(job),
            _ => Err(wrong_kind().into()),
        }
    }

    /// Adds any number of users, in pieces, some of which are under way at once; `told` hears after each how many were added so far,
    /// repeats included. Adding a user again changes nothing: after an error, or when the future was dropped, begin again.
    ///
    /// # Errors
    /// The first piece that was not added.
    pub async fn upload(
        &self,
        job: BulkJobId,
        users: impl IntoIterator<Item = UserId>,
        mut told: impl FnMut(u64),
    ) -> Result<(), AddBulkUsersError> {
        let mut users = users.into_iter().map(UserId::get);
        let mut adding = JoinSet::new();
        let mut added = 0;
        loop {
            let piece: Vec<u64> = users.by_ref().take(BULK_USERS_PER_REQUEST_MAX).collect();
            let ended = piece.is_empty();
            if !ended {
                let (bulk, count) = (self.clone(), piece.len() as u64);
                let operation = v1::AddBulkUsers { job_id: job.get(), users: piece, range: None };
                adding.spawn(async move { bulk.add(operation).await.map(|()| count) });
            }
            while adding.len() >= PIECES_MAX || (ended && !adding.is_empty()) {
                // The client is closed only when its last clone is gone, and this is one.
                let Some(Ok(piece)) = adding.join_next().await else { return Err(wrong_kind().into()) };
                added += piece?;
                told(added);
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// Adds every user from the first to the last, both included.
    ///
    /// # Errors
    /// Those of [`Bulk::upload`].
    pub async fn add_range(&self, job: BulkJobId, first: UserId, last: UserId) -> Result<(), AddBulkUsersError> {
        let mut first_user = first.get();
        while first_user <= last.get() {
            let last_user = first_user.saturating_add(BULK_RANGE_PER_REQUEST_MAX - 1).min(last.get());
            let range = Some(v1::UserRange { first_user, last_user });
            self.add(v1::AddBulkUsers { job_id: job.get(), users: Vec::new(), range }).await?;
            let Some(next) = last_user.checked_add(1) else { break };
            first_user = next;
        }
        Ok(())
    }

    async fn add(&self, operation: v1::AddBulkUsers) -> Result<(), AddBulkUsersError> {
        match self.client.ask_admin(Wire::AddBulkUsers(operation)).await? {
            Answer::BulkUsersAdded(_) => Ok(()),
            _ => Err(wrong_kind().into()),
        }
    }

    /// Closes the list and lets the job run, if it is this list: another one is refused, and users can be added again. A job that was
    /// started is returned as it is.
    ///
    /// # Errors
    /// [`StartBulkJobError::disposition`] says whether it may have taken effect.
    pub async fn start(&self, job: BulkJobId, list: BulkList) -> Result<BulkJob, StartBulkJobError> {
        let list_digest = list.digest.map(|digest| digest.to_be_bytes().to_vec().into()).unwrap_or_default();
        let operation = v1::StartBulkJob { job_id: job.get(), users: list.users, list_digest };
        match self.client.ask_admin(Wire::StartBulkJob(operation)).await? {
            Answer::BulkJob(job) => Ok(job),
            _ => Err(wrong_kind().into()),
        }
    }

    /// From running to paused. What is in flight is still issued, for some seconds.
    ///
    /// # Errors
    /// [`SetBulkJobStateError::disposition`] says whether it may have taken effect.
    pub async fn pause(&self, job: BulkJobId) -> Result<BulkJob, SetBulkJobStateError> {
        self.set_state(job, BulkJobAction::Pause).await
    }

    /// From paused to running.
    ///
    /// # Errors
    /// Those of [`Bulk::pause`].
    pub async fn resume(&self, job: BulkJobId) -> Result<BulkJob, SetBulkJobStateError> {
        self.set_state(job, BulkJobAction::Resume).await
    }

    /// Ends a job for good. Coupons that were issued stay; a moment later, in the state cancelled, every user has a result.
    ///
    /// # Errors
    /// Those of [`Bulk::pause`].
    pub async fn cancel(&self, job: BulkJobId) -> Result<BulkJob, SetBulkJobStateError> {
        self.set_state(job, BulkJobAction::Cancel).await
    }

    async fn set_state(&self, job: BulkJobId, action: BulkJobAction) -> Result<BulkJob, SetBulkJobStateError> {
        let operation = v1::SetBulkJobState { job_id: job.get(), action: action.into() };
        match self.client.ask_admin(Wire::SetBulkJobState(operation)).await? {
            Answer::BulkJob(job) => Ok(job),
            _ => Err(wrong_kind().into()),
        }
    }

    /// How far a job is. The proxy counts the entries for it: of millions, that is seconds.
    ///
    /// # Errors
    /// [`GetBulkJobError::NotFound`], or no answer in time.
    pub async fn progress(&self, job: BulkJobId) -> Result<BulkProgress, GetBulkJobError> {
        match self.client.ask_admin(Wire::GetBulkJob(v1::GetBulkJob { job_id: job.get() })).await? {
            Answer::BulkProgress(progress) => Ok(*progress),
            _ => Err(wrong_kind().into()),
        }
    }

    /// One page of jobs, in the order of their ids. For the next, put the page's `next` into the query's `after`.
    ///
    /// # Errors
    /// Nothing is changed by it: ask again.
    pub async fn jobs(&self, query: &BulkJobQuery) -> Result<BulkJobPage, ListBulkJobsError> {
        let operation = v1::ListBulkJobs {
            state: query.state.map_or(0, BulkJobState::number),
            page_size: query.page_size,
            after_job_id: query.after.map_or(0, BulkJobId::get),
        };
        match self.client.ask(Wire::ListBulkJobs(operation)).await? {
            Answer::BulkJobPage(page) => Ok(page),
            _ => Err(wrong_kind().into()),
        }
    }

    /// One page of results; `after` is the `next` of the page before.
    ///
    /// # Errors
    /// [`ListBulkResultsError::NotFound`], or no answer in time.
    pub async fn result_page(
        &self,
        job: BulkJobId,
        after: Option<&BulkCursor>,
    ) -> Result<BulkResultPage, ListBulkResultsError> {
        let operation = v1::ListBulkResults {
            job_id: job.get(),
            page_size: scrip_protocol::limits::PAGE_SIZE_MAX,
            cursor: after.map(|cursor| cursor.0.clone()).unwrap_or_default(),
        };
        match self.client.ask(Wire::ListBulkResults(operation)).await? {
            Answer::BulkResultPage(page) => Ok(page),
            _ => Err(wrong_kind().into()),
        }
    }

    /// Who got what, and who did not and why: every user of the list once, page after page.
    pub fn results(&self, job: BulkJobId) -> BulkResults {
        BulkResults { bulk: self.clone(), job, page: VecDeque::new(), next: Some(None) }
    }
}

/// The results of a job, one after the other. Made with [`Bulk::results`].
#[derive(Debug, Clone)]
pub struct BulkResults {
    bulk: Bulk,
    job: BulkJobId,
    page: VecDeque<BulkResult>,
    /// The page to ask for; none: the last was read.
    next: Option<Option<BulkCursor>>,
}

impl BulkResults {
    /// The next result; `None` after the last. After an error, or when the future is dropped, the same one is next.
    ///
    /// # Errors
    /// Those of [`Bulk::result_page`].
    pub async fn next(&mut self) -> Result<Option<BulkResult>, ListBulkResultsError> {
        while self.page.is_empty() {
            let Some(after) = &self.next else { return Ok(None) };
            let page = self.bulk.result_page(self.job, after.as_ref()).await?;
            self.next = page.next.map(Some);
            self.page = page.results.into();
        }
        Ok(self.page.pop_front())
    }
}
