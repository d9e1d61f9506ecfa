//! Events: every fact arrives, in the order of its user, through a Redis that loses everything and a publisher that dies.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

#[path = "../../../../client-sdk/examples/events.rs"]
#[allow(dead_code, unreachable_pub, reason = "an example of its own, of which only the consumer runs here")]
mod example;

cases! {
    every_event_arrives_in_the_order_of_its_user on telling;
    sold_out_is_told on telling;
}

async fn telling(server: PathBuf) -> Scene {
    let spec = TestbedSpec::new(2, 2).with_database_server(server);
    Scene::own(spec, "[events]\nenabled = true\npoll_interval = \"10ms\"\n").await
}

mod cases {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use parking_lot::Mutex;
    use scrip_chaos::testbed::RestartWith;
    use scrip_client::event::{Event, EventKind};
    use scrip_client::{OrderId, Redemption, TemplateId, UserId};
    use scrip_shard_config::Topology;
    use tokio::task::JoinHandle;
    use tokio::time::sleep;
    use tokio_util::task::AbortOnDropHandle;

    use super::example::{Reading, follow};
    use crate::end_to_end::scene::Scene;

    const MINUTE: Duration = Duration::from_secs(60);

    type Told = Arc<Mutex<Vec<Event>>>;
    /// Kind, and step of the coupon.
    type Fact = (EventKind, Option<u32>);

    /// A consumer of every stream, in a group of this name.
    fn consumers(scene: &Scene, group: &str) -> (Told, Vec<AbortOnDropHandle<()>>) {
        let topology = Topology::load(scene.testbed.topology_path().expect("a path")).expect("a topology");
        let told = Told::default();
        let mut tasks = Vec::new();
        for (index, shard) in topology.shards.iter().enumerate() {
            let streams = (0..16).map(|stream| format!("events:{stream}"));
            let streams: Vec<String> = streams.filter(|stream| topology.shard_of_key(stream) == shard.id).collect();
            if streams.is_empty() {
                continue;
            }
            let server = scene.testbed.shard(index);
            let url = format!("redis://:{}@{}", server.password().expose(), server.address());
            let (told, group) = (Arc::clone(&told), group.to_owned());
            let reading = Reading { url, group, consumer: "one".to_owned(), streams };
            tasks.push(AbortOnDropHandle::new(tokio::spawn(async move {
                follow(&reading, |event| told.lock().push(event)).await.expect("followed");
            })));
        }
        (told, tasks)
    }

    /// What each user was told of their coupon of this template, in its order.
    fn by_user(told: &Told, template: TemplateId) -> BTreeMap<UserId, Vec<Fact>> {
        let mut users: BTreeMap<UserId, Vec<Fact>> = BTreeMap::new();
        for event in told.lock().iter().filter(|event| event.template == template) {
            if let Some(coupon) = event.coupon {
                users.entry(coupon.user).or_default().push((event.kind, coupon.step));
            }
        }
        users
    }

    async fn is_told(told: &Told, template: TemplateId, expect: &BTreeMap<UserId, Vec<Fact>>, by: &str) {
        let deadline = Instant::now() + 2 * MINUTE;
        let count: usize = expect.values().map(Vec::len).sum();
        loop {
            let found = by_user(told, template);
            if found.values().map(Vec::len).sum::<usize>() >= count {
                for (user, facts) in expect {
                    assert_eq!(found.get(user), Some(facts), "user {user}, {by}");
                }
                assert_eq!(found.len(), expect.len());
                return;
            }
            let (came, first) = (found.len(), expect.iter().find(|(user, facts)| found.get(user) != Some(facts)));
            assert!(Instant::now() < deadline, "{by}: {came} users of {}; not all of {first:?}", expect.len());
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Claims for these users, and for every third one a lock, a redemption and a return.
    fn live(
        scene: &Scene,
        template: TemplateId,
        users: std::ops::Range<u64>,
    ) -> JoinHandle<BTreeMap<UserId, Vec<Fact>>> {
        let client = scene.client.clone();
        tokio::spawn(async move {
            let mut lives = tokio::task::JoinSet::new();
            for user in users {
                let client = client.clone();
                lives.spawn(async move {
                    let coupon = client.claim(crate::end_to_end::scene::claim(user, template)).await.expect("a coupon");
                    let (user, id) = (UserId(user), coupon.coupon_id);
                    let mut facts = vec![(EventKind::Claimed, None)];
                    if user.get() % 3 == 0 {
                        let order = OrderId::try_new(&format!("order {user}")).expect("an order id");
                        let redemption = Redemption { coupon_id: id, amount_minor: 5 };
                        client.lock_coupons(user, &order, &[id], MINUTE).await.expect("locked");
                        client.redeem_coupons(user, &order, &[redemption]).await.expect("redeemed");
                        client.return_coupons(user, &order, &[id]).await.expect("returned");
                        let steps = [EventKind::Locked, EventKind::Redeemed, EventKind::Returned];
                        facts.extend(steps.into_iter().zip((1..).map(Some)));
                    }
                    (user, facts)
                });
            }
            lives.join_all().await.into_iter().collect()
        })
    }

    async fn publisher(scene: &Scene) -> usize {
        for _ in 0..200 {
            for (index, proxy) in scene.proxies.iter().enumerate() {
                let page = proxy.admin_get("/metrics").await.expect("metrics");
                if page.contains("scrip_events_leads{primary=\"p00\"} 1\n") {
                    return index;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody publishes");
    }

    pub(super) async fn every_event_arrives_in_the_order_of_its_user(scene: &Scene) {
        let template = scene.template(10_000, 1).await;
        let (told, _consumers) = consumers(scene, "early");
        let mut expect = live(scene, template, 0..1_000).await.expect("no panic");
        is_told(&told, template, &expect, "before anything happened").await;

        let during = live(scene, template, 1_000..2_000);
        sleep(Duration::from_millis(100)).await;
        scene.testbed.shard(0).kill();
        sleep(Duration::from_millis(500)).await;
        scene.testbed.shard(0).restart(RestartWith::Empty).await.expect("restarted");
        expect.extend(during.await.expect("no panic"));

        let during = live(scene, template, 2_000..3_000);
        sleep(Duration::from_millis(100)).await;
        scene.proxies[publisher(scene).await].kill();
        expect.extend(during.await.expect("no panic"));
        is_told(&told, template, &expect, "the consumer that was there all the time").await;
        let ids: BTreeSet<Arc<str>> = told.lock().iter().map(|event| Arc::clone(&event.id)).collect();
        assert_eq!(ids.len(), told.lock().len(), "repeats were dropped");

        // A shard lost its data in between; who comes now misses nothing of it.
        let (late, _consumers) = consumers(scene, "late");
        is_told(&late, template, &expect, "the consumer that came late").await;
    }

    pub(super) async fn sold_out_is_told(scene: &Scene) {
        let template = scene.template(50, 1).await;
        let (told, _consumers) = consumers(scene, "stock");
        assert_eq!(scene.sell_out(template, 0).await, 50);
        let deadline = Instant::now() + MINUTE;
        let is_sold_out = |event: &Event| event.template == template && event.kind == EventKind::SoldOut;
        while !told.lock().iter().any(is_sold_out) {
            assert!(Instant::now() < deadline, "not told: {:?}", told.lock().len());
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(told.lock().iter().filter(|event| is_sold_out(event)).count(), 1);
    }
}
