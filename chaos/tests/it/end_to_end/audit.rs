//! The audit beside running claims: what moves between its snapshots is no finding.

use super::scene::{Scene, cases};

cases! {
    an_audit_beside_traffic_is_clean on Scene::shared;
}

mod cases {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use scrip_client::mint_request_id;
    use scrip_protocol::TemplateId;
    use scrip_proxy::audit::{self, Options, Verdict};
    use scrip_shard_config::Topology;

    use crate::end_to_end::scene::Scene;

    /// Audits for as long as claims, replenishments, withdrawals and publications go on, and once more after them. The
    /// other cases of the shared testbed only add to the traffic.
    pub(super) async fn an_audit_beside_traffic_is_clean(scene: &Scene) {
        let template = scene.template(600, 2).await;
        let over = AtomicBool::new(false);
        let traffic = async {
            traffic(scene, template).await;
            over.store(true, Ordering::Relaxed);
        };
        let (audits, ()) = tokio::join!(audits(scene, &over), traffic);
        assert!(audits > 2, "only {audits} audits");
    }

    async fn traffic(scene: &Scene, template: TemplateId) {
        for round in 0..10_u64 {
            // Users come twice, so that some hold two coupons.
            scene.rush(template, (0..100).map(|user| 300_000 + user * 37 + round / 2)).await;
            let units = if round % 2 == 0 { 50 } else { -30 };
            scene.client.replenish(template, mint_request_id(), units).await.expect("changed");
            scene.template(10, 1).await;
        }
        scene.sell_out(template, 310_000).await;
    }

    async fn audits(scene: &Scene, over: &AtomicBool) -> usize {
        let path = scene.testbed.topology_path().expect("topology");
        let topology = Arc::new(Topology::load(path).expect("topology"));
        let mut count = 0;
        loop {
            let last = over.load(Ordering::Relaxed);
            let report = audit::run(&topology, Options::default()).await.expect("read");
            assert_eq!(report.verdict, Verdict::Clean, "{report}");
            count += 1;
            if last {
                return count;
            }
        }
    }
}
