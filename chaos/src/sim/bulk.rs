//! Bulk jobs: a list is submitted as the client library does, again and again until it is started; paused, resumed, cancelled;
//! and in the end every user has a result.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{BulkJobId, BulkList, BulkOutcome, Code, CouponId, RequestId, UserId};
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{
    AddBulkUsers, BulkJob, BulkJobAction, BulkJobState, CreateBulkJob, ListBulkResults, SetBulkJobState, StartBulkJob,
};
use scrip_proxy::bulk::desk::Operation;
use tokio::time::{Instant, sleep};

use super::client::id_of;
use super::fleet::{Asked, Heard};
use super::plan::JobPlan;
use super::stage::Stage;
use crate::history::BulkFact;

const DEADLINE_MS: u64 = 2_000;
/// Users of one piece of a list.
const PIECE: usize = 4;

fn request(stage: &Stage, index: usize) -> RequestId {
    id_of(stage, 6, index as u64)
}

/// One job, until all is healed.
pub async fn job(stage: Arc<Stage>, index: usize, begun: Instant) {
    let plan = stage.plan.jobs[index].clone();
    let request = request(&stage, index);
    let template = stage.templates.lock()[plan.template];
    let users = plan.users.iter().copied().map(UserId).collect();
    stage.sim.world().history.job(BulkFact { request, template, users, told: Vec::new(), results: None });
    sleep(Duration::from_millis(plan.at_ms).saturating_sub(begun.elapsed())).await;
    let mut started = None;
    while started.is_none() && !stage.is_healed() {
        started = match plan.doubled {
            true => {
                let (one, other) = tokio::join!(biased; submit(&stage, index), submit(&stage, index));
                one.or(other)
            }
            false => submit(&stage, index).await,
        };
        stage.pause(Duration::from_millis(stage.dice(|dice| dice.within(20..=200)))).await;
    }
    let Some(job) = started else { return };
    if let Some((after_ms, for_ms)) = plan.paused {
        stage.pause(Duration::from_millis(after_ms)).await;
        set_state(&stage, job, BulkJobAction::Pause).await;
        stage.pause(Duration::from_millis(for_ms)).await;
        set_state(&stage, job, BulkJobAction::Resume).await;
    }
    if let Some(after_ms) = plan.cancelled_ms {
        stage.pause(Duration::from_millis(after_ms)).await;
        set_state(&stage, job, BulkJobAction::Cancel).await;
    }
}

/// Creates the job, adds its users, starts it. The id of a job that was started.
async fn submit(stage: &Arc<Stage>, index: usize) -> Option<BulkJobId> {
    let job = create(stage, index).await?;
    let id = BulkJobId::try_new(job.job_id).ok()?;
    let JobPlan { users, .. } = &stage.plan.jobs[index];
    if job.state() == BulkJobState::Uploading {
        for piece in users.chunks(PIECE) {
            let add = AddBulkUsers { job_id: job.job_id, users: piece.to_vec(), range: None };
            ask(stage, Operation::Add(add)).await?;
        }
    }
    let list = BulkList::of_different(users.iter().copied().map(UserId));
    let list_digest = list.digest.map(|digest| digest.to_be_bytes().to_vec().into()).unwrap_or_default();
    let start = StartBulkJob { job_id: job.job_id, users: list.users, list_digest };
    ask(stage, Operation::Start(start)).await.map(|_| id)
}

/// The same request gives the same job.
async fn create(stage: &Arc<Stage>, index: usize) -> Option<BulkJob> {
    let (request, plan) = (request(stage, index), &stage.plan.jobs[index]);
    let create = CreateBulkJob {
        request_id: request.to_bytes(),
        template_id: stage.templates.lock()[plan.template].get(),
        rate_per_s: plan.rate_per_s,
        start_at_ms: 0,
    };
    let Answer::BulkJob(job) = ask(stage, Operation::Create(create)).await? else { return None };
    if let Ok(id) = BulkJobId::try_new(job.job_id) {
        stage.sim.world().history.job_told(request, id);
    }
    Some(job)
}

async fn set_state(stage: &Arc<Stage>, job: BulkJobId, action: BulkJobAction) {
    let set = SetBulkJobState { job_id: job.get(), action: action.into() };
    ask(stage, Operation::SetState(set)).await;
}

/// Asks any proxy, once; what it answered if it did what it was asked.
async fn ask(stage: &Arc<Stage>, operation: Operation) -> Option<Answer> {
    let slot = stage.any_proxy();
    stage.sim.world().note(format_args!("to proxy {slot}: {operation:?}"));
    let heard = stage.ask(slot, Asked::Bulk(operation), DEADLINE_MS, DEADLINE_MS + 100).await;
    let Heard::Answer(response) = heard else { return None };
    let code = response.code();
    stage.sim.world().note(format_args!("who asked for a job is told {}: {}", code.as_str_name(), response.detail));
    response.result.filter(|_| code == Code::Ok)
}

/// After the healing: until every user of the list has a result.
pub async fn finish(stage: &Arc<Stage>, index: usize, until: Instant) {
    while Instant::now() < until {
        let created = create(stage, index).await;
        if let Some(job) = created
            && let Ok(id) = BulkJobId::try_new(job.job_id)
        {
            match job.state() {
                BulkJobState::Uploading | BulkJobState::Starting => drop(submit(stage, index).await),
                BulkJobState::Paused => set_state(stage, id, BulkJobAction::Resume).await,
                BulkJobState::Cancelled | BulkJobState::Finished => {
                    if let Some(results) = results(stage, id).await {
                        let request = request(stage, index);
                        return stage.sim.world().history.job_ended(request, results);
                    }
                }
                BulkJobState::Unspecified | BulkJobState::Running | BulkJobState::Cancelling => {}
            }
        }
        sleep(Duration::from_millis(stage.dice(|dice| dice.within(50..=500)))).await;
    }
    stage.sim.world().find(format!("job {index} is not over after the healing"));
}

async fn results(stage: &Arc<Stage>, job: BulkJobId) -> Option<Vec<(UserId, BulkOutcome)>> {
    let mut results = Vec::new();
    let mut cursor = Default::default();
    loop {
        let list = ListBulkResults { job_id: job.get(), page_size: 5, cursor };
        let Answer::BulkResultPage(page) = ask(stage, Operation::Results(list)).await? else { return None };
        for result in page.results {
            let outcome = match result.code() {
                Code::Unspecified => BulkOutcome::Pending,
                Code::Ok => BulkOutcome::Issued(CouponId::try_from_slice(&result.coupon_id).ok()?),
                code => BulkOutcome::Refused(code),
            };
            results.push((UserId(result.user_id), outcome));
        }
        if page.next_cursor.is_empty() {
            return Some(results);
        }
        cursor = page.next_cursor;
    }
}
