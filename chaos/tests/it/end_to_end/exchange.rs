//! Exchange codes: as many coupons as a code has uses, whoever races for them and whatever dies in between.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    one_user_of_hundreds_gets_a_single_use_code on Scene::shared;
    as_many_users_as_it_has_uses_get_a_code on Scene::shared;
    the_same_user_gets_the_same_coupon on Scene::shared;
    a_use_stays_with_its_user_when_the_claim_is_refused on Scene::shared;
    what_the_template_refuses_for_good_takes_no_use on Scene::shared;
    a_revoked_batch_serves_those_who_used_it on Scene::shared;
    a_typing_error_is_told_and_costs_nothing on Scene::shared;
    batches_are_created_once_and_listed on Scene::shared;
    ten_thousand_codes_are_exported_all_different_and_all_good on Scene::shared;
    guessing_is_slowed on own;
    a_proxy_killed_between_use_and_coupon_leaves_both_to_the_other on own;
}

async fn own(server: PathBuf) -> Scene {
    Scene::own(TestbedSpec::new(2, 2).with_database_server(server), "").await
}

mod cases {
    use std::collections::{BTreeSet, HashSet};
    use std::sync::Arc;
    use std::time::Duration;

    use mysql_async::prelude::Queryable;
    use scrip_client::{
        ClaimByCodeError, Code, CodeBatch, CodeBatchQuery, CodeBatchStatus, Coupon, CreateCodeBatchError,
        GetCodeBatchError, NewCodeBatch, Rules, TemplateDefinition, TemplateId, UserId, mint_request_id,
    };
    use scrip_proxy::audit::{self, Options, Verdict};
    use scrip_shard_config::Topology;

    use crate::end_to_end::scene::{Books, Scene, definition};
    use crate::support::connect;

    async fn batch(scene: &Scene, template: TemplateId, count: u32, uses: u32) -> CodeBatch {
        let new = NewCodeBatch { uses, ..NewCodeBatch::new(template, count) };
        scene.client.codes().create(mint_request_id(), new).await.expect("a batch")
    }

    async fn codes(scene: &Scene, batch: &CodeBatch) -> Vec<String> {
        let (mut exported, mut codes) = (scene.client.codes().export(batch.batch), Vec::new());
        while let Some(code) = exported.next().await.expect("a code") {
            codes.push(code);
        }
        codes
    }

    async fn code(scene: &Scene, template: TemplateId, uses: u32) -> String {
        codes(scene, &batch(scene, template, 1, uses).await).await.swap_remove(0)
    }

