//! The limit per user and day.

use super::scene::{Scene, cases};

cases! {
    nobody_gets_more_in_a_day_than_the_limit_a_day on Scene::shared;
    the_next_day_counts_anew on Scene::shared;
    a_replay_is_answered_on_a_full_day on Scene::shared;
}

mod cases {
    use mysql_async::prelude::Queryable;
    use scrip_client::{Claim, ClaimError, DailyLimit, Disposition, Rules, TemplateDefinition, mint_request_id};
    use scrip_protocol::{TemplateId, UserId};

    use crate::end_to_end::scene::{Books, Scene, definition};
    use crate::support::connect;

    const DAY_MS: u64 = 86_400_000;

    /// 1,000 units, 8 a user, 3 a day. Midnight is hours away, whenever this runs.
    async fn template(scene: &Scene) -> TemplateId {
        let now_ms = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64);
        let minutes = (now_ms % DAY_MS / 60_000) as i32;
        let utc_offset_minutes = 720 - minutes;
        let rules = Rules { daily_limit: Some(DailyLimit { coupons: 3, utc_offset_minutes }), ..Rules::default() };
        scene.published(TemplateDefinition { rules, ..definition(1_000, 8) }).await
    }

    /// What was claimed until now, was claimed a day sooner.
    async fn a_day_passes(scene: &Scene, template: TemplateId) {
        for primary in scene.testbed.primaries() {
            let mut connection = connect(primary).await;
            let change = "UPDATE coupon SET claimed_at_ms = claimed_at_ms - ? WHERE template_id = ?";
            connection.exec_drop(change, (DAY_MS, template.get())).await.expect("changed");
        }
    }

    /// 100 claims of each user at once, through both proxies; how many coupons that gave.
    async fn rush(scene: &Scene, template: TemplateId) -> usize {
        const USERS: u64 = 3;
        let users = (0..100 * USERS).map(|number| 91_111 + number % USERS);
        let results = scene.rush(template, users).await;
        for refused in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(refused, ClaimError::DailyLimitReached(_) | ClaimError::LimitReached(_)), "{refused:?}");
            assert_eq!(refused.disposition(), Disposition::NotApplied);
        }
        let granted = results.iter().flatten();
        let count = granted.count();
        assert_eq!(count % USERS as usize, 0, "each user gets the same");
        count / USERS as usize
    }

    pub(super) async fn nobody_gets_more_in_a_day_than_the_limit_a_day(scene: &Scene) {
        let template = template(scene).await;
        assert_eq!(rush(scene, template).await, 3);
        assert_eq!(rush(scene, template).await, 0);
        assert_eq!(scene.books(template).await, Books { coupons: 9, ledger: 9 });
        assert_eq!(scene.sell_out(template, 200_000).await, 991, "units of refused claims come back");
    }

    pub(super) async fn the_next_day_counts_anew(scene: &Scene) {
        let template = template(scene).await;
        for expect in [3, 3, 2, 0] {
            assert_eq!(rush(scene, template).await, expect);
            a_day_passes(scene, template).await;
        }
        let over = scene.claim(91_111, template).await.expect_err("8 of 8");
        assert!(matches!(over, ClaimError::LimitReached(_)), "{over:?}");
        assert_eq!(scene.books(template).await, Books { coupons: 24, ledger: 24 });
    }

    pub(super) async fn a_replay_is_answered_on_a_full_day(scene: &Scene) {
        let template = template(scene).await;
        let (one, other) = (scene.client_of(0).await, scene.client_of(1).await);
        let claim = |request| Claim::new(UserId(92_222), template, request);
        let mut first = Vec::new();
        for _ in 0..3 {
            let request = mint_request_id();
            first.push((request, one.claim(claim(request)).await.expect("claimed")));
        }
        for client in [&one, &other] {
            let full = client.claim(claim(mint_request_id())).await.expect_err("three a day");
            assert!(matches!(full, ClaimError::DailyLimitReached(_)), "{full:?}");
            for (request, coupon) in &first {
                let again = client.claim(claim(*request)).await.expect("replayed");
                assert!(again.replayed && again.coupon_id == coupon.coupon_id);
            }
        }
    }
}
