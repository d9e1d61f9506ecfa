//! Bulk issue while proxies and primaries die, or wake up late.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use crate::end_to_end::scene::{Scene, cases};

cases! {
    a_killed_proxy_leaves_its_work_to_the_other on own;
    a_frozen_proxy_that_wakes_up_late_changes_nothing on own;
    a_primary_that_is_away_for_a_while_holds_up_its_own_users_only on own;
    a_list_that_a_fail_over_made_shorter_is_submitted_again on own;
}

async fn own(server: PathBuf) -> Scene {
    Scene::own(TestbedSpec::new(2, 2).with_database_server(server), "").await
}

mod cases {
    use std::time::Duration;

    use scrip_chaos::testbed::RestartWith;
    use scrip_client::{
        BulkJobId, BulkJobState, NewBulkJob, RequestId, TemplateDefinition, TemplateId, UserId, mint_request_id,
    };
    use tokio::time::sleep;

    use crate::end_to_end::bulk::job::{audit, ended, ended_by, until, users};
    use crate::end_to_end::scene::{Books, Scene, claim, definition};

    pub(super) async fn a_killed_proxy_leaves_its_work_to_the_other(scene: &Scene) {
        const COUNT: u64 = 4_000;
        let stock = TemplateDefinition { name: "a bulk of them".to_owned(), ..definition(COUNT + 100, 3) };
        let template = scene.published(stock).await;
        let request = RequestId([42; 16]);
        let new = NewBulkJob { rate_per_s: Some(1_500), ..NewBulkJob::new(template) };
        let job = scene.client.bulk().submit(request, new, users(0, COUNT)).await.expect("submitted").job;
        until(scene, job, "some are issued", |progress| progress.issued > 100).await;
        let held = scene.count(0, "scrip_bulk_slices_held").await;
        let (victim, other) = if held > 0 { (0, 1) } else { (1, 0) };
        scene.proxies[victim].kill();
        let client = scene.client_of(other).await;
        for user in users(0, 50).map(UserId::get) {
            client.claim(claim(user, template)).await.expect("users of the list may claim for themselves");
        }
        let again = client.bulk().submit(request, new, users(0, COUNT)).await.expect("submitted again");
        assert_eq!(again.job, job);
        let end = ended_by(&client, job).await;
        assert_eq!((end.job.state, end.issued, end.refused), (BulkJobState::Finished, COUNT, Vec::new()));
        let coupons = COUNT + 50;
        assert_eq!(scene.books(template).await, Books { coupons, ledger: coupons }, "nobody two of the job");
        audit(scene).await;
    }

    /// A job of two primaries in the hands of both proxies, or of one; which one has a part of it.
    async fn under_way(scene: &Scene, template: TemplateId, count: u64) -> (BulkJobId, usize) {
        let new = NewBulkJob { rate_per_s: Some(1_000), ..NewBulkJob::new(template) };
        let job = scene.client.bulk().submit(mint_request_id(), new, users(0, count)).await.expect("submitted").job;
        until(scene, job, "some are issued", |progress| progress.issued > 100).await;
        (job, usize::from(scene.count(0, "scrip_bulk_slices_held").await == 0))
    }

    pub(super) async fn a_frozen_proxy_that_wakes_up_late_changes_nothing(scene: &Scene) {
        const COUNT: u64 = 3_000;
        let template = scene.template(COUNT + 100, 3).await;
        let (job, frozen) = under_way(scene, template, COUNT).await;
        scene.proxies[frozen].pause().expect("frozen");
        let other = scene.client_of(1 - frozen).await;
        let end = ended_by(&other, job).await;
        assert_eq!((end.issued, end.pending), (COUNT, 0), "{end:?}");
        scene.proxies[frozen].resume().expect("thawed");
        sleep(Duration::from_secs(2)).await;
        let later = other.bulk().progress(job).await.expect("progress");
        assert_eq!((later.issued, &later.refused, later.pending), (COUNT, &end.refused, 0));
        assert_eq!(scene.books(template).await, Books { coupons: COUNT, ledger: COUNT });
        audit(scene).await;
    }

    pub(super) async fn a_primary_that_is_away_for_a_while_holds_up_its_own_users_only(scene: &Scene) {
        const COUNT: u64 = 4_000;
        let template = scene.template(COUNT + 100, 3).await;
        let (job, _) = under_way(scene, template, COUNT).await;
        // Not the one with meta, without which nobody knows of jobs.
        scene.testbed.primary(1).pause().expect("paused");
        sleep(Duration::from_secs(4)).await;
        scene.testbed.primary(1).resume().expect("resumed");
        let end = ended(scene, job).await;
        assert_eq!((end.job.state, end.issued, end.refused), (BulkJobState::Finished, COUNT, Vec::new()));
        assert_eq!(scene.books(template).await, Books { coupons: COUNT, ledger: COUNT });
        audit(scene).await;
    }

    /// The server that takes over has neither the list nor the coupons that came of it.
    pub(super) async fn a_list_that_a_fail_over_made_shorter_is_submitted_again(scene: &Scene) {
        const COUNT: u64 = 2_000;
        let template = scene.template(COUNT + 100, 3).await;
        let older = scene.testbed.primary(1).snapshot().await.expect("copied");
        let (request, new) = (mint_request_id(), NewBulkJob { rate_per_s: Some(500), ..NewBulkJob::new(template) });
        let submit = async || scene.client.bulk().submit(request, new, users(0, COUNT)).await;
        let job = submit().await.expect("submitted").job;
        until(scene, job, "some are issued", |progress| progress.issued > 100).await;
        scene.testbed.primary(1).kill();
        scene.testbed.primary(1).restart(RestartWith::Snapshot(&older)).await.expect("failed over");
        let short = until(scene, job, "it is noticed", |progress| {
            progress.job.state == BulkJobState::Uploading || progress.job.state.is_final()
        });
        assert_eq!(short.await.job.state, BulkJobState::Uploading);
        assert_eq!(submit().await.expect("submitted again").job, job);
        let end = ended(scene, job).await;
        assert_eq!((end.job.state, end.issued, end.refused), (BulkJobState::Finished, COUNT, Vec::new()));
        assert_eq!(scene.books(template).await, Books { coupons: COUNT, ledger: COUNT });
        audit(scene).await;
    }
}
