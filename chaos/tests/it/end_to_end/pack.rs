//! Packs: all of their coupons or none, whoever races for them and whatever dies in between.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    a_hundred_sends_of_one_request_give_one_pack on Scene::shared;
    a_request_id_is_one_pack on Scene::shared;
    one_item_that_is_sold_out_keeps_all_others_back on Scene::shared;
    limits_count_every_unit on Scene::shared;
    a_template_says_why_it_refuses_a_pack on Scene::shared;
    packs_and_claims_sell_out_together_to_the_last_unit on Scene::shared;
    too_few_units_are_left_to_others on Scene::shared;
    packs_that_share_their_last_units_do_not_starve_each_other on Scene::shared;
    the_audit_sees_a_pack_that_is_not_whole on own;
    a_proxy_killed_in_mid_pack_leaves_whole_packs on own;
}

async fn own(server: PathBuf) -> Scene {
    Scene::own(TestbedSpec::new(2, 2).with_database_server(server), "").await
}

mod cases {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use mysql_async::prelude::Queryable;
    use scrip_client::{
        ClaimPackError, Code, Coupon, DailyLimit, Disposition, Pack, PackItem, RequestId, Rules, TemplateDefinition,
        TemplateId, UserId, mint_request_id,
    };
    use scrip_proxy::audit::{self, Kind, Options, Report, Verdict};
    use scrip_shard_config::Topology;

    use crate::end_to_end::scene::{Books, Scene, definition};
    use crate::support::connect;

    fn pack(user: u64, request: RequestId, items: &[(TemplateId, u32)]) -> Pack {
        Pack::new(UserId(user), request, items.iter().map(|&(template, count)| PackItem { template, count }))
    }

    async fn claim(scene: &Scene, user: u64, items: &[(TemplateId, u32)]) -> Result<Vec<Coupon>, ClaimPackError> {
        scene.client.claim_pack(&pack(user, mint_request_id(), items)).await
    }

