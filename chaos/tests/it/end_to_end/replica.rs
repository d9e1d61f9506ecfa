//! Reads that replicas serve, on real replication: how stale they are, whose writes they show, and what a replica that fails
//! costs.

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    a_replica_serves_what_may_be_stale_and_own_writes_are_always_seen on own;
    a_replica_that_dies_or_freezes_costs_one_short_wait on own;
    a_server_that_can_be_written_to_is_no_replica on own;
}

async fn own(server: std::path::PathBuf) -> Scene {
    let spec = TestbedSpec::new(1, 1).with_replicas(1).with_database_server(server);
    Scene::own(spec, "[replicas]\nmark_interval = '100ms'\ncall_timeout = '2s'\n").await
}

mod cases {
    use std::time::{Duration, Instant};

    use mysql_async::Row;
    use mysql_async::prelude::Queryable;
    use scrip_chaos::testbed::{Database, RestartWith};
    use scrip_client::{Client, CouponPage, CouponQuery, TemplateId, TemplateQuery, UserId};

    use crate::end_to_end::scene::Scene;
    use crate::support::set_read_only;

    const USER: UserId = UserId(4_711);
    const MINUTE: Duration = Duration::from_secs(60);

    async fn list(client: &Client, max_staleness: Duration) -> CouponPage {
        let client = client.with_max_staleness(max_staleness);
        client.list_coupons(&CouponQuery::new(USER), None).await.expect("a page")
    }

