//! Claiming: replays, limits, the rules of the template, listing.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    a_replay_gives_the_same_coupon_at_once_later_and_on_the_other_proxy on Scene::shared;
    the_same_request_sent_at_once_to_both_proxies_gives_one_coupon on Scene::shared;
    a_user_never_gets_more_than_the_limit on Scene::shared;
    a_template_says_why_it_refuses on Scene::shared;
    what_became_of_a_claim_can_be_asked on Scene::shared;
    coupons_are_listed_page_by_page on Scene::shared;
    who_claims_again_at_once_costs_no_transaction on remembering;
    who_claims_again_is_refused_without_memory_too on forgetful;
}

async fn remembering(server: PathBuf) -> Scene {
    Scene::own(TestbedSpec::new(1, 1).with_database_server(server), "").await
}

async fn forgetful(server: PathBuf) -> Scene {
    Scene::own(TestbedSpec::new(1, 1).with_database_server(server), "[limits]\nrecent_max = 0").await
}

mod cases {
    use std::collections::BTreeSet;
    use std::time::{Duration, SystemTime};

    use scrip_client::{
        Claim, ClaimError, CouponQuery, CouponStatus, GetClaimError, TemplateDefinition, Validity, mint_request_id,
    };
    use scrip_protocol::{TemplateId, UserId};

    use crate::end_to_end::scene::{Books, Scene, claim, definition};

    pub(super) async fn a_replay_gives_the_same_coupon_at_once_later_and_on_the_other_proxy(scene: &Scene) {
        let template = scene.template(10, 1).await;
        let request = mint_request_id();
        let (one, other) = (scene.client_of(0).await, scene.client_of(1).await);
        let claim = || Claim::new(UserId(71_234), template, request);
        let first = one.claim(claim()).await.expect("claimed");
        let at_once = one.claim(claim()).await.expect("replayed");
        let elsewhere = other.claim(claim()).await.expect("replayed");
        scene.sell_out(template, 100_000).await;
        let later = other.claim(claim()).await.expect("a replay is not refused because stock is gone");
        scene.client.pause(template).await.expect("paused");
        let paused = one.claim(claim()).await.expect("nor because the template is paused");
        assert!(!first.replayed);
        for replay in [at_once, elsewhere, later, paused] {
            assert!(replay.replayed);
            assert_eq!((replay.coupon_id, replay.seq), (first.coupon_id, first.seq));
        }
        assert_eq!(scene.books(template).await, Books { coupons: 10, ledger: 10 });
    }

    pub(super) async fn the_same_request_sent_at_once_to_both_proxies_gives_one_coupon(scene: &Scene) {
        let template = scene.template(1_000, 3).await;
        let (one, other) = (scene.client_of(0).await, scene.client_of(1).await);
        for user in 0..50 {
            let request = mint_request_id();
            let claim = || Claim::new(UserId(user), template, request);
            let (a, b, c) = tokio::join!(one.claim(claim()), other.claim(claim()), one.claim(claim()));
            let coupons = [a.expect("a"), b.expect("b"), c.expect("c")];
            let ids: BTreeSet<_> = coupons.iter().map(|coupon| coupon.coupon_id).collect();
            assert_eq!(ids.len(), 1, "one request, one coupon: {coupons:?}");
        }
        assert_eq!(scene.books(template).await, Books { coupons: 50, ledger: 50 });
    }

    pub(super) async fn a_user_never_gets_more_than_the_limit(scene: &Scene) {
        for limit in [1, 3] {
            let template = scene.template(1_000, limit).await;
            let results = scene.rush(template, std::iter::repeat_n(81_111, 200)).await;
            let mut seqs: Vec<u32> = results.iter().flatten().map(|coupon| coupon.seq).collect();
            seqs.sort_unstable();
            assert_eq!(seqs, (1..=limit).collect::<Vec<_>>());
            for refused in results.iter().filter_map(|result| result.as_ref().err()) {
                assert!(matches!(refused, ClaimError::LimitReached(_)), "{refused:?}");
            }
            let limit = u64::from(limit);
            assert_eq!(scene.books(template).await, Books { coupons: limit, ledger: limit });
            assert_eq!(scene.sell_out(template, 200_000).await, 1_000 - limit, "units of refused claims come back");
        }
    }

