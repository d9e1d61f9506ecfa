//! Lock, redeem, unlock and return: one winner of every race, and answers that say why.

use super::scene::{Scene, cases};

cases! {
    a_coupon_goes_through_its_life on Scene::shared;
    refusals_say_which_coupon_and_why on Scene::shared;
    of_hundreds_of_orders_one_locks_a_coupon on Scene::shared;
    of_hundreds_of_orders_one_redeems_a_coupon on Scene::shared;
    redeem_and_unlock_race_and_one_wins on Scene::shared;
    redeem_races_the_end_of_its_lock_and_another_order on Scene::shared;
    a_hundred_returns_give_back_once on Scene::shared;
    coupons_are_listed_and_counted_as_they_stand on Scene::shared;
    a_number_finds_its_coupon_and_a_wrong_one_says_why on Scene::shared;
    all_coupons_of_an_order_or_none on Scene::shared;
    a_budget_is_spent_to_the_last_and_never_exceeded on Scene::shared;
    a_killed_proxy_leaves_no_order_half_done on own;
}

async fn own(server: std::path::PathBuf) -> Scene {
    Scene::own(scrip_chaos::testbed::TestbedSpec::new(2, 1).with_database_server(server), "").await
}

mod cases {
    use std::time::Duration;

    use scrip_chaos::evidence;
    use scrip_client::{
        Benefit, Coupon, CouponCounts, CouponId, CouponNumber, CouponOrder, CouponQuery, CouponStatus, GetCouponError,
        OrderError, OrderId, Redemption, Rules, StepKind, TemplateDefinition, TemplateId, UserId, Validity,
    };

    use crate::end_to_end::scene::{Scene, definition};

    const USER: UserId = UserId(4_711);
    const MINUTE: Duration = Duration::from_secs(60);

    type Result = std::result::Result<Vec<Coupon>, OrderError>;

    fn order(id: impl ToString) -> OrderId {
        OrderId::try_new(&id.to_string()).expect("an order id")
    }

    fn redemption(coupon_id: CouponId) -> Redemption {
        Redemption { coupon_id, amount_minor: 500 }
    }

    async fn coupon(scene: &Scene) -> CouponId {
        let template = scene.template(100, 1).await;
        scene.coupon(USER.get(), template).await
    }

    async fn kinds(scene: &Scene, coupon: CouponId) -> Vec<StepKind> {
        let history = scene.client.get_coupon(USER, coupon).await.expect("a history");
        assert!(history.steps.iter().zip(1..).all(|(step, number)| step.number == number), "{:?}", history.steps);
        history.steps.iter().map(|step| step.kind).collect()
    }

