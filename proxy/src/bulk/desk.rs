//! What callers ask of bulk jobs. Whatever changes something may be asked again, so that an outcome which the caller did
//! not learn is learned by asking again.

mod list;
mod start;

use std::sync::Arc;
use std::time::Duration;

use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{
    AddBulkUsers, BulkCount, BulkJob, BulkJobAction, BulkJobPage, BulkJobState, BulkProgress, Code, CreateBulkJob,
    GetBulkJob, ListBulkJobs, ListBulkResults, SetBulkJobState, StartBulkJob,
};
use scrip_protocol::{BulkJobId, RequestId, TemplateId, check};
use tokio::time::Instant;

use crate::flow::Flow;
use crate::operation::answer_in_time;
use crate::outbox::Ticket;
use crate::refusal::{Effect, Refusal};
use crate::store::bulk::{BulkStore, JobRecord, NewJob};
use crate::tasks::Tasks;

/// What counts as recent in the progress of a job.
const RECENT: Duration = Duration::from_secs(10);

/// A request about bulk jobs.
#[derive(Debug)]
pub enum Operation {
    /// `CreateBulkJob`
    Create(CreateBulkJob),
    /// `AddBulkUsers`
    Add(AddBulkUsers),
    /// `StartBulkJob`
    Start(StartBulkJob),
    /// `SetBulkJobState`
    SetState(SetBulkJobState),
    /// `GetBulkJob`
    Get(GetBulkJob),
    /// `ListBulkJobs`
    List(ListBulkJobs),
    /// `ListBulkResults`
    Results(ListBulkResults),
}

impl Operation {
    fn effect(&self) -> Effect {
        match self {
            Operation::Get(_) | Operation::List(_) | Operation::Results(_) => Effect::Read,
            Operation::Create(_) | Operation::Add(_) | Operation::Start(_) | Operation::SetState(_) => Effect::Write,
        }
    }
}

/// Carries them out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk<B> {
    flow: Arc<Flow>,
    store: B,
    tasks: Tasks,
}

impl<B: BulkStore> Desk<B> {
    /// A desk over this store.
    pub fn new(flow: Arc<Flow>, store: B, tasks: Tasks) -> Self {
        Self { flow, store, tasks }
    }

    /// Carries it out in a task of its own and answers, at the deadline at the latest. What changes something goes on
    /// after the deadline to its end.
    pub fn start(&self, operation: Operation, ticket: Ticket, deadline: Instant) {
        let desk = self.clone();
        self.tasks.spawn(async move {
            let effect = operation.effect();
            answer_in_time(desk.carry_out(operation), effect, ticket, deadline).await;
        });
    }

    async fn carry_out(&self, operation: Operation) -> Result<Answer, Refusal> {
        match operation {
            Operation::Create(create) => self.create(&create).await.map(Answer::BulkJob),
            Operation::Add(add) => self.add(add).await.map(Answer::BulkUsersAdded),
            Operation::Start(start) => self.start_job(start).await.map(Answer::BulkJob),
            Operation::SetState(set) => self.set_state(set).await.map(Answer::BulkJob),
            Operation::Get(get) => self.progress(get).await.map(Answer::BulkProgress),
            Operation::List(list) => self.list(list).await.map(Answer::BulkJobPage),
            Operation::Results(list) => self.results(list).await.map(Answer::BulkResultPage),
        }
    }

    async fn create(&self, create: &CreateBulkJob) -> Result<BulkJob, Refusal> {
        let new = NewJob {
            request: RequestId::try_from_slice(&create.request_id).map_err(invalid)?,
            template: TemplateId::try_new(create.template_id).map_err(invalid)?,
            rate_per_s: create.rate_per_s,
            start_at_ms: u64::try_from(create.start_at_ms).map_err(invalid)?,
        };
        let created = self.store.create_job(&new, self.flow.clock.now_ms()).await;
        Ok(message(&created.map_err(|error| Refusal::of_bulk(&error, Effect::Write))?))
    }

    async fn set_state(&self, set: SetBulkJobState) -> Result<BulkJob, Refusal> {
        let job = job_id(set.job_id)?;
        let changed = match BulkJobAction::try_from(set.action) {
            Ok(BulkJobAction::Pause) => self.store.pause_job(job, true).await,
            Ok(BulkJobAction::Resume) => self.store.pause_job(job, false).await,
            Ok(BulkJobAction::Cancel) => self.store.cancel_job(job).await,
            Ok(BulkJobAction::Unspecified) | Err(_) => return Err(invalid("action: say PAUSE, RESUME or CANCEL")),
        };
        Ok(message(&changed.map_err(|error| Refusal::of_bulk(&error, Effect::Write))?))
    }

    async fn progress(&self, get: GetBulkJob) -> Result<BulkProgress, Refusal> {
        let job = self.store.job(job_id(get.job_id)?).await;
        let job = job.map_err(|error| Refusal::of_bulk(&error, Effect::Read))?;
        let recent_ms = u64::try_from(RECENT.as_millis()).unwrap_or(u64::MAX);
        let counts = self.counts(job.job, self.flow.clock.now_ms().saturating_sub(recent_ms)).await?;
        let pending = counts.get(&(Code::Unspecified as i32)).map_or(0, |count| count.users);
        let recent: u64 = counts.values().map(|count| count.recent).sum();
        let left_ms = pending.saturating_mul(recent_ms).checked_div(recent).unwrap_or(0);
        let counts = counts.into_iter().map(|(code, count)| BulkCount { code, users: count.users }).collect();
        let recent_per_s = u32::try_from(recent.div_ceil(RECENT.as_secs())).unwrap_or(u32::MAX);
        Ok(BulkProgress { job: Some(message(&job)), counts, recent_per_s, left_ms })
    }

    async fn list(&self, list: ListBulkJobs) -> Result<BulkJobPage, Refusal> {
        let state = match BulkJobState::try_from(list.state) {
            Ok(BulkJobState::Unspecified) => None,
            Ok(state) => Some(state),
            Err(_) => return Err(invalid(format!("state: {} is none of a job's", list.state))),
        };
        let count_max = check::page_size(list.page_size);
        let jobs = self.store.jobs(list.after_job_id, state, count_max).await;
        let jobs = jobs.map_err(|error| Refusal::of_bulk(&error, Effect::Read))?;
        let more = jobs.len() >= count_max as usize;
        let last = jobs.last().map_or(0, |job| job.job.get());
        let next_after_job_id = if more { last } else { 0 };
        Ok(BulkJobPage { jobs: jobs.iter().map(message).collect(), next_after_job_id })
    }
}

fn invalid(detail: impl ToString) -> Refusal {
    Refusal::new(Code::InvalidRequest, detail.to_string())
}

fn job_id(id: u32) -> Result<BulkJobId, Refusal> {
    BulkJobId::try_new(id).map_err(invalid)
}

/// A job as callers see it.
fn message(job: &JobRecord) -> BulkJob {
    BulkJob {
        job_id: job.job.get(),
        request_id: job.new.request.to_bytes(),
        template_id: job.new.template.get(),
        state: job.state.into(),
        rate_per_s: job.new.rate_per_s,
        start_at_ms: i64::try_from(job.new.start_at_ms).unwrap_or(i64::MAX),
        created_at_ms: i64::try_from(job.created_at_ms).unwrap_or(i64::MAX),
        users: job.list.users,
    }
}