    /// All of these packs at once; the results in their order.
    async fn race(scene: &Scene, packs: impl IntoIterator<Item = Pack>) -> Vec<Result<Vec<Coupon>, ClaimPackError>> {
        let start = |pack: Pack| {
            let client = scene.client.clone();
            tokio::spawn(async move { client.claim_pack(&pack).await })
        };
        let tasks: Vec<_> = packs.into_iter().map(start).collect();
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(task.await.expect("no panic"));
        }
        results
    }

    async fn audit(scene: &Scene) -> Report {
        let topology = Topology::load(scene.testbed.topology_path().expect("topology")).expect("topology");
        audit::run(&Arc::new(topology), Options::default()).await.expect("read")
    }

    async fn assert_clean(scene: &Scene) {
        let report = audit(scene).await;
        assert_eq!(report.verdict, Verdict::Clean, "{report}");
    }

    fn books(count: u64) -> Books {
        Books { coupons: count, ledger: count }
    }

    pub(super) async fn a_hundred_sends_of_one_request_give_one_pack(scene: &Scene) {
        let (tea, cake) = (scene.template(1_000, 5).await, scene.template(1_000, 5).await);
        let (user, request) = (1_001_234, mint_request_id());
        // The order of the items makes no difference to what the pack is.
        let orders = [[(cake, 1), (tea, 2)], [(tea, 2), (cake, 1)]];
        let results = race(scene, (0..100).map(|nth| pack(user, request, &orders[nth % 2]))).await;
        let mut ids = BTreeSet::new();
        for (nth, coupons) in results.iter().enumerate() {
            let coupons = coupons.as_ref().expect("the pack");
            let templates: Vec<_> = coupons.iter().map(|coupon| coupon.template).collect();
            assert_eq!(templates, if nth % 2 == 0 { [cake, tea, tea] } else { [tea, tea, cake] });
            ids.extend(coupons.iter().map(|coupon| (coupon.template, coupon.seq, coupon.coupon_id.0)));
        }
        let seqs: Vec<_> = ids.iter().map(|(template, seq, _)| (*template, *seq)).collect();
        let mut expect = vec![(tea, 1), (tea, 2), (cake, 1)];
        expect.sort_unstable();
        assert_eq!(seqs, expect, "the same coupons in every answer");
        let first = results.iter().filter(|result| result.as_ref().is_ok_and(|coupons| !coupons[0].replayed));
        assert_eq!(first.count(), 1, "one of the answers is the first one");
        assert_eq!((scene.books(tea).await, scene.books(cake).await), (books(2), books(1)));
        scene.client.pause(tea).await.expect("paused");
        let later = scene.client.claim_pack(&pack(user, request, &orders[0])).await.expect("a replay is not refused");
        assert!(later.iter().all(|coupon| coupon.replayed));
    }

    pub(super) async fn a_request_id_is_one_pack(scene: &Scene) {
        let (tea, cake, milk) =
            (scene.template(100, 9).await, scene.template(100, 9).await, scene.template(100, 9).await);
        let (user, request) = (1_101_234, mint_request_id());
        scene.client.claim_pack(&pack(user, request, &[(tea, 2), (cake, 1)])).await.expect("a pack");
        let others: [&[(TemplateId, u32)]; 5] = [
            &[(tea, 1), (cake, 1)],
            &[(tea, 2)],
            &[(tea, 2), (cake, 1), (milk, 1)],
            &[(milk, 1)],
            &[(tea, 3), (cake, 1)],
        ];
        for other in others {
            let refused = scene.client.claim_pack(&pack(user, request, other)).await.expect_err("another pack");
            assert!(matches!(refused, ClaimPackError::RequestIdReused(_)), "{refused:?}");
            assert_eq!(refused.disposition(), Disposition::NotApplied);
        }
        // The same id is free for another user, and for a claim.
        scene.client.claim_pack(&pack(user + 1, request, &[(milk, 1)])).await.expect("another user's");
        let claim = scrip_client::Claim::new(UserId(user), tea, request);
        assert_eq!(scene.client.claim(claim).await.expect("a claim").seq, 3);
        assert_eq!([scene.books(tea).await, scene.books(cake).await, scene.books(milk).await], [3, 1, 1].map(books));
        // Packs of one request with nothing in common, at once: one of them is it.
        for round in 0..20 {
            let (user, request) = (1_200_000 + round, mint_request_id());
            let packs = [&[(tea, 1)][..], &[(cake, 1)], &[(milk, 1)], &[(milk, 1), (tea, 1)]]
                .map(|items| pack(user, request, items));
            let results = race(scene, packs).await;
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
            for refused in results.iter().filter_map(|result| result.as_ref().err()) {
                assert!(matches!(refused, ClaimPackError::RequestIdReused(_)), "{refused:?}");
            }
        }
    }

    pub(super) async fn one_item_that_is_sold_out_keeps_all_others_back(scene: &Scene) {
        let (tea, cake, gone) = (scene.template(40, 4).await, scene.template(30, 4).await, scene.template(3, 1).await);
        assert_eq!(scene.sell_out(gone, 1_300_000).await, 3);
        let items = [(tea, 3), (gone, 1), (cake, 2)];
        let results = race(scene, (0..30).map(|nth| pack(1_310_000 + nth, mint_request_id(), &items))).await;
        for refused in results {
            let refused = refused.expect_err("an item is sold out");
            assert!(matches!(refused, ClaimPackError::SoldOut(_)), "{refused:?}");
            assert_eq!((refused.failure().template(), refused.disposition()), (Some(gone), Disposition::NotApplied));
        }
        for (template, units) in [(tea, 40), (cake, 30)] {
            assert_eq!(scene.books(template).await, books(0));
            assert_eq!(scene.sell_out(template, 1_320_000).await, units, "every unit can still be claimed");
        }
    }

    pub(super) async fn limits_count_every_unit(scene: &Scene) {
        let (tea, cake) = (scene.template(100, 3).await, scene.template(100, 9).await);
        let rules = Rules { daily_limit: Some(DailyLimit { coupons: 2, utc_offset_minutes: 0 }), ..Rules::default() };
        let daily = scene.published(TemplateDefinition { rules, ..definition(100, 9) }).await;
        let user = 1_401_234;
        claim(scene, user, &[(cake, 1), (tea, 2)]).await.expect("two of three");
        let refused = claim(scene, user, &[(cake, 1), (tea, 2)]).await.expect_err("two more are four");
        assert!(matches!(refused, ClaimPackError::LimitReached(_)), "{refused:?}");
        assert_eq!(refused.failure().template(), Some(tea));
        claim(scene, user, &[(cake, 1), (tea, 1)]).await.expect("the third");
        let refused = claim(scene, user, &[(cake, 1), (daily, 3)]).await.expect_err("three in a day");
        assert!(matches!(refused, ClaimPackError::DailyLimitReached(_)), "{refused:?}");
        assert_eq!(refused.failure().template(), Some(daily));
        claim(scene, user, &[(daily, 2)]).await.expect("two in a day");
        assert_eq!([scene.books(tea).await, scene.books(cake).await, scene.books(daily).await], [3, 2, 2].map(books));
        // Hundreds of packs of one user at once, with claims between them: the limit holds, and nothing is lost.
        let user = 1_411_234;
        let (packs, claims) = tokio::join!(
            race(scene, (0..100).map(|_| pack(user, mint_request_id(), &[(tea, 2), (cake, 1)]))),
            scene.rush(tea, std::iter::repeat_n(user, 100)),
        );
        let packs = packs.iter().filter(|result| result.is_ok()).count() as u64;
        let claims = claims.iter().filter(|result| result.is_ok()).count() as u64;
        assert!(matches!((packs, claims), (1, 1) | (0, 3)), "{packs} packs, {claims} claims");
        assert_eq!([scene.books(tea).await, scene.books(cake).await], [6, 2 + packs].map(books));
        assert_eq!(scene.sell_out(tea, 1_420_000).await, 94, "units of refused packs come back");
    }

    pub(super) async fn a_template_says_why_it_refuses_a_pack(scene: &Scene) {
        let good = scene.template(10, 1).await;
        let unknown = TemplateId::try_new(4_000_000_001).expect("not 0");
        let draft = scene.client.create_template(mint_request_id(), definition(5, 1)).await.expect("created").template;
        let paused = scene.template(5, 1).await;
        scene.client.pause(paused).await.expect("paused");
        let closed = scene.template(5, 1).await;
        scene.client.close_template(closed).await.expect("closed");
        // Through the other proxy the news takes up to one refresh.
        tokio::time::sleep(Duration::from_millis(600)).await;
        for (template, code) in [
            (unknown, Code::TemplateNotFound),
            (draft, Code::TemplateNotPublished),
            (paused, Code::TemplatePaused),
            (closed, Code::TemplateClosed),
        ] {
            let refused = claim(scene, 1_501_234, &[(good, 1), (template, 1)]).await.expect_err("refused");
            assert_eq!((refused.code(), refused.failure().template()), (code, Some(template)));
        }
        let wrong = claim(scene, 1, &[(good, 5), (good, 1)]).await.expect_err("no pack");
        assert!(wrong.detail().contains("items.count is 5") && wrong.detail().contains("twice"), "{wrong}");
        assert_eq!(scene.books(good).await, books(0));
        scene.client.resume(paused).await.expect("resumed");
        for proxy in [0, 1] {
            let pack = pack(1_502_000 + proxy as u64, mint_request_id(), &[(good, 1), (paused, 1)]);
            scene.client_of(proxy).await.claim_pack(&pack).await.expect("resumed, seen by both at once");
        }
    }

    pub(super) async fn packs_and_claims_sell_out_together_to_the_last_unit(scene: &Scene) {
        let (tea, cake) = (scene.template(300, 1_000).await, scene.template(200, 1_000).await);
        let packs = (0..150).map(|nth| pack(1_600_000 + nth, mint_request_id(), &[(tea, 1), (cake, 1)]));
        let (packs, claims) = tokio::join!(race(scene, packs), scene.rush(tea, 1_610_000..1_610_100));
        assert!(packs.iter().all(Result::is_ok) && claims.iter().all(Result::is_ok), "there is enough for all");
        assert_eq!((scene.books(tea).await, scene.books(cake).await), (books(250), books(150)));
        let (tea_left, cake_left) = (scene.sell_out(tea, 1_620_000).await, scene.sell_out(cake, 1_630_000).await);
        assert_eq!((tea_left, cake_left), (50, 50));
    }

    pub(super) async fn too_few_units_are_left_to_others(scene: &Scene) {
        let (few, many) = (scene.template(3, 9).await, scene.template(100, 9).await);
        let (client, request) = (scene.client.with_deadline(Duration::from_secs(2)), mint_request_id());
        let items = [(many, 2), (few, 4)];
        let mut told = Vec::new();
        // On a busy machine the last answer in time may come too late.
        while told.len() < 10 && !told.contains(&(Code::StockUnavailable, Some(few))) {
            let refused = client.claim_pack(&pack(1_701_234, request, &items)).await.expect_err("three are left");
            told.push((refused.code(), refused.failure().template()));
        }
        assert_eq!(told.pop(), Some((Code::StockUnavailable, Some(few))));
        assert!(told.iter().all(|(code, _)| *code == Code::OutcomeUnknown), "{told:?}");
        claim(scene, 1_701_235, &[(many, 1), (few, 3)]).await.expect("three");
        let refused = claim(scene, 1_701_234, &[(many, 2), (few, 4)]).await.expect_err("now none is left");
        assert!(matches!(refused, ClaimPackError::SoldOut(_)), "{refused:?}");
        assert_eq!(scene.sell_out(many, 1_710_000).await, 99);
    }

    pub(super) async fn packs_that_share_their_last_units_do_not_starve_each_other(scene: &Scene) {
        let templates = [scene.template(20, 9).await, scene.template(20, 9).await, scene.template(20, 9).await];
        // In every order of the templates: ten of these packs fit, and nothing is left.
        let packs = (0..30).map(|nth: u64| {
            let mut items: Vec<_> = templates.iter().map(|template| (*template, 2)).collect();
            items.rotate_left(nth as usize % 3);
            if nth.is_multiple_of(2) {
                items.reverse();
            }
            pack(1_800_000 + nth, mint_request_id(), &items)
        });
        let results = race(scene, packs).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 10, "{results:?}");
        for refused in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(refused, ClaimPackError::SoldOut(_)), "{refused:?}");
        }
        for template in templates {
            assert_eq!(scene.books(template).await, books(20));
        }
    }

    pub(super) async fn the_audit_sees_a_pack_that_is_not_whole(scene: &Scene) {
        let (tea, cake) = (scene.template(10, 4).await, scene.template(10, 4).await);
        let user = 1_234;
        claim(scene, user, &[(tea, 2), (cake, 1)]).await.expect("a pack");
        assert_clean(scene).await;
        // One coupon becomes that of another request.
        let wrong =
            "UPDATE coupon SET request_id = UNHEX(REPEAT('ab', 16)) WHERE user_id = ? AND template_id = ? AND seq = 2";
        for primary in scene.testbed.primaries() {
            let mut connection = connect(primary).await;
            connection.exec_drop(wrong, (user, tea.get())).await.expect("changed");
        }
        let report = audit(scene).await;
        let kinds: Vec<_> =
            report.findings.iter().map(|finding| (finding.kind, finding.template, finding.user)).collect();
        assert_eq!(kinds, [(Kind::PackNotWhole, Some(tea.get()), Some(user))], "{report}");
    }

    pub(super) async fn a_proxy_killed_in_mid_pack_leaves_whole_packs(scene: &Scene) {
        const USERS: u64 = 300;
        let (tea, cake) = (scene.template(2 * USERS + 50, 2).await, scene.template(USERS + 50, 1).await);
        let start = |nth: u64| {
            let (client, pack) = (scene.client.clone(), pack(2_000 + nth, mint_request_id(), &[(tea, 2), (cake, 1)]));
            tokio::spawn(async move {
                loop {
                    match client.claim_pack(&pack).await {
                        Err(ClaimPackError::Unknown(_) | ClaimPackError::Unavailable(_)) => {}
                        settled => return settled,
                    }
                }
            })
        };
        let tasks: Vec<_> = (0..USERS).map(start).collect();
        tokio::time::sleep(Duration::from_millis(60)).await;
        scene.proxies[0].kill();
        for task in tasks {
            let coupons = task.await.expect("no panic").expect("there is enough for all, also for those who ask again");
            assert_eq!(coupons.len(), 3);
        }
        assert_eq!((scene.books(tea).await, scene.books(cake).await), (books(2 * USERS), books(USERS)));
        assert_clean(scene).await;
        let left = (scene.sell_out(tea, 900_000).await, scene.sell_out(cake, 900_000).await);
        assert_eq!(left, (50, 50), "what the dead proxy had taken is there again");
        assert_clean(scene).await;
    }
}
