//! Lists of users: adding to them, and closing them.

use std::collections::BTreeMap;

use scrip_protocol::v1::{AddBulkUsers, BulkJob, BulkJobState, BulkUsersAdded, Code, StartBulkJob, UserRange};
use scrip_protocol::{BulkJobId, UserId, check};
use scrip_shard_config::{PrimaryId, Tail};
use tokio::task::JoinSet;

use super::{Desk, invalid, job_id, message};
use crate::refusal::{Effect, Refusal};
use crate::store::bulk::{BulkError, BulkStore, Expected, JobRecord, SliceKey};

impl<B: BulkStore> Desk<B> {
    /// Stopped midway, some of the users are on the list, and the same request adds the others.
    pub(super) async fn add(&self, add: AddBulkUsers) -> Result<BulkUsersAdded, Refusal> {
        let violations = check::check_add_bulk_users(&add);
        if !violations.is_empty() {
            return Err(invalid(check::detail(&violations)));
        }
        let job = self.store.job(job_id(add.job_id)?).await.map_err(|error| Refusal::of_bulk(&error, Effect::Read))?;
        takes_users(&job).map_err(|error| Refusal::of_bulk(&error, Effect::Read))?;
        let mut adding = JoinSet::new();
        for (primary, users) in self.by_primary(&add) {
            let (store, slice) = (self.store.clone(), SliceKey { job: job.job, primary });
            adding.spawn(async move { store.add_users(slice, job.seal, &users).await });
        }
        let mut worst = None;
        while let Some(added) = adding.join_next().await {
            match added.map_err(|_| Refusal::new(Code::Draining, "this proxy is stopping"))? {
                Ok(()) => {}
                Err(BulkError::Sealed) => worst = Some(self.why_sealed(&job).await),
                Err(error) => _ = worst.get_or_insert_with(|| Refusal::of_bulk(&error, Effect::Write)),
            }
        }
        worst.map_or(Ok(BulkUsersAdded { job_id: add.job_id }), Err)
    }

    fn by_primary(&self, add: &AddBulkUsers) -> BTreeMap<PrimaryId, Vec<UserId>> {
        let mut parts: BTreeMap<PrimaryId, Vec<UserId>> = BTreeMap::new();
        let range = add.range.map(|UserRange { first_user, last_user }| first_user..=last_user);
        for user in add.users.iter().copied().chain(range.into_iter().flatten()) {
            parts.entry(self.flow.topology.primary_of(Tail::of_user(user))).or_default().push(UserId(user));
        }
        parts
    }

    /// A primary did not take users: a start came in between, whether or not it let the job run.
    async fn why_sealed(&self, before: &JobRecord) -> Refusal {
        let error = match self.store.job(before.job).await {
            Ok(now) if now.state == BulkJobState::Uploading && now.seal == before.seal => {
                let detail = "a primary has another version of the topology than this proxy";
                return Refusal::new(Code::StoreRefused, detail);
            }
            Ok(now) => takes_users(&now).err().unwrap_or(BulkError::Contended),
            Err(error) => error,
        };
        Refusal::of_bulk(&error, Effect::Read)
    }

    /// Stopped midway, the job is in STARTING, and the same request starts it.
    pub(super) async fn start_job(&self, start: StartBulkJob) -> Result<BulkJob, Refusal> {
        let job = job_id(start.job_id)?;
        let digest = <[u8; 8]>::try_from(&start.list_digest[..]).ok().map(u64::from_be_bytes);
        let started = self.start_with(job, Expected { users: start.users, digest }).await;
        Ok(message(&started.map_err(|error| Refusal::of_bulk(&error, Effect::Write))?))
    }

    async fn start_with(&self, job: BulkJobId, expected: Expected) -> Result<JobRecord, BulkError> {
        let begun = self.store.begin_start(job).await?;
        if begun.state != BulkJobState::Starting {
            return expected.check(begun.list).map(|()| begun);
        }
        let mut sealing = JoinSet::new();
        for primary in self.flow.topology.primaries.iter().map(|primary| primary.id) {
            let (store, seal) = (self.store.clone(), begun.seal);
            sealing.spawn(async move { (primary, store.seal(SliceKey { job, primary }, seal).await) });
        }
        let mut counts = Vec::new();
        // All of them, so that none goes on after the answer.
        for (primary, sealed) in sealing.join_all().await {
            counts.push(sealed.map(|count| (primary, count)).map_err(|error| BulkError::Primary { primary, error }));
        }
        let counts = counts.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.store.end_start(job, begun.seal, expected, &counts).await
    }
}

fn takes_users(job: &JobRecord) -> Result<(), BulkError> {
    match job.state {
        BulkJobState::Uploading => Ok(()),
        BulkJobState::Starting | BulkJobState::Running | BulkJobState::Paused | BulkJobState::Finished => {
            Err(BulkError::Sealed)
        }
        BulkJobState::Cancelling | BulkJobState::Cancelled => Err(BulkError::Cancelled),
        BulkJobState::Unspecified => Err(BulkError::State(job.state)),
    }
}
