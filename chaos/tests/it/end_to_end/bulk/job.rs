//! What the cases of bulk issue ask of a job.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scrip_client::{
    BulkJob, BulkJobId, BulkList, BulkOutcome, BulkProgress, Client, NewBulkJob, TemplateId, UserId, mint_request_id,
};
use scrip_proxy::audit::{self, Options, Verdict};
use scrip_shard_config::Topology;
use tokio::time::sleep;

use crate::end_to_end::scene::Scene;

/// Users of all tails, so that every primary has some.
pub(in crate::end_to_end) fn users(first: u64, count: u64) -> impl Iterator<Item = UserId> + Clone {
    (0..count).map(move |index| UserId(first + index * 7))
}

/// A list of so many users, whoever they are.
pub(in crate::end_to_end) fn count(users: u64) -> BulkList {
    BulkList { users, digest: None }
}

pub(in crate::end_to_end) async fn submitted(
    scene: &Scene,
    template: TemplateId,
    list: impl Iterator<Item = UserId>,
) -> BulkJob {
    let bulk = scene.client.bulk();
    bulk.submit(mint_request_id(), NewBulkJob::new(template), list).await.expect("submitted")
}

pub(in crate::end_to_end) async fn until(
    scene: &Scene,
    job: BulkJobId,
    what: &str,
    is_so: impl Fn(&BulkProgress) -> bool,
) -> BulkProgress {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let progress = scene.client.bulk().progress(job).await.expect("progress");
        if is_so(&progress) {
            return progress;
        }
        assert!(Instant::now() < deadline, "{what}, within a minute: {progress:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

pub(in crate::end_to_end) async fn ended(scene: &Scene, job: BulkJobId) -> BulkProgress {
    until(scene, job, "it ends", |progress| progress.job.state.is_final()).await
}

/// The results by user; every user once.
pub(in crate::end_to_end) async fn results(scene: &Scene, job: BulkJobId) -> BTreeMap<u64, BulkOutcome> {
    let (mut results, mut found) = (scene.client.bulk().results(job), BTreeMap::new());
    while let Some(result) = results.next().await.expect("a result") {
        assert_eq!(result.done_at_ms.is_none(), result.outcome == BulkOutcome::Pending);
        assert_eq!(found.insert(result.user.get(), result.outcome), None, "{} twice", result.user);
    }
    found
}

pub(in crate::end_to_end) async fn audit(scene: &Scene) {
    let topology = Topology::load(scene.testbed.topology_path().expect("topology")).expect("topology");
    let report = audit::run(&Arc::new(topology), Options::default()).await.expect("read");
    assert_eq!(report.verdict, Verdict::Clean, "{report}");
}

pub(in crate::end_to_end) async fn ended_by(client: &Client, job: BulkJobId) -> BulkProgress {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let progress = client.bulk().progress(job).await.expect("progress");
        if progress.job.state.is_final() {
            return progress;
        }
        assert!(Instant::now() < deadline, "it ends within a minute: {progress:?}");
        sleep(Duration::from_millis(100)).await;
    }
}
