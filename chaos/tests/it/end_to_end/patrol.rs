//! The patrol: reads are exact before it came, after it every fact is written down once, and of a race one side wins.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    coupons_that_expire_together_are_written_down_once on patrolled;
    a_user_is_reminded_once_for_each_time on patrolled;
    orders_around_the_end_are_told_what_is_written_down on patrolled;
    patrol_and_orders_race_and_one_wins on patrolled;
}

/// Slow enough to be killed in the middle.
async fn patrolled(server: PathBuf) -> Scene {
    let spec = TestbedSpec::new(2, 1).with_database_server(server);
    let config = "[events]\nenabled = true\n\
         [patrol]\nenabled = true\nround_interval = \"50ms\"\nremind_before = [\"1h\", \"5s\"]\nslice_rows = 200\nrows_per_second = 4000\n";
    Scene::own(spec, config).await
}

mod cases {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use mysql_async::prelude::Queryable;
    use prost::Message;
    use scrip_client::{
        Claim, CouponQuery, CouponStatus, OrderId, Redemption, StepKind, TemplateDefinition, TemplateId, UserId,
        Validity, mint_request_id,
    };
    use scrip_protocol::v1::{EventBatch, EventKind};
    use scrip_proxy::audit::{self, Options, Verdict};
    use scrip_shard_config::Topology;
    use tokio::time::sleep;

    use crate::end_to_end::scene::{Scene, definition};
    use crate::support::connect;

    const COUPONS: u64 = 20_000;
    const EXPIRED: u8 = 6;

