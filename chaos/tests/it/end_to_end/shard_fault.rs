//! Redis forgets, goes back in time, or is somebody else: in the middle of a rush, and no unit too many or too few.

use super::scene::{Scene, cases};

cases! {
    flushed_in_mid_rush on broken;
    restarted_empty_in_mid_rush on broken;
    restarted_with_older_data_in_mid_rush on broken;
    failed_over_to_a_replica_and_back_in_mid_rush on broken;
    dead_for_a_while_and_nobody_notices on broken;
    dead_for_good_and_everything_is_sold on broken;
    dead_and_stock_is_withdrawn on broken;
    frozen_and_nobody_waits_for_it on patient;
}

async fn broken(server: std::path::PathBuf) -> Scene {
    let spec = scrip_chaos::testbed::TestbedSpec::new(2, 2).with_links().with_database_server(server);
    Scene::own(spec, "").await
}

/// Calls to a shard that does not answer take longer than anybody waits.
async fn patient(server: std::path::PathBuf) -> Scene {
    let spec = scrip_chaos::testbed::TestbedSpec::new(2, 2).with_database_server(server);
    Scene::own(spec, "[stock]\ncall_timeout = \"40s\"").await
}

mod cases {
    use std::future::Future;
    use std::time::Duration;

    use scrip_chaos::testbed::RestartWith;
    use scrip_client::mint_request_id;

    use crate::end_to_end::scene::{Books, Scene};

    const TOTAL: u64 = 3_000;

    /// Sells a third, breaks something while the second third is rushed, sells the rest: every unit, once.
    async fn check(scene: &Scene, fault: impl Future<Output = ()>) {
        let template = scene.template(TOTAL, 1).await;
        let sold = |results: Vec<Result<_, _>>| results.iter().filter(|result| result.is_ok()).count() as u64;
        let mut issued = sold(scene.rush(template, 0..1_000).await);
        let (during, ()) = tokio::join!(scene.rush(template, 1_000..2_000), fault);
        let refused: Vec<_> = during.iter().filter_map(|result| result.as_ref().err()).collect();
        assert!(refused.is_empty(), "nobody notices: {refused:?}");
        issued += sold(during);
        issued += scene.sell_out(template, 10_000).await;
        assert_eq!(issued, TOTAL);
        assert_eq!(scene.books(template).await, Books { coupons: TOTAL, ledger: TOTAL });
    }

    pub(super) async fn flushed_in_mid_rush(scene: &Scene) {
        check(scene, async {
            for shard in scene.testbed.shards() {
                shard.command("FLUSHALL", &[]).await.expect("flushed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    pub(super) async fn restarted_empty_in_mid_rush(scene: &Scene) {
        check(scene, async {
            scene.testbed.shard(0).kill();
            scene.testbed.shard(0).restart(RestartWith::Empty).await.expect("restarted");
        })
        .await;
    }

    pub(super) async fn restarted_with_older_data_in_mid_rush(scene: &Scene) {
        let older = scene.testbed.shard(0).snapshot().await.expect("snapshot");
        let before = scene.template(100, 1).await;
        scene.rush(before, 0..50).await;
        let full = scene.testbed.shard(0).snapshot().await.expect("snapshot");
        drop(older);
        scene.rush(before, 50..80).await;
        check(scene, async {
            scene.testbed.shard(0).kill();
            scene.testbed.shard(0).restart(RestartWith::Snapshot(&full)).await.expect("restarted");
        })
        .await;
        assert_eq!(scene.sell_out(before, 20_000).await, 20, "the old count was 30 higher on this shard");
        assert_eq!(scene.books(before).await, Books { coupons: 100, ledger: 100 });
    }

    pub(super) async fn failed_over_to_a_replica_and_back_in_mid_rush(scene: &Scene) {
        let (shard, link) = (scene.testbed.shard(0), scene.testbed.shard_link(0));
        let replica = scene.testbed.start_replica_of(0).await.expect("replica");
        check(scene, async {
            replica.promote().await.expect("promoted");
            link.retarget(replica.address());
            link.cut_now();
            tokio::time::sleep(Duration::from_millis(300)).await;
            shard.replicate(&replica).await.expect("replicates");
            shard.promote().await.expect("promoted");
            link.retarget(shard.address());
            link.cut_now();
        })
        .await;
    }

    pub(super) async fn dead_for_a_while_and_nobody_notices(scene: &Scene) {
        check(scene, async {
            scene.testbed.shard(1).kill();
            tokio::time::sleep(Duration::from_millis(500)).await;
            scene.testbed.shard(1).restart(RestartWith::Empty).await.expect("restarted");
        })
        .await;
    }

    /// What is left on the dead shard moves to the other. Nobody is told "sold out" before the last unit is sold:
    /// `sell_out` counts on it, and the history of the books would show it.
    pub(super) async fn dead_for_good_and_everything_is_sold(scene: &Scene) {
        let template = scene.template(TOTAL, 1).await;
        let first: Vec<_> = scene.rush(template, 0..300).await;
        assert!(first.iter().all(Result::is_ok));
        scene.testbed.shard(1).kill();
        assert_eq!(scene.sell_out(template, 1_000).await, TOTAL - 300);
        assert_eq!(scene.books(template).await, Books { coupons: TOTAL, ledger: TOTAL });

        // Back again it has nothing to give, and takes part in what is added.
        scene.testbed.shard(1).restart(RestartWith::Empty).await.expect("restarted");
        scene.client.replenish(template, mint_request_id(), 100).await.expect("replenished");
        assert_eq!(scene.sell_out(template, 100_000).await, 100);
        assert_eq!(scene.books(template).await, Books { coupons: TOTAL + 100, ledger: TOTAL + 100 });
    }

    pub(super) async fn dead_and_stock_is_withdrawn(scene: &Scene) {
        let template = scene.template(TOTAL, 1).await;
        assert!(scene.rush(template, 0..100).await.iter().all(Result::is_ok));
        scene.testbed.shard(1).kill();
        let change = scene.client.replenish(template, mint_request_id(), -1_000).await.expect("withdrawn");
        assert_eq!((change.units_applied, change.total_stock), (-1_000, TOTAL - 1_000));
        assert_eq!(scene.sell_out(template, 1_000).await, TOTAL - 1_100);
        assert_eq!(scene.books(template).await, Books { coupons: TOTAL - 1_000, ledger: TOTAL - 1_000 });
    }

    /// Claims whose call hangs are served by the other shard. What the call brings in the end is given back.
    pub(super) async fn frozen_and_nobody_waits_for_it(scene: &Scene) {
        let template = scene.template(TOTAL, 1).await;
        let shard = scene.testbed.shard(1);
        for round in 0..3 {
            shard.pause().expect("frozen");
            let results = scene.rush(template, round * 500..(round + 1) * 500).await;
            let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
            assert!(refused.is_empty(), "nobody waits: {refused:?}");
            shard.resume().expect("thawed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(scene.sell_out(template, 10_000).await, TOTAL - 1_500);
        assert_eq!(scene.books(template).await, Books { coupons: TOTAL, ledger: TOTAL });
    }
}