    /// Claims of these users with one code at once.
    async fn race(
        scene: &Scene,
        code: &str,
        users: impl IntoIterator<Item = u64>,
    ) -> Vec<Result<Coupon, ClaimByCodeError>> {
        let start = |user| {
            let (client, code) = (scene.client.clone(), code.to_owned());
            tokio::spawn(async move { client.claim_by_code(UserId(user), &code).await })
        };
        let tasks: Vec<_> = users.into_iter().map(start).collect();
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(task.await.expect("no panic"));
        }
        results
    }

    async fn audit(scene: &Scene) {
        let topology = Topology::load(scene.testbed.topology_path().expect("topology")).expect("topology");
        let report = audit::run(&Arc::new(topology), Options::default()).await.expect("read");
        assert_eq!(report.verdict, Verdict::Clean, "{report}");
    }

    fn winners(results: &[Result<Coupon, ClaimByCodeError>]) -> BTreeSet<u64> {
        let coupons = results.iter().filter_map(|result| result.as_ref().ok());
        for refused in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(refused, ClaimByCodeError::UsedUp(_)), "{refused:?}");
        }
        coupons.map(|coupon| coupon.user.get()).collect()
    }

    pub(super) async fn one_user_of_hundreds_gets_a_single_use_code(scene: &Scene) {
        let template = scene.template(1_000, 1).await;
        let code = code(scene, template, 1).await;
        // Each of them twice at once.
        let results = race(scene, &code, (0..600).map(|user| 100_000 + user % 300)).await;
        let winners = winners(&results);
        assert_eq!(winners.len(), 1);
        let coupons: HashSet<_> = results.iter().flatten().map(|coupon| coupon.coupon_id).collect();
        assert_eq!(coupons.len(), 1, "both requests of the winner have the same coupon");
        assert_eq!(scene.books(template).await, Books { coupons: 1, ledger: 1 });
        let late = scene.client.claim_by_code(UserId(99), &code).await.expect_err("used up");
        assert!(matches!(late, ClaimByCodeError::UsedUp(_)), "{late:?}");
    }

    pub(super) async fn as_many_users_as_it_has_uses_get_a_code(scene: &Scene) {
        const USES: u32 = 40;
        let template = scene.template(1_000, 1).await;
        let code = code(scene, template, USES).await;
        let results = race(scene, &code, (0..200).map(|user| 200_000 + user * 13)).await;
        assert_eq!(winners(&results).len(), USES as usize);
        let expect = u64::from(USES);
        assert_eq!(scene.books(template).await, Books { coupons: expect, ledger: expect });
        audit(scene).await;
    }

    pub(super) async fn the_same_user_gets_the_same_coupon(scene: &Scene) {
        let template = scene.template(10, 3).await;
        let code = code(scene, template, 5).await;
        let user = UserId(301_234);
        let first = scene.client.claim_by_code(user, &code).await.expect("a coupon");
        assert!(!first.replayed);
        for proxy in 0..2 {
            let client = scene.client_of(proxy).await;
            let again = client.claim_by_code(user, &code.to_lowercase().replace('-', " ")).await.expect("the same");
            assert_eq!(again, Coupon { replayed: true, ..first });
        }
        assert_eq!(scene.books(template).await.coupons, 1);
        let known = scene.client.get_claim(user, template, first.request_id).await.expect("an ordinary claim");
        assert_eq!(known.coupon_id, first.coupon_id);
    }

    pub(super) async fn a_use_stays_with_its_user_when_the_claim_is_refused(scene: &Scene) {
        let template = scene.template(10, 1).await;
        let code = code(scene, template, 1).await;
        let (user, other) = (400_001, UserId(400_002));
        scene.claim(user, template).await.expect("claimed without a code");
        let refused = scene.client.claim_by_code(UserId(user), &code).await.expect_err("above the limit");
        assert!(matches!(refused, ClaimByCodeError::LimitReached(_)), "{refused:?}");
        let refused = scene.client.claim_by_code(other, &code).await.expect_err("the use is gone");
        assert!(matches!(refused, ClaimByCodeError::UsedUp(_)), "{refused:?}");

        let paused = scene.template(10, 1).await;
        let code = self::code(scene, paused, 1).await;
        scene.client.pause(paused).await.expect("paused");
        // Through the other proxy the news takes up to one refresh.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let refused = scene.client.claim_by_code(other, &code).await.expect_err("paused");
        assert!(matches!(refused, ClaimByCodeError::Paused(_)), "{refused:?}");
        scene.client.resume(paused).await.expect("resumed");
        scene.client.claim_by_code(other, &code).await.expect("the use waited for its user");
        audit(scene).await;
    }

    pub(super) async fn what_the_template_refuses_for_good_takes_no_use(scene: &Scene) {
        let template = scene.template(10, 1).await;
        let batch = batch(scene, template, 1, 1).await;
        let code = codes(scene, &batch).await.swap_remove(0);
        scene.client.close_template(template).await.expect("closed");
        // Through the other proxy the news takes up to one refresh.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let refused = scene.client.claim_by_code(UserId(500_001), &code).await.expect_err("closed");
        assert!(matches!(refused, ClaimByCodeError::Closed(_)), "{refused:?}");
        assert_eq!(uses(scene, &batch).await, 0);
    }

    async fn uses(scene: &Scene, batch: &CodeBatch) -> u64 {
        let mut uses = 0;
        for primary in scene.testbed.primaries() {
            let mut connection = connect(primary).await;
            let text = "SELECT COUNT(*) FROM code_use WHERE batch_id = ?";
            let count: Option<u64> = connection.exec_first(text, (batch.batch.get(),)).await.expect("rows");
            uses += count.unwrap_or(0);
        }
        uses
    }

    pub(super) async fn a_revoked_batch_serves_those_who_used_it(scene: &Scene) {
        let template = scene.template(10, 1).await;
        let batch = batch(scene, template, 2, 5).await;
        let codes = codes(scene, &batch).await;
        let (early, late) = (UserId(600_001), UserId(600_002));
        let coupon = scene.client.claim_by_code(early, &codes[0]).await.expect("a coupon");
        for _ in 0..2 {
            let revoked = scene.client.codes().revoke(batch.batch).await.expect("revoked");
            assert_eq!(revoked, CodeBatch { status: CodeBatchStatus::Revoked, ..batch });
        }
        for proxy in 0..2 {
            let client = scene.client_of(proxy).await;
            let again = client.claim_by_code(early, &codes[0]).await.expect("the same");
            assert_eq!(again.coupon_id, coupon.coupon_id);
            for code in &codes {
                let refused = client.claim_by_code(late, code).await.expect_err("revoked");
                assert!(matches!(refused, ClaimByCodeError::Revoked(_)), "{refused:?}");
            }
        }
    }

    pub(super) async fn a_typing_error_is_told_and_costs_nothing(scene: &Scene) {
        let rules = Rules { code_prefix: "TEA".to_owned(), ..Rules::default() };
        let template = scene.published(TemplateDefinition { rules, ..definition(10, 1) }).await;
        let code = code(scene, template, 1).await;
        assert!(code.starts_with("TEA-"), "{code}");
        let user = UserId(700_001);
        let (head, last) = code.split_at(code.len() - 1);
        let other = if last == "A" { "B" } else { "A" };
        let short = &code[8..];
        // More often than wrong codes are allowed in a second.
        let wrong = [
            (format!("{head}{other}"), "mistyped"),
            (format!("{head}0"), "symbol 20"),
            (code.replace("TEA", "TEE"), "prefix"),
            (short.to_owned(), "symbols"),
        ];
        for (wrong, part) in wrong.iter().cycle().take(20) {
            let refused = scene.client.claim_by_code(user, wrong).await.expect_err("mistyped");
            assert!(matches!(refused, ClaimByCodeError::Invalid(_)), "{refused:?}");
            assert!(refused.detail().contains(part) && !refused.detail().contains(&code[4..8]), "{refused}");
        }
        let bare = &code["TEA-".len()..];
        scene.client.claim_by_code(user, bare).await.expect("the prefix may be left out");
    }

    pub(super) async fn batches_are_created_once_and_listed(scene: &Scene) {
        let template = scene.template(1, 1).await;
        let (request, new) = (mint_request_id(), NewCodeBatch { uses: 3, ..NewCodeBatch::new(template, 7) });
        let codes = scene.client.codes();
        let (one, two) = tokio::join!(codes.create(request, new), codes.create(request, new));
        let batch = one.expect("created");
        assert_eq!(two.expect("the same"), batch);
        assert_eq!((batch.new, batch.status, batch.request_id), (new, CodeBatchStatus::Open, request));
        assert_eq!(codes.get(batch.batch).await.expect("known"), batch);
        let reused = codes.create(request, NewCodeBatch { count: 8, ..new }).await.expect_err("another batch");
        assert!(matches!(reused, CreateCodeBatchError::RequestIdReused(_)), "{reused:?}");
        let wrong = codes.create(mint_request_id(), NewCodeBatch { count: 0, uses: 0, ..new }).await.expect_err("none");
        assert!(wrong.detail().contains("count") && wrong.detail().contains("uses"), "{wrong}");
        let page = codes.list(&CodeBatchQuery { page_size: 500, after: None }).await.expect("a page");
        assert!(page.batches.contains(&batch));
        let unknown = scrip_client::CodeBatchId::try_new(16_000_000).expect("an id");
        let refused = codes.get(unknown).await.expect_err("no such batch");
        assert!(matches!(refused, GetCodeBatchError::NotFound(_)), "{refused:?}");
    }

    pub(super) async fn ten_thousand_codes_are_exported_all_different_and_all_good(scene: &Scene) {
        const COUNT: u32 = 10_000;
        let template = scene.template(20_000, 1).await;
        let batch = batch(scene, template, COUNT, 1).await;
        let codes = codes(scene, &batch).await;
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), COUNT as usize);
        assert_eq!(self::codes(scene, &batch).await, codes, "the same again");
        for piece in (0..COUNT as usize).collect::<Vec<_>>().chunks(500) {
            let start = |index: usize| {
                let (client, code) = (scene.client.clone(), codes[index].clone());
                tokio::spawn(async move { client.claim_by_code(UserId(800_000 + index as u64), &code).await })
            };
            for task in piece.iter().copied().map(start).collect::<Vec<_>>() {
                task.await.expect("no panic").expect("a good code");
            }
        }
        assert_eq!(scene.books(template).await.coupons, u64::from(COUNT));
        assert_eq!(uses(scene, &batch).await, u64::from(COUNT));
        audit(scene).await;
    }

    pub(super) async fn guessing_is_slowed(scene: &Scene) {
        let template = scene.template(10, 1).await;
        let code = code(scene, template, 1).await;
        let client = scene.client_of(0).await.with_deadline(Duration::from_millis(300));
        // Well formed, and nobody's: its check symbol fits.
        let made_up = "AAAA-AAAA-AAAA-AAAA-9";
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let refused = client.claim_by_code(UserId(1), made_up).await.expect_err("made up");
            seen.insert(refused.code() as i32);
            if refused.code() == Code::CodeGuessing {
                break;
            }
        }
        assert_eq!(seen, BTreeSet::from([Code::CodeInvalid as i32, Code::CodeGuessing as i32]));
        let refused = client.claim_by_code(UserId(2), &code).await.expect_err("slowed");
        assert!(matches!(refused, ClaimByCodeError::Guessing(_)), "{refused:?}");
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
        // The client waits as it is told.
        scene.client_of(0).await.claim_by_code(UserId(2), &code).await.expect("later it is looked at");
    }

    /// The use is written by hand, as a proxy that dies right after it leaves it; then a proxy is killed under load.
    pub(super) async fn a_proxy_killed_between_use_and_coupon_leaves_both_to_the_other(scene: &Scene) {
        const USERS: u64 = 600;
        let template = scene.template(10_000, 1).await;
        let batch = batch(scene, template, 300, 2).await;
        let codes = codes(scene, &batch).await;
        let left = UserId(5);
        // Code 0 is at home under the tail of its batch's id.
        let tail = batch.batch.get() % 10_000;
        let topology = Topology::load(scene.testbed.topology_path().expect("topology")).expect("topology");
        let home = topology.primary_of(scrip_shard_config::Tail::of_user(u64::from(tail)));
        let at = topology.primaries.iter().position(|primary| primary.id == home).expect("a primary");
        let mut connection = connect(&scene.testbed.primaries()[at]).await;
        connection
            .exec_drop("INSERT INTO code_use VALUES (?, ?, 0, 1, ?, 1)", (tail, batch.batch.get(), left.get()))
            .await
            .expect("a use");
        audit(scene).await;
        scene.client.claim_by_code(left, &codes[0]).await.expect("the use was this user's");

        let start = |index: u64| {
            let (client, code) = (scene.client.clone(), codes[(index % 300) as usize].clone());
            tokio::spawn(async move {
                loop {
                    match client.claim_by_code(UserId(1_000 + index), &code).await {
                        Err(ClaimByCodeError::Unknown(_) | ClaimByCodeError::Unavailable(_)) => {}
                        settled => return settled,
                    }
                }
            })
        };
        let tasks: Vec<_> = (0..USERS).map(start).collect();
        tokio::time::sleep(Duration::from_millis(150)).await;
        scene.proxies[0].kill();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.expect("no panic"));
        }
        // Two uses of each of 300 codes, one of which was taken before.
        assert_eq!(winners(&results).len(), 599);
        assert_eq!(scene.books(template).await, Books { coupons: 600, ledger: 600 });
        assert_eq!(uses(scene, &batch).await, 600);
        audit(scene).await;
    }
}
