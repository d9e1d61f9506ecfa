//! Bulk issue: every user of a list exactly once, whatever happens in between.

mod fault;
pub(super) mod job;

use super::scene::{Scene, cases};

cases! {
    every_user_of_a_list_gets_one_coupon_beside_live_claims on Scene::shared;
    the_same_list_submitted_again_issues_nothing on Scene::shared;
    a_list_of_another_length_does_not_start on Scene::shared;
    who_cannot_have_one_is_told_why on Scene::shared;
    stock_that_ends_in_the_middle_is_issued_to_the_last_unit on Scene::shared;
    a_job_waits_for_its_template_and_its_time on Scene::shared;
    a_paused_job_rests_and_a_cancelled_one_has_a_result_for_everybody on Scene::shared;
    a_rate_is_kept_over_all_proxies on Scene::shared;
    what_cannot_be_is_refused on Scene::shared;
    a_list_is_what_was_counted_whatever_is_added_during_a_start on Scene::shared;
}

mod cases {
    use std::time::{Duration, Instant};

    use scrip_client::{
        AddBulkUsersError, BulkJobId, BulkJobQuery, BulkJobState, BulkOutcome, Code, CreateBulkJobError, NewBulkJob,
        SetBulkJobStateError, StartBulkJobError, SubmitBulkJobError, TemplateId, UserId, mint_request_id,
    };
    use tokio::time::sleep;

    use crate::end_to_end::bulk::job::{audit, count, ended, results, submitted, until, users};
    use crate::end_to_end::scene::{Books, Scene, definition};

    pub(super) async fn every_user_of_a_list_gets_one_coupon_beside_live_claims(scene: &Scene) {
        const COUNT: u64 = 6_000;
        let (listed, live) = (scene.template(100_000, 2).await, scene.template(100_000, 1).await);
        let list = users(1_000, COUNT);
        let (job, rush) = tokio::join!(
            submitted(scene, listed, list.clone()),
            scene.rush(live, list.clone().take(2_000).map(UserId::get))
        );
        assert!(rush.iter().all(Result::is_ok), "live claims go on");
        assert_eq!((job.users, job.state), (COUNT, BulkJobState::Running));
        let end = ended(scene, job.job).await;
        assert_eq!((end.job.state, end.issued, end.pending, end.done()), (BulkJobState::Finished, COUNT, 0, COUNT));
        assert_eq!(scene.books(listed).await, Books { coupons: COUNT, ledger: COUNT }, "nobody two");
        let results = results(scene, job.job).await;
        assert!(results.keys().copied().eq(list.map(UserId::get)));
        let BulkOutcome::Issued(coupon) = results[&1_007] else { panic!("{:?}", results[&1_007]) };
        let mut pages = scene.client.coupons(scrip_client::CouponQuery::new(UserId(1_007)).template(listed));
        let coupons = pages.next_page().await.expect("listed").expect("a page");
        assert_eq!(coupons.iter().map(|coupon| coupon.coupon_id).collect::<Vec<_>>(), [coupon]);
        let page = scene.client.bulk().jobs(&BulkJobQuery { page_size: 500, ..BulkJobQuery::default() }).await;
        assert!(page.expect("jobs").jobs.contains(&end.job));
    }

    pub(super) async fn the_same_list_submitted_again_issues_nothing(scene: &Scene) {
        let template = scene.template(10_000, 5).await;
        let (bulk, request, new) = (scene.client.bulk(), mint_request_id(), NewBulkJob::new(template));
        // A first try stopped in the middle of its list.
        let job = bulk.create(request, new).await.expect("created");
        bulk.upload(job.job, users(0, 700), |_| {}).await.expect("added");
        let (again, at_once) = tokio::join!(
            bulk.submit(request, new, users(0, 1_500).chain(users(0, 10))),
            bulk.submit(request, new, users(0, 1_500))
        );
        for submitted in [again, at_once] {
            match submitted {
                Ok(submitted) => assert_eq!((submitted.job, submitted.users), (job.job, 1_500)),
                // The other was first with its start.
                Err(SubmitBulkJobError::Add(error)) => assert_eq!(error.code(), Code::BulkJobSealed),
                Err(error) => panic!("{error}"),
            }
        }
        ended(scene, job.job).await;
        let later = bulk.submit(request, new, users(0, 1_500)).await.expect("a finished job is answered with");
        assert_eq!((later.job, later.state), (job.job, BulkJobState::Finished));
        assert_eq!(scene.books(template).await, Books { coupons: 1_500, ledger: 1_500 });
        let others = bulk.submit(request, new, users(1, 1_500)).await.expect_err("as many, but others");
        assert!(matches!(&others, SubmitBulkJobError::Start(StartBulkJobError::CountMismatch(_))), "{others:?}");
        let other = NewBulkJob { rate_per_s: Some(5), ..new };
        let reused = bulk.create(request, other).await.expect_err("another job");
        assert!(matches!(reused, CreateBulkJobError::RequestIdReused(_)), "{reused:?}");
    }

