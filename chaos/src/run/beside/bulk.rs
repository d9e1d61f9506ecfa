//! A bulk job while things break: the same list under the same id from several clients at once, given up in the middle and
//! sent again; paused and resumed; at times cancelled.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrip_client::{
    BulkJob, BulkJobId, BulkJobState, BulkOutcome, Client, NewBulkJob, RequestId, TemplateId, UserId, mint_request_id,
};
use tokio::time::{Instant, sleep, timeout};

use crate::history::{BulkFact, RequestIndex};
use crate::run::load::drain;
use crate::run::recorder::{Intended, Recorder};

/// The list starts here.
const FIRST_USER: u64 = 3_000_000_000;
/// One of so many users on the list claims without it as well: the limit is one.
const EAGER: usize = 10;
/// Between two tries of what failed.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// After healing the job must be over in this time.
const END_LIMIT: Duration = Duration::from_secs(90);

/// The job of one run.
#[derive(Debug)]
pub(super) struct Job {
    request: RequestId,
    new: NewBulkJob,
    users: Vec<UserId>,
    seed: u64,
}

impl Job {
    pub(super) fn new(template: TemplateId, users: u64, duration: Duration, seed: u64) -> Self {
        // It is done before the load ends if nothing holds it up.
        let per_s = users * 1_000 * 3 / 2 / u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate_per_s = u32::try_from(per_s).ok().filter(|rate| *rate > 0);
        let user = |number: u64| UserId(FIRST_USER + number.wrapping_mul(7_919) % 900_000_000);
        let new = NewBulkJob { rate_per_s, ..NewBulkJob::new(template) };
        Self { request: mint_request_id(), new, users: (0..users).map(user).collect(), seed }
    }

    /// Who is on the list.
    pub(super) fn users(&self) -> &[UserId] {
        &self.users
    }

    /// Until the load ends.
    pub(super) async fn run(&self, clients: &[Client], recorder: &Arc<Recorder>, duration: Duration) {
        recorder.job(BulkFact {
            request: self.request,
            template: self.new.template,
            users: self.users.clone(),
            told: Vec::new(),
            results: None,
        });
        tokio::join!(self.eager(&clients[0], recorder, duration), self.operate(clients, recorder, duration));
    }

    /// Some of the list claim by themselves, all over the time.
    async fn eager(&self, client: &Client, recorder: &Recorder, duration: Duration) {
        let users: Vec<UserId> = self.users.iter().copied().step_by(EAGER).collect();
        let gap = duration / u32::try_from(users.len()).unwrap_or(u32::MAX).max(1);
        let stream = client.claim_stream(users.len());
        for user in users {
            let request: RequestIndex = recorder.request_of(user, self.new.template, mint_request_id());
            let intended = Intended { request, at: recorder.now(), first_try: false };
            stream.submit(&mut recorder.sending(&[intended]).into_iter());
            sleep(gap).await;
        }
        drain(&stream, recorder).await;
    }

    async fn operate(&self, clients: &[Client], recorder: &Recorder, duration: Duration) {
        let mut random = StdRng::seed_from_u64(self.seed ^ 0xb01c);
        let end = Instant::now() + duration;
        sleep(duration / 20).await;
        let mut known: Option<BulkJobId> = None;
        let cancelled_at = (self.seed % 4 == 3).then(|| Instant::now() + duration.mul_f64(0.6));
        while Instant::now() < end {
            let client = &clients[random.random_range(0..clients.len())];
            let pause = Duration::from_millis(random.random_range(50..1_000));
            match known {
                None => {
                    // Two at once, one of which gives up.
                    let other = &clients[random.random_range(0..clients.len())];
                    let patience = Duration::from_millis(random.random_range(1..100));
                    let given_up = timeout(patience, self.submit(other, recorder));
                    let (told, _) = tokio::join!(self.submit(client, recorder), given_up);
                    known = told.map(|job| job.job);
                    sleep(AGAIN_AFTER).await;
                }
                Some(job) if cancelled_at.is_some_and(|at| Instant::now() >= at) => {
                    let told = client.bulk().cancel(job).await;
                    tracing::debug!(?told, "the job is cancelled");
                    sleep(pause).await;
                }
                Some(job) if random.random_bool(0.7) => {
                    let told = client.bulk().pause(job).await;
                    sleep(pause / 2).await;
                    let resumed = client.bulk().resume(job).await;
                    tracing::debug!(?told, ?resumed, "the job was paused");
                    sleep(pause).await;
                }
                Some(_) => {
                    self.submit(client, recorder).await;
                    sleep(pause).await;
                }
            }
        }
    }

    async fn submit(&self, client: &Client, recorder: &Recorder) -> Option<BulkJob> {
        let submitted = client.bulk().submit(self.request, self.new, self.users.iter().copied()).await;
        if let Err(error) = &submitted {
            tracing::debug!(%error, "the list was not submitted");
        }
        let job = submitted.ok()?;
        recorder.job_told(self.request, job.job);
        Some(job)
    }

    /// Until every user of the list has a result; then reads them.
    pub(super) async fn finish(&self, client: &Client, recorder: &Recorder) -> Vec<String> {
        let (deadline, bulk) = (Instant::now() + END_LIMIT, client.bulk());
        let mut last = "it was never submitted".to_owned();
        while Instant::now() < deadline {
            // The same request gives the same job, whatever has become of it.
            let created = match bulk.create(self.request, self.new).await {
                Ok(job) => job,
                Err(error) => {
                    last = error.to_string();
                    sleep(AGAIN_AFTER).await;
                    continue;
                }
            };
            recorder.job_told(self.request, created.job);
            last = format!("{:?}", created.state);
            match created.state {
                BulkJobState::Uploading | BulkJobState::Starting => drop(self.submit(client, recorder).await),
                BulkJobState::Paused => drop(bulk.resume(created.job).await),
                state if state.is_final() => match self.results(client, created.job).await {
                    Ok(results) => {
                        recorder.job_ended(self.request, results);
                        return Vec::new();
                    }
                    Err(error) => last = error,
                },
                _ => {}
            }
            sleep(AGAIN_AFTER).await;
        }
        vec![format!("the bulk job is not over {END_LIMIT:?} after healing: {last}")]
    }

    async fn results(&self, client: &Client, job: BulkJobId) -> Result<Vec<(UserId, BulkOutcome)>, String> {
        let (mut pages, mut results) = (client.bulk().results(job), Vec::with_capacity(self.users.len()));
        while let Some(result) = pages.next().await.map_err(|error| error.to_string())? {
            results.push((result.user, result.outcome));
        }
        Ok(results)
    }
}