    /// All at once, over both proxies.
    async fn race<F, Fut>(count: usize, start: F) -> Vec<Result>
    where
        F: Fn(usize) -> Fut,
        Fut: Future<Output = Result> + Send + 'static,
    {
        let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(start(number))).collect();
        let mut results = Vec::with_capacity(count);
        for task in tasks {
            results.push(task.await.expect("no panic"));
        }
        results
    }

    fn statuses(coupons: &[Coupon]) -> Vec<(CouponStatus, bool)> {
        coupons.iter().map(|coupon| (coupon.status, coupon.replayed)).collect()
    }

    pub(super) async fn a_coupon_goes_through_its_life(scene: &Scene) {
        use CouponStatus::{Locked, Unused, Used};
        let (id, client) = (coupon(scene).await, &scene.client);
        let (first, second) = (order("first"), order("second"));
        for replayed in [false, true] {
            let locked = client.lock_coupons(USER, &first, &[id], MINUTE).await.expect("locked");
            assert_eq!(statuses(&locked), [(Locked, replayed)]);
            assert!(locked[0].locked_until_ms.is_some_and(|until_ms| until_ms > locked[0].claimed_at_ms));
        }
        for replayed in [false, true] {
            let freed = client.unlock_coupons(USER, &first, &[id]).await.expect("unlocked");
            assert_eq!(statuses(&freed), [(Unused, replayed)]);
        }
        for replayed in [false, true] {
            let used = client.redeem_coupons(USER, &second, &[redemption(id)]).await.expect("redeemed");
            assert_eq!(statuses(&used), [(Used, replayed)]);
        }
        for replayed in [false, true] {
            let back = client.return_coupons(USER, &second, &[id]).await.expect("returned");
            assert_eq!(statuses(&back), [(Unused, replayed)]);
        }
        let history = client.get_coupon(USER, id).await.expect("a history");
        let amounts: Vec<u64> = history.steps.iter().map(|step| step.amount_minor).collect();
        assert_eq!(amounts, [0, 0, 500, 500]);
        assert_eq!(
            kinds(scene, id).await,
            [StepKind::Locked, StepKind::Unlocked, StepKind::Redeemed, StepKind::Returned]
        );
    }

    pub(super) async fn refusals_say_which_coupon_and_why(scene: &Scene) {
        let (id, client) = (coupon(scene).await, &scene.client);
        let stranger = client.redeem_coupons(UserId(1), &order("a"), &[redemption(id)]).await;
        assert!(matches!(&stranger, Err(OrderError::Foreign(_))), "{stranger:?}");
        let made_up = client.redeem_coupons(USER, &order("a"), &[redemption(CouponId([7; 16]))]).await;
        assert!(matches!(&made_up, Err(OrderError::NotFound(_))), "{made_up:?}");
        let not_used = client.return_coupons(USER, &order("a"), &[id]).await;
        assert!(matches!(&not_used, Err(OrderError::NotUsed(_))), "{not_used:?}");
        client.lock_coupons(USER, &order("a"), &[id], MINUTE).await.expect("locked");
        let locked = client.redeem_coupons(USER, &order("b"), &[redemption(id)]).await;
        assert!(
            matches!(&locked, Err(OrderError::Locked(error)) if error.detail().contains("coupon 1 of")),
            "{locked:?}"
        );
        client.unlock_coupons(USER, &order("a"), &[id]).await.expect("unlocked");
        let done = client.lock_coupons(USER, &order("a"), &[id], MINUTE).await;
        assert!(matches!(&done, Err(OrderError::OrderDone(_))), "{done:?}");
        client.redeem_coupons(USER, &order("c"), &[redemption(id)]).await.expect("redeemed");
        let used = client.unlock_coupons(USER, &order("c"), &[id]).await;
        assert!(matches!(&used, Err(OrderError::Used(_))), "{used:?}");
        for (validity, code) in [
            (Validity::Relative { starts_after_s: 3_600, lasts_s: 60 }, "NOT_YET_VALID"),
            (Validity::Fixed { from_ms: 0, until_ms: 1 }, "EXPIRED"),
        ] {
            let template = scene.published(scrip_client::TemplateDefinition { validity, ..definition(9, 1) }).await;
            let id = scene.coupon(USER.get(), template).await;
            let refused = client.redeem_coupons(USER, &order("a"), &[redemption(id)]).await.expect_err("out of time");
            assert!(refused.code().as_str_name().ends_with(code), "{refused:?}");
        }
    }

    pub(super) async fn of_hundreds_of_orders_one_locks_a_coupon(scene: &Scene) {
        let id = coupon(scene).await;
        let results = race(200, |number| {
            let client = scene.client.clone();
            async move { client.lock_coupons(USER, &order(number), &[id], MINUTE).await }
        })
        .await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        let lost = results.iter().filter(|result| matches!(result, Err(OrderError::Locked(_)))).count();
        assert_eq!((won, lost), (1, 199));
        assert_eq!(kinds(scene, id).await, [StepKind::Locked]);
    }

    pub(super) async fn of_hundreds_of_orders_one_redeems_a_coupon(scene: &Scene) {
        let id = coupon(scene).await;
        // Each order sends it three times.
        let results = race(300, |number| {
            let client = scene.client.clone();
            async move { client.redeem_coupons(USER, &order(number % 100), &[redemption(id)]).await }
        })
        .await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        let lost = results.iter().filter(|result| matches!(result, Err(OrderError::Used(_)))).count();
        assert_eq!((won, lost), (3, 297), "one order won, and was told so three times");
        assert_eq!(kinds(scene, id).await, [StepKind::Redeemed]);
    }

    pub(super) async fn redeem_and_unlock_race_and_one_wins(scene: &Scene) {
        let template = scene.template(1_000, 100).await;
        for round in 0..10 {
            let (id, order) = (scene.coupon(USER.get(), template).await, order(round));
            scene.client.lock_coupons(USER, &order, &[id], MINUTE).await.expect("locked");
            let results = race(40, |number| {
                let (client, order) = (scene.client.clone(), order.clone());
                async move {
                    match number % 2 {
                        0 => client.redeem_coupons(USER, &order, &[redemption(id)]).await,
                        _ => client.unlock_coupons(USER, &order, &[id]).await,
                    }
                }
            })
            .await;
            let (redeemed, freed): (Vec<_>, Vec<_>) =
                results.into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
            let all =
                |results: &[(usize, Result)], is: fn(&Result) -> bool| results.iter().all(|(_, result)| is(result));
            match kinds(scene, id).await[..] {
                [StepKind::Locked, StepKind::Redeemed] => {
                    assert!(all(&redeemed, Result::is_ok), "{redeemed:?}");
                    assert!(all(&freed, |result| matches!(result, Err(OrderError::Used(_)))), "{freed:?}");
                }
                [StepKind::Locked, StepKind::Unlocked] => {
                    assert!(all(&freed, Result::is_ok), "{freed:?}");
                    assert!(all(&redeemed, |result| matches!(result, Err(OrderError::OrderDone(_)))), "{redeemed:?}");
                }
                ref steps => panic!("{steps:?}"),
            }
        }
    }

    /// The lock ends while its order and a hundred others reach for the coupon: whoever gets it, one does.
    pub(super) async fn redeem_races_the_end_of_its_lock_and_another_order(scene: &Scene) {
        let template = scene.template(1_000, 100).await;
        for round in 0..5 {
            let (id, own) = (scene.coupon(USER.get(), template).await, order(format!("own {round}")));
            let ttl = Duration::from_millis(60);
            scene.client.lock_coupons(USER, &own, &[id], ttl).await.expect("locked");
            let results = race(100, |number| {
                let (client, own) = (scene.client.clone(), own.clone());
                async move {
                    tokio::time::sleep(Duration::from_millis(number as u64)).await;
                    let by = if number == 60 { own } else { order(format!("{round} {number}")) };
                    client.redeem_coupons(USER, &by, &[redemption(id)]).await
                }
            })
            .await;
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "round {round}");
            assert_eq!(kinds(scene, id).await, [StepKind::Locked, StepKind::Redeemed]);
        }
    }

    pub(super) async fn a_hundred_returns_give_back_once(scene: &Scene) {
        let id = coupon(scene).await;
        scene.client.redeem_coupons(USER, &order("a"), &[redemption(id)]).await.expect("redeemed");
        let results = race(100, |_| {
            let client = scene.client.clone();
            async move { client.return_coupons(USER, &order("a"), &[id]).await }
        })
        .await;
        let fresh = results.iter().filter(|result| result.as_ref().is_ok_and(|coupons| !coupons[0].replayed)).count();
        assert!(results.iter().all(Result::is_ok) && fresh == 1, "{fresh} of {results:?}");
        assert_eq!(kinds(scene, id).await, [StepKind::Redeemed, StepKind::Returned]);
    }

    pub(super) async fn a_number_finds_its_coupon_and_a_wrong_one_says_why(scene: &Scene) {
        let mut definition = definition(10, 2);
        definition.rules.code_prefix = "TEA".to_owned();
        let template = scene.published(definition).await;
        let client = &scene.client;
        for user in [USER.get(), u64::MAX] {
            let coupon = scene.claim(user, template).await.expect("a coupon");
            let coupon = client.get_coupon(UserId(user), coupon.coupon_id).await.expect("a history").coupon;
            let number = coupon.number.expect("a number");
            let found = client.find_coupon(number).await.expect("found").coupon;
            assert_eq!((found.coupon_id, found.user, found.number), (coupon.coupon_id, UserId(user), Some(number)));
            for order in [CouponOrder::Template, CouponOrder::Newest] {
                let query = CouponQuery::new(UserId(user)).template(template).order(order);
                let page = client.list_coupons(&query, None).await.expect("a page");
                assert_eq!(page.coupons[0].number, Some(number), "{order:?}");
            }
            let day = number.as_str().split('-').nth(1).expect("a day");
            for wrong in [number.as_str().replace("TEA", "TEE"), number.as_str().replace(day, "19991231")] {
                let wrong = wrong.parse().expect("the check symbol does not cover it");
                let error = client.find_coupon(wrong).await.expect_err("prefix or day is wrong");
                assert!(
                    matches!(&error, GetCouponError::NotFound(failure) if failure.detail().contains("type it again"))
                );
            }
        }
        let made_up = "TEA-20260101-AAAA-AAAA-AAAA-AAAA".parse::<CouponNumber>();
        assert!(made_up.is_err(), "no check symbol");
        let of_another = "TEA-20260101-M3L2-86NT-FQZT-FSGK-D".parse().expect("of another deployment");
        let error = client.find_coupon(of_another).await.expect_err("made with another key");
        assert!(
            matches!(&error, GetCouponError::NotFound(failure) if failure.detail().contains("compare every symbol"))
        );
    }

    pub(super) async fn coupons_are_listed_and_counted_as_they_stand(scene: &Scene) {
        let user = UserId(90_417);
        let lasting = |lasts_s| Validity::Relative { starts_after_s: 0, lasts_s };
        let mut ids = Vec::new();
        for (lasts_s, coupons) in [(3_000, 3), (1_000, 2), (2_000, 2)] {
            let validity = lasting(lasts_s);
            let template = scene.published(TemplateDefinition { validity, ..definition(99, 9) }).await;
            for _ in 0..coupons {
                ids.push(scene.coupon(user.get(), template).await);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        let over = TemplateDefinition { validity: Validity::Fixed { from_ms: 0, until_ms: 1 }, ..definition(9, 1) };
        let over = scene.published(over).await;
        ids.push(scene.coupon(user.get(), over).await);
        scene.client.redeem_coupons(user, &order("a"), &[redemption(ids[0])]).await.expect("redeemed");
        scene.client.lock_coupons(user, &order("b"), &[ids[3], ids[5]], MINUTE).await.expect("locked");
        scene.client.lock_coupons(user, &order("c"), &[ids[6]], Duration::from_millis(1)).await.expect("locked");
        tokio::time::sleep(Duration::from_millis(5)).await;
        let listed = async |query: CouponQuery| {
            let (mut pages, mut found) = (scene.client.coupons(query.page_size(3)), Vec::new());
            while let Some(page) = pages.next_page().await.expect("a page") {
                assert!(page.len() <= 3);
                found.extend(page.iter().map(|coupon| ids.iter().position(|id| *id == coupon.coupon_id).expect("own")));
            }
            found
        };
        let query = || CouponQuery::new(user);
        assert_eq!(listed(query()).await, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(listed(query().order(CouponOrder::Newest)).await, [7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(listed(query().order(CouponOrder::Ending)).await, [7, 3, 4, 5, 6, 0, 1, 2]);
        let unused = query().order(CouponOrder::Ending).status(CouponStatus::Unused);
        assert_eq!(listed(unused).await, [4, 6, 1, 2], "a lock that is over is none");
        assert_eq!(listed(query().status(CouponStatus::Locked)).await, [3, 5]);
        let counts = scene.client.count_coupons(user, None).await.expect("counted");
        assert_eq!(counts, CouponCounts { unused: 4, locked: 2, used: 1, expired: 1, staleness: None });
        let counts = scene.client.count_coupons(user, Some(over)).await.expect("counted");
        assert_eq!(counts, CouponCounts { expired: 1, ..CouponCounts::default() });
    }

    /// Orders reach for overlapping pairs of coupons in different directions.
    pub(super) async fn all_coupons_of_an_order_or_none(scene: &Scene) {
        const COUPONS: usize = 6;
        let template: TemplateId = scene.template(1_000, 100).await;
        let mut ids = Vec::new();
        for _ in 0..COUPONS {
            ids.push(scene.coupon(USER.get(), template).await);
        }
        let pair = |number: usize| {
            let (one, other) = (number % COUPONS, (number + 1 + number / COUPONS) % COUPONS);
            if number.is_multiple_of(2) { (one, other) } else { (other, one) }
        };
        let results = race(60, |number| {
            let client = scene.client.clone();
            let (one, other) = pair(number);
            let coupons = [redemption(ids[one]), redemption(ids[other])];
            async move {
                if coupons[0].coupon_id == coupons[1].coupon_id {
                    return Ok(Vec::new());
                }
                client.redeem_coupons(USER, &order(number), &coupons).await
            }
        })
        .await;
        let mut used = [0; COUPONS];
        for (number, result) in results.iter().enumerate() {
            let (one, other) = pair(number);
            match result {
                Ok(coupons) if coupons.is_empty() => {}
                Ok(_) => [one, other].into_iter().for_each(|index| used[index] += 1),
                Err(error) => assert!(matches!(error, OrderError::Used(_)), "{error:?}"),
            }
        }
        for (id, times) in ids.into_iter().zip(used) {
            let expect = vec![StepKind::Redeemed; times];
            assert!(times <= 1);
            assert_eq!(kinds(scene, id).await, expect, "who was refused has taken none of the two");
        }
    }

    /// Sixty coupons of 5.00 on three primaries, and 100.00 to spend.
    pub(super) async fn a_budget_is_spent_to_the_last_and_never_exceeded(scene: &Scene) {
        let rules = Rules {
            benefit: Some(Benefit::AmountOff { amount_minor: 500 }),
            currency: Some("EUR".to_owned()),
            budget_minor: 10_000,
            ..Rules::default()
        };
        let template = scene.published(TemplateDefinition { rules, ..definition(100, 1) }).await;
        let mut coupons = Vec::new();
        for user in (0..60).map(|number| UserId(number * 167)) {
            coupons.push((user, scene.coupon(user.get(), template).await));
        }
        let results = race(coupons.len(), |number| {
            let (client, (user, id)) = (scene.client.clone(), coupons[number]);
            async move { client.redeem_coupons(user, &order("one"), &[redemption(id)]).await }
        })
        .await;
        let spent = results.iter().filter(|result| result.is_ok()).count();
        let refused = results.iter().filter(|result| matches!(result, Err(OrderError::BudgetSpent(_)))).count();
        assert_eq!((spent, refused), (20, 40), "{results:?}");
        let (user, id) = coupons[results.iter().position(Result::is_ok).expect("one")];
        scene.client.return_coupons(user, &order("one"), &[id]).await.expect("returned");
        let dearer = [Redemption { coupon_id: id, amount_minor: 501 }];
        let refused = scene.client.redeem_coupons(user, &order("two"), &dearer).await;
        assert!(matches!(refused, Err(OrderError::BudgetSpent(_))), "{refused:?}");
        scene.client.redeem_coupons(user, &order("three"), &[redemption(id)]).await.expect("what came back");
        let audit = evidence::audit(&scene.testbed, &scene.proxies, MINUTE).await.expect("audited");
        let findings: Vec<String> = audit.findings.iter().map(ToString::to_string).collect();
        assert!(!findings.iter().any(|finding| finding.contains("budget")), "{findings:?}");
    }

    /// Cycles of lock and redeem while a proxy is killed: after it, every order asks again and gets one answer.
    pub(super) async fn a_killed_proxy_leaves_no_order_half_done(scene: &Scene) {
        let template = scene.template(1_000, 2).await;
        let mut pairs = Vec::new();
        for user in 0..200_u64 {
            pairs.push((user, [scene.coupon(user, template).await, scene.coupon(user, template).await]));
        }
        let cycles = pairs.clone().into_iter().map(|(user, ids)| {
            let client = scene.client.clone();
            tokio::spawn(async move {
                let (user, order) = (UserId(user), order(user));
                client.lock_coupons(user, &order, &ids, MINUTE).await?;
                client.redeem_coupons(user, &order, &ids.map(redemption)).await
            })
        });
        let cycles: Vec<_> = cycles.collect();
        tokio::time::sleep(Duration::from_millis(30)).await;
        scene.proxies[0].kill();
        for cycle in cycles {
            // Whatever it was told, asking again tells the truth.
            drop(cycle.await.expect("no panic"));
        }
        for (user, ids) in pairs {
            let (user, order) = (UserId(user), order(user));
            let used = scene.client.redeem_coupons(user, &order, &ids.map(redemption)).await.expect("redeemed");
            assert!(used.iter().all(|coupon| coupon.status == CouponStatus::Used));
            for id in ids {
                let steps = scene.client.get_coupon(user, id).await.expect("a history").steps;
                let kinds: Vec<_> = steps.iter().map(|step| step.kind).collect();
                assert!(
                    matches!(kinds[..], [StepKind::Redeemed] | [StepKind::Locked, StepKind::Redeemed]),
                    "user {user}: {kinds:?}"
                );
            }
        }
    }
}