    fn now_ms() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        i64::try_from(since.as_millis()).expect("in time")
    }

    async fn until(scene: &Scene, until_ms: i64, total_stock: u64) -> TemplateId {
        let validity = Validity::Fixed { from_ms: 0, until_ms };
        scene.published(TemplateDefinition { validity, ..definition(total_stock, 1) }).await
    }

    async fn wait_until(until_ms: i64) {
        let left = u64::try_from(until_ms - now_ms()).unwrap_or(0);
        sleep(Duration::from_millis(left)).await;
    }

    /// Coupons with so many steps of this kind, over all primaries.
    async fn steps_of(scene: &Scene, template: TemplateId, kind: u8) -> BTreeMap<u64, u64> {
        let mut counts = BTreeMap::new();
        for primary in scene.testbed.primaries() {
            let sql = "SELECT times, CAST(COUNT(*) AS UNSIGNED) FROM (SELECT COUNT(*) times FROM coupon_step \
                       WHERE template_id = ? AND kind = ? GROUP BY user_id, seq) t GROUP BY times";
            let rows: Vec<(u64, u64)> = connect(primary).await.exec(sql, (template.get(), kind)).await.expect("steps");
            rows.into_iter().for_each(|(times, coupons)| *counts.entry(times).or_default() += coupons);
        }
        counts
    }

    /// Events of this kind in the outboxes.
    async fn told(scene: &Scene, template: TemplateId, kind: EventKind) -> u64 {
        let mut count = 0;
        for primary in scene.testbed.primaries() {
            let rows: Vec<Vec<u8>> = connect(primary).await.query("SELECT events FROM outbox").await.expect("rows");
            for row in rows {
                let events = EventBatch::decode(&row[..]).expect("a batch").events;
                let of_it =
                    |event: &&scrip_protocol::v1::Event| event.template_id == template.get() && event.kind() == kind;
                count += events.iter().filter(of_it).count() as u64;
            }
        }
        count
    }

    /// The audit retraces every log, with the steps of the patrol.
    async fn is_clean(scene: &Scene) {
        let topology = Topology::load(scene.testbed.topology_path().expect("a path")).expect("a topology");
        let report = audit::run(&Arc::new(topology), Options::default()).await.expect("read");
        assert_eq!(report.verdict, Verdict::Clean, "{report}");
    }

    async fn patrols(scene: &Scene) -> usize {
        for _ in 0..200 {
            for (index, proxy) in scene.proxies.iter().enumerate() {
                let page = proxy.admin_get("/metrics").await.expect("metrics");
                if page.contains("scrip_patrol_leads{primary=\"p00\"} 1\n") {
                    return index;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody patrols");
    }

    pub(super) async fn coupons_that_expire_together_are_written_down_once(scene: &Scene) {
        let until_ms = now_ms() + 15_000;
        let template = until(scene, until_ms, COUPONS).await;
        for first in (0..COUPONS).step_by(4_000) {
            let claim = move |user| Claim::new(UserId(user), template, mint_request_id()).first_try();
            let mut claims = tokio::task::JoinSet::new();
            for user in first..first + 4_000 {
                let client = scene.client.clone();
                claims.spawn(async move { client.claim(claim(user)).await });
            }
            assert!(claims.join_all().await.iter().all(Result::is_ok));
        }
        assert!(now_ms() < until_ms, "the machine is too slow for this test");
        assert_eq!(steps_of(scene, template, EXPIRED).await, BTreeMap::new());
        wait_until(until_ms).await;

        // Exact before the patrol came, which waits for its grace.
        for user in [0, 7, COUPONS - 1] {
            let page = scene
                .client
                .list_coupons(&CouponQuery::new(UserId(user)).template(template), None)
                .await
                .expect("a page");
            assert_eq!(page.coupons[0].status, CouponStatus::Expired);
        }
        let patrol = patrols(scene).await;
        let deadline = Instant::now() + Duration::from_secs(90);
        let mut killed = false;
        loop {
            let found = steps_of(scene, template, EXPIRED).await;
            assert!(found.keys().all(|times| *times == 1), "{found:?}");
            let count = found.get(&1).copied().unwrap_or(0);
            if count == COUPONS {
                break;
            }
            if count > 0 && !killed {
                scene.proxies[patrol].kill();
                killed = true;
            }
            assert!(Instant::now() < deadline, "{count} of {COUPONS} are written down");
            sleep(Duration::from_millis(50)).await;
        }
        assert!(killed, "killed in the middle");
        // It walks on; nothing is written twice.
        sleep(Duration::from_secs(2)).await;
        assert_eq!(steps_of(scene, template, EXPIRED).await, BTreeMap::from([(1, COUPONS)]));
        assert_eq!(told(scene, template, EventKind::Expired).await, COUPONS);
        is_clean(scene).await;
    }

    /// Locks that end, coupons that expire, and orders that reach for both right then: whatever the order was told is so.
    pub(super) async fn orders_around_the_end_are_told_what_is_written_down(scene: &Scene) {
        const USERS: u64 = 400;
        let until_ms = now_ms() + 6_000;
        let template = until(scene, until_ms, USERS).await;
        let results = scene.rush(template, 0..USERS).await;
        let ids: Vec<_> = results.into_iter().map(|result| result.expect("a coupon").coupon_id).collect();
        // Half of them are locked until some time around the end.
        let orders: Vec<OrderId> =
            (0..USERS).map(|user| OrderId::try_new(&format!("order {user}")).expect("an order id")).collect();
        let left = u64::try_from(until_ms - now_ms()).expect("in time");
        for user in (0..USERS).step_by(2) {
            let index = usize::try_from(user).expect("small");
            let ttl = Duration::from_millis(left + user * 5);
            scene.client.lock_coupons(UserId(user), &orders[index], &[ids[index]], ttl).await.expect("locked");
        }
        wait_until(until_ms).await;
        let mut races = tokio::task::JoinSet::new();
        for user in 0..USERS {
            let (client, index) = (scene.client.clone(), usize::try_from(user).expect("small"));
            let (order, id) = (orders[index].clone(), ids[index]);
            races.spawn(async move {
                // Half of the locks are over by then.
                sleep(Duration::from_millis(1_000 + user % 7)).await;
                let redemption = Redemption { coupon_id: id, amount_minor: 5 };
                let redeemed = client.redeem_coupons(UserId(user), &order, &[redemption]).await.is_ok();
                let returned = redeemed && client.return_coupons(UserId(user), &order, &[id]).await.is_ok();
                (user, redeemed, returned)
            });
        }
        let told_so: BTreeMap<u64, (bool, bool)> =
            races.join_all().await.into_iter().map(|(user, redeemed, returned)| (user, (redeemed, returned))).collect();
        sleep(Duration::from_secs(4)).await;
        let mut redemptions = 0;
        for (user, (redeemed, returned)) in told_so {
            let index = usize::try_from(user).expect("small");
            let history = scene.client.get_coupon(UserId(user), ids[index]).await.expect("a history");
            assert!(history.steps.iter().zip(1..).all(|(step, number)| step.number == number), "{:?}", history.steps);
            let kinds: Vec<StepKind> = history.steps.iter().map(|step| step.kind).collect();
            let expect = match (user % 2 == 0, redeemed, returned) {
                (true, true, true) => vec![StepKind::Locked, StepKind::Redeemed, StepKind::Returned, StepKind::Expired],
                (true, false, false) => vec![StepKind::Locked, StepKind::Freed, StepKind::Expired],
                (false, false, false) => vec![StepKind::Expired],
                other => panic!("user {user}: {other:?}: {kinds:?}"),
            };
            assert_eq!(kinds, expect, "user {user}");
            assert_eq!(history.coupon.status, CouponStatus::Expired);
            redemptions += u64::from(redeemed);
        }
        assert!((1..USERS / 2).contains(&redemptions), "both sides won some: {redemptions}");
        assert_eq!(told(scene, template, EventKind::Expired).await, USERS);
        is_clean(scene).await;
    }

    /// A lock is over, and its order redeems right when the patrol frees the coupon.
    pub(super) async fn patrol_and_orders_race_and_one_wins(scene: &Scene) {
        const USERS: u64 = 600;
        let template = until(scene, now_ms() + 3_600_000, USERS).await;
        let results = scene.rush(template, 0..USERS).await;
        let mut races = tokio::task::JoinSet::new();
        for (user, result) in (0..USERS).zip(results) {
            let (client, id) = (scene.client.clone(), result.expect("a coupon").coupon_id);
            // Most when the grace of the patrol is over; some far apart, so that a slow machine shows both ways, too.
            let delay = if user < 500 { 1_050 + user / 2 } else { (user - 500) * 80 };
            let delay = Duration::from_millis(delay);
            races.spawn(async move {
                let (user, order) = (UserId(user), OrderId::try_new("order").expect("an order id"));
                client.lock_coupons(user, &order, &[id], Duration::from_millis(100)).await.expect("locked");
                sleep(delay).await;
                client
                    .redeem_coupons(user, &order, &[Redemption { coupon_id: id, amount_minor: 5 }])
                    .await
                    .expect("redeemed");
                client.get_coupon(user, id).await.expect("a history").steps
            });
        }
        let mut freed = 0;
        for steps in races.join_all().await {
            assert!(steps.iter().zip(1..).all(|(step, number)| step.number == number), "{steps:?}");
            let kinds: Vec<StepKind> = steps.iter().map(|step| step.kind).collect();
            match kinds[..] {
                [StepKind::Locked, StepKind::Redeemed] => {}
                [StepKind::Locked, StepKind::Freed, StepKind::Redeemed] => freed += 1,
                ref kinds => panic!("{kinds:?}"),
            }
        }
        assert!((1..USERS).contains(&freed), "both sides won some: {freed}");
        assert_eq!(told(scene, template, EventKind::Freed).await, freed);
        is_clean(scene).await;
    }

    /// An hour before, and five seconds before.
    pub(super) async fn a_user_is_reminded_once_for_each_time(scene: &Scene) {
        const USERS: u64 = 500;
        let until_ms = now_ms() + 12_000;
        let template = until(scene, until_ms, USERS).await;
        assert!(scene.rush(template, 0..USERS).await.iter().all(Result::is_ok));
        for (at_ms, times) in [(until_ms - 5_500, 1), (until_ms - 500, 2), (until_ms + 3_000, 2)] {
            wait_until(at_ms).await;
            assert_eq!(told(scene, template, EventKind::Expiring).await, USERS * times);
        }
        assert_eq!(told(scene, template, EventKind::Expired).await, USERS);
    }
}