    pub(super) async fn a_template_says_why_it_refuses(scene: &Scene) {
        let now_ms = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as i64);
        let window = |start, end| TemplateDefinition { claim_start_ms: start, claim_end_ms: end, ..definition(5, 1) };
        let unknown = TemplateId::try_new(4_000_000_000).expect("not 0");
        let draft = scene.client.create_template(mint_request_id(), definition(5, 1)).await.expect("created").template;
        let early = scene.published(window(Some(now_ms + 3_600_000), None)).await;
        let late = scene.published(window(Some(now_ms - 10_000), Some(now_ms - 5_000))).await;
        let paused = scene.template(5, 1).await;
        scene.client.pause(paused).await.expect("paused");
        let closed = scene.template(5, 1).await;
        scene.client.close_template(closed).await.expect("closed");
        // Through the other proxy the news takes up to one refresh.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let refusal = async |template| scene.claim(5, template).await.expect_err("refused");
        assert!(matches!(refusal(unknown).await, ClaimError::TemplateNotFound(_)));
        assert!(matches!(refusal(draft).await, ClaimError::NotPublished(_)));
        assert!(matches!(refusal(early).await, ClaimError::NotStarted(_)));
        assert!(matches!(refusal(late).await, ClaimError::Ended(_)));
        assert!(matches!(refusal(paused).await, ClaimError::Paused(_)));
        assert!(matches!(refusal(closed).await, ClaimError::Closed(_)));
        scene.client.resume(paused).await.expect("resumed");
        for proxy in [0, 1] {
            let user = 1_000 + proxy as u64;
            scene.client_of(proxy).await.claim(claim(user, paused)).await.expect("resumed, seen by both at once");
        }
    }

    pub(super) async fn what_became_of_a_claim_can_be_asked(scene: &Scene) {
        let template = scene.template(5, 2).await;
        let (user, request) = (UserId(31_337), mint_request_id());
        let before = scene.client.get_claim(user, template, request).await.expect_err("nothing yet");
        assert!(matches!(before, GetClaimError::NotFound(_)), "{before:?}");
        let coupon = scene.client.claim(Claim::new(user, template, request)).await.expect("claimed");
        let after = scene.client.get_claim(user, template, request).await.expect("found");
        assert_eq!((after.coupon_id, after.request_id), (coupon.coupon_id, request));
    }

    pub(super) async fn coupons_are_listed_page_by_page(scene: &Scene) {
        let user = 555_000_111;
        let short =
            TemplateDefinition { validity: Validity::Fixed { from_ms: 1_000, until_ms: 2_000 }, ..definition(100, 30) };
        let (valid, expired) = (scene.template(100, 30).await, scene.published(short).await);
        for template in [valid, expired] {
            for _ in 0..25 {
                scene.claim(user, template).await.expect("claimed");
            }
        }
        let all = async |query: CouponQuery| {
            let mut pages = scene.client.coupons(query);
            let (mut coupons, mut count) = (Vec::new(), 0);
            while let Some(page) = pages.next_page().await.expect("listed") {
                coupons.extend(page);
                count += 1;
            }
            (coupons, count)
        };
        let (everything, pages) = all(CouponQuery::new(UserId(user)).page_size(20)).await;
        assert_eq!((everything.len(), pages), (50, 3));
        let ids: BTreeSet<_> = everything.iter().map(|coupon| coupon.coupon_id).collect();
        assert_eq!(ids.len(), 50, "none twice");
        let (dead, _) = all(CouponQuery::new(UserId(user)).status(CouponStatus::Expired).page_size(10)).await;
        assert!(dead.len() == 25 && dead.iter().all(|coupon| coupon.template == expired));
        let (one, _) = all(CouponQuery::new(UserId(user)).template(valid)).await;
        assert!(one.len() == 25 && one.iter().all(|coupon| coupon.status == CouponStatus::Unused));
    }

    /// 60 users, twice the limit for each, through one proxy; then all of them through the other.
    async fn again_and_again(scene: &Scene, limit: u32) -> u64 {
        let template = scene.template(10_000, limit).await;
        let (one, other) = (scene.client_of(0).await, scene.client_of(1).await);
        for (client, granted) in [(one, limit), (other, 0)] {
            for round in 0..2 * limit {
                for user in 0..60 {
                    match client.claim(claim(user, template)).await {
                        Ok(coupon) => assert!(round < granted && coupon.seq == round + 1, "{round}: {coupon:?}"),
                        Err(ClaimError::LimitReached(_)) => assert!(round >= granted, "{round}"),
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
        let coupons = 60 * u64::from(limit);
        assert_eq!(scene.books(template).await, Books { coupons, ledger: coupons });
        scene.count(0, "scrip_conflicts_total").await
    }

    pub(super) async fn who_claims_again_at_once_costs_no_transaction(scene: &Scene) {
        assert_eq!(again_and_again(scene, 1).await, 0);
        assert_eq!(again_and_again(scene, 3).await, 0);
    }

    pub(super) async fn who_claims_again_is_refused_without_memory_too(scene: &Scene) {
        // A look-up comes first where conflicts are likely, so not every claim meets one.
        let conflicts = again_and_again(scene, 1).await;
        assert!((1..40).contains(&conflicts), "{conflicts}");
        again_and_again(scene, 3).await;
    }
}