    /// Until a replica serves reads that may be a minute old, and shows so many coupons.
    async fn served(client: &Client, coupons: usize) {
        let patience = Instant::now() + MINUTE;
        loop {
            let page = list(client, MINUTE).await;
            if page.staleness.is_some() && page.coupons.len() == coupons {
                return;
            }
            assert!(Instant::now() < patience, "no replica serves: {page:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn value(scene: &Scene, name: &str) -> f64 {
        let mut sum = 0.0;
        for proxy in &scene.proxies {
            let page = proxy.admin_get("/metrics").await.expect("metrics");
            let lines = page.lines().filter(|line| line.starts_with(&format!("{name}{{")));
            sum += lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>();
        }
        sum
    }

    async fn template(scene: &Scene) -> TemplateId {
        scene.template(1_000, 100).await
    }

    pub(super) async fn a_replica_serves_what_may_be_stale_and_own_writes_are_always_seen(scene: &Scene) {
        let (template, replica) = (template(scene).await, scene.testbed.database_replica(0, 0));
        let (own, other) = (&scene.client, scene.client_of(1).await);
        let first = scene.claim(USER.get(), template).await.expect("a coupon");
        served(&other, 1).await;
        assert_eq!(list(&other, Duration::ZERO).await.staleness, None, "the primary was asked for");
        let counts = other.with_max_staleness(MINUTE).count_coupons(USER, None).await.expect("counts");
        assert!(counts.staleness.is_some_and(|staleness| staleness <= MINUTE) && counts.unused == 1, "{counts:?}");
        let history = other.with_max_staleness(MINUTE).get_coupon(USER, first.coupon_id).await.expect("a history");
        assert!(history.staleness.is_some() && history.coupon.coupon_id == first.coupon_id, "{history:?}");

        // From here on the replica stands still.
        replica.stop_applying().await.expect("stopped");
        let stopped = Instant::now();
        let second = scene.claim(USER.get(), template).await.expect("a coupon");
        let seen = list(own, MINUTE).await;
        assert_eq!(
            (seen.coupons.len(), seen.staleness),
            (2, None),
            "own writes are seen, {:?} later",
            stopped.elapsed()
        );
        let stale = list(&other, MINUTE).await;
        assert_eq!(stale.coupons.len(), 1, "of another client's a stale read shows nothing: it is the replica's");
        assert!(stale.staleness.is_some(), "{stale:?}");
        other.with_max_staleness(MINUTE).get_coupon(USER, second.coupon_id).await.expect("not there: the primary's");

        tokio::time::sleep(Duration::from_secs(2)).await;
        let still = list(&other, MINUTE).await.staleness.expect("the replica's");
        assert!(still >= Duration::from_secs(2) && still <= stopped.elapsed() + Duration::from_secs(2), "{still:?}");
        let fresh = list(&other, Duration::from_secs(1)).await;
        assert_eq!((fresh.coupons.len(), fresh.staleness), (2, None), "too stale: the primary serves");
        let seen = list(own, MINUTE).await;
        assert_eq!(
            (seen.coupons.len(), seen.staleness),
            (2, None),
            "own writes, however long ago, while they are not there"
        );
        assert!(value(scene, "scrip_replica_staleness_seconds").await >= 4.0, "two seconds on each of two proxies");
        assert!(value(scene, "scrip_replica_passed_over_total").await >= 1.0);

        replica.start_applying().await.expect("started");
        served(&other, 2).await;
        served(own, 2).await;
        assert_eq!(value(scene, "scrip_replica_failures_total").await, 0.0);
        let page = other.with_max_staleness(MINUTE).list_templates(&TemplateQuery::default()).await.expect("templates");
        assert!(page.staleness.is_some() && page.templates.iter().any(|found| found.template == template), "{page:?}");
        let found = other.with_max_staleness(MINUTE).get_template(template).await.expect("a template");
        assert_eq!(found.definition, other.get_template(template).await.expect("a template").definition);
    }

    pub(super) async fn a_replica_that_dies_or_freezes_costs_one_short_wait(scene: &Scene) {
        let (template, replica) = (template(scene).await, scene.testbed.database_replica(0, 0));
        let client = scene.client_of(1).await;
        scene.claim(USER.get(), template).await.expect("a coupon");
        for freeze in [false, true] {
            served(&client, 1).await;
            if freeze {
                replica.pause().expect("frozen")
            } else {
                replica.kill()
            }
            let start = Instant::now();
            // Half of its time is the replica's, so a deadline below the wait for a replica does not end on it either.
            list(&client.with_deadline(Duration::from_secs(1)), MINUTE).await;
            for _ in 0..20 {
                let page = list(&client, MINUTE).await;
                assert_eq!((page.coupons.len(), page.staleness), (1, None), "the primary serves; frozen: {freeze}");
            }
            // Half a second for the mark, and then it is left alone; the rest is the pace of this machine.
            assert!(start.elapsed() < Duration::from_secs(5), "21 reads took {:?}", start.elapsed());
            if freeze {
                replica.resume().expect("thawed");
            } else {
                replica.restart(RestartWith::Data).await.expect("restarted");
            }
        }
        served(&client, 1).await;
        assert!(value(scene, "scrip_replica_failures_total").await >= 1.0);
    }

    async fn let_write(server: &Database, yes: bool) {
        let mut admin = set_read_only(server, !yes).await;
        let connections: Vec<Row> = admin.query("SHOW PROCESSLIST").await.expect("listed");
        let of_proxies = connections.iter().filter(|row| row.get::<String, _>(1).is_some_and(|user| user == "scrip"));
        for id in of_proxies.filter_map(|row| row.get::<u64, _>(0)) {
            // It may be gone already.
            drop(admin.query_drop(format!("KILL {id}")).await);
        }
    }

    pub(super) async fn a_server_that_can_be_written_to_is_no_replica(scene: &Scene) {
        let (template, replica) = (template(scene).await, scene.testbed.database_replica(0, 0));
        let client = scene.client_of(1).await;
        scene.claim(USER.get(), template).await.expect("a coupon");
        served(&client, 1).await;
        let_write(replica, true).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        for _ in 0..10 {
            assert_eq!(list(&client, MINUTE).await.staleness, None, "it may be a primary by now");
        }
        let_write(replica, false).await;
        served(&client, 1).await;
    }
}