    pub(super) async fn a_list_of_another_length_does_not_start(scene: &Scene) {
        let template = scene.template(100, 1).await;
        let (bulk, new) = (scene.client.bulk(), NewBulkJob::new(template));
        let job = bulk.create(mint_request_id(), new).await.expect("created").job;
        bulk.add_range(job, UserId(50), UserId(59)).await.expect("added");
        let refused = bulk.start(job, count(12)).await.expect_err("two are missing");
        assert!(matches!(refused, StartBulkJobError::CountMismatch(_)), "{refused:?}");
        assert!(refused.detail().contains("10") && refused.detail().contains("12"), "{refused}");
        bulk.upload(job, users(1_000, 2), |_| {}).await.expect("it takes users again");
        let started = bulk.start(job, count(12)).await.expect("complete");
        assert_eq!(started.users, 12);
        let late = bulk.upload(job, users(2_000, 1), |_| {}).await.expect_err("closed");
        assert!(matches!(late, AddBulkUsersError::Sealed(_)), "{late:?}");
        assert_eq!(ended(scene, job).await.issued, 12);
    }

    pub(super) async fn who_cannot_have_one_is_told_why(scene: &Scene) {
        let template = scene.template(1_000, 1).await;
        let claimed: Vec<u64> = users(0, 20).map(UserId::get).collect();
        let live = scene.rush(template, claimed.iter().copied()).await;
        assert!(live.iter().all(Result::is_ok));
        let job = submitted(scene, template, users(0, 100)).await.job;
        let end = ended(scene, job).await;
        assert_eq!((end.issued, end.refused), (80, vec![(Code::LimitReached, 20)]));
        for (user, outcome) in results(scene, job).await {
            let refused = outcome == BulkOutcome::Refused(Code::LimitReached);
            assert_eq!(refused, claimed.contains(&user), "{user}: {outcome:?}");
        }
        scene.client.close_template(template).await.expect("closed");
        // Through the other proxy the news takes up to one refresh.
        sleep(Duration::from_millis(600)).await;
        let late = submitted(scene, template, users(5_000, 30)).await.job;
        assert_eq!(ended(scene, late).await.refused, [(Code::TemplateClosed, 30)]);
    }

    pub(super) async fn stock_that_ends_in_the_middle_is_issued_to_the_last_unit(scene: &Scene) {
        let template = scene.template(700, 1).await;
        let job = submitted(scene, template, users(0, 1_000)).await.job;
        let end = ended(scene, job).await;
        assert_eq!((end.issued, end.refused), (700, vec![(Code::SoldOut, 300)]));
        assert_eq!(scene.books(template).await, Books { coupons: 700, ledger: 700 });
    }

    pub(super) async fn a_job_waits_for_its_template_and_its_time(scene: &Scene) {
        let bulk = scene.client.bulk();
        let draft =
            scene.client.create_template(mint_request_id(), definition(100, 1)).await.expect("created").template;
        let job = submitted(scene, draft, users(0, 10)).await.job;
        let now_ms = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as i64);
        let published = scene.template(100, 1).await;
        let new = NewBulkJob { start_at_ms: Some(now_ms + 3_000), ..NewBulkJob::new(published) };
        let later = bulk.submit(mint_request_id(), new, users(0, 10)).await.expect("submitted").job;
        sleep(Duration::from_millis(1_500)).await;
        for job in [job, later] {
            let progress = bulk.progress(job).await.expect("progress");
            assert_eq!((progress.pending, progress.job.state), (10, BulkJobState::Running), "{progress:?}");
        }
        scene.client.publish(draft).await.expect("published");
        for job in [job, later] {
            assert_eq!(ended(scene, job).await.issued, 10);
        }
    }

    pub(super) async fn a_paused_job_rests_and_a_cancelled_one_has_a_result_for_everybody(scene: &Scene) {
        const COUNT: u64 = 2_000;
        let (bulk, template) = (scene.client.bulk(), scene.template(10_000, 2).await);
        let new = NewBulkJob { rate_per_s: Some(500), ..NewBulkJob::new(template) };
        let job = bulk.submit(mint_request_id(), new, users(0, COUNT)).await.expect("submitted").job;
        until(scene, job, "some are issued", |progress| progress.issued > 0).await;
        assert_eq!(bulk.pause(job).await.expect("paused").state, BulkJobState::Paused);
        assert_eq!(bulk.pause(job).await.expect("again").state, BulkJobState::Paused);
        sleep(Duration::from_secs(2)).await;
        let before = bulk.progress(job).await.expect("progress");
        sleep(Duration::from_secs(1)).await;
        let after = bulk.progress(job).await.expect("progress");
        assert_eq!((before.issued, before.pending), (after.issued, after.pending), "it rests");
        assert!(after.pending > 0, "{after:?}");
        assert_eq!(bulk.resume(job).await.expect("resumed").state, BulkJobState::Running);
        until(scene, job, "more are issued", |progress| progress.issued > after.issued).await;
        bulk.cancel(job).await.expect("cancelled");
        let end = ended(scene, job).await;
        assert_eq!((end.job.state, end.pending, end.done()), (BulkJobState::Cancelled, 0, COUNT));
        assert_eq!(end.refused, [(Code::BulkJobCancelled, COUNT - end.issued)]);
        assert_eq!(scene.books(template).await, Books { coupons: end.issued, ledger: end.issued });
        audit(scene).await;
        let refused = bulk.resume(job).await.expect_err("for good");
        assert!(matches!(refused, SetBulkJobStateError::InvalidTransition(_)), "{refused:?}");
        let unstarted = bulk.create(mint_request_id(), new).await.expect("created").job;
        assert_eq!(bulk.cancel(unstarted).await.expect("cancelled").state, BulkJobState::Cancelled);
        let refused = bulk.upload(unstarted, users(0, 1), |_| {}).await.expect_err("cancelled");
        assert!(matches!(refused, AddBulkUsersError::Cancelled(_)), "{refused:?}");
    }

    pub(super) async fn a_rate_is_kept_over_all_proxies(scene: &Scene) {
        let (bulk, template) = (scene.client.bulk(), scene.template(10_000, 1).await);
        let new = NewBulkJob { rate_per_s: Some(200), ..NewBulkJob::new(template) };
        let began = Instant::now();
        let job = bulk.submit(mint_request_id(), new, users(0, 600)).await.expect("submitted").job;
        let end = ended(scene, job).await;
        let took = began.elapsed();
        assert_eq!(end.issued, 600);
        assert!(took >= Duration::from_millis(2_500), "600 at 200 a second are 3 s, not {took:?}");
    }

    pub(super) async fn what_cannot_be_is_refused(scene: &Scene) {
        let bulk = scene.client.bulk();
        let unknown = BulkJobId::try_new(4_000_000_000).expect("not 0");
        let refused = bulk.start(unknown, count(1)).await.expect_err("no such job");
        assert!(matches!(refused, StartBulkJobError::NotFound(_)), "{refused:?}");
        let refused = bulk.result_page(unknown, None).await.expect_err("no such job");
        assert_eq!(refused.code(), Code::BulkJobNotFound);
        let template = TemplateId::try_new(4_000_000_000).expect("not 0");
        let refused = bulk.create(mint_request_id(), NewBulkJob::new(template)).await.expect_err("no such template");
        assert!(matches!(refused, CreateBulkJobError::TemplateNotFound(_)), "{refused:?}");
        let template = scene.template(1, 1).await;
        let empty = bulk.submit(mint_request_id(), NewBulkJob::new(template), []).await.expect_err("nobody");
        assert!(
            matches!(&empty, SubmitBulkJobError::Start(error) if error.code() == Code::InvalidRequest),
            "{empty:?}"
        );
        let new = NewBulkJob { rate_per_s: Some(1_000_001), start_at_ms: Some(-1), ..NewBulkJob::new(template) };
        let refused = bulk.create(mint_request_id(), new).await.expect_err("out of the limits");
        assert!(refused.detail().contains("rate_per_s") && refused.detail().contains("start_at_ms"), "{refused}");
    }

    pub(super) async fn a_list_is_what_was_counted_whatever_is_added_during_a_start(scene: &Scene) {
        let (bulk, template) = (scene.client.bulk(), scene.template(100_000, 1).await);
        for round in 0..5_u64 {
            let job = bulk.create(mint_request_id(), NewBulkJob::new(template)).await.expect("created").job;
            let adding: Vec<_> = (0..20_u64)
                .map(|part| {
                    let bulk = bulk.clone();
                    let first = 1_000_000 + round * 100_000 + part * 1_000;
                    tokio::spawn(async move { bulk.upload(job, users(first, 100), |_| {}).await })
                })
                .collect();
            // Whatever is there when a start counts: that many, or none.
            let mut started = None;
            while started.is_none() {
                let there = bulk.progress(job).await.expect("progress").pending;
                match bulk.start(job, count(there.max(1))).await {
                    Ok(job) => started = Some(job),
                    Err(StartBulkJobError::CountMismatch(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            for added in adding {
                let refused = added.await.expect("no panic").err();
                assert!(refused.as_ref().is_none_or(|error| error.code() == Code::BulkJobSealed), "{refused:?}");
            }
            let end = ended(scene, job).await;
            assert_eq!((Some(end.job.users), end.issued), (started.map(|job| job.users), end.job.users), "{end:?}");
        }
        audit(scene).await;
    }
}
