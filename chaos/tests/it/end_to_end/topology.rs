//! A server that is not the one that the topology means.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    swapped_primaries_are_refused_at_dial_time on linked;
    an_old_topology_cannot_write on linked;
}

async fn linked(server: PathBuf) -> Scene {
    Scene::own(TestbedSpec::new(2, 1).with_links().with_database_server(server), "").await
}

mod cases {
    use std::time::Duration;

    use scrip_client::ClaimError;
    use scrip_protocol::code::Disposition;

    use crate::end_to_end::scene::{Books, Scene, claim};
    use crate::support::{run, soon};

    /// What was under way when the fault began may be in doubt; what comes after it is refused as not applied.
    async fn refused(scene: &Scene, template: scrip_protocol::TemplateId) {
        let impatient = scene.client.with_deadline(Duration::from_millis(700));
        for tail in [1, 9_999] {
            let (mut told, mut in_a_row) = (Vec::new(), 0);
            for round in 0..60 {
                let error: ClaimError =
                    impatient.claim(claim(tail + 10_000 * (round + 1), template)).await.expect_err("refused");
                in_a_row = if error.disposition() == Disposition::NotApplied { in_a_row + 1 } else { 0 };
                told.push(error.disposition());
                if in_a_row == 5 {
                    break;
                }
            }
            assert_eq!(in_a_row, 5, "{told:?}");
        }
    }

    pub(super) async fn swapped_primaries_are_refused_at_dial_time(scene: &Scene) {
        // More than the refused claims take away, so that each comes as far as its primary.
        let template = scene.template(200, 1).await;
        for user in [1, 9_999] {
            scene.claim(user, template).await.expect("each primary is its own");
        }
        let (links, primaries) = ([0, 1].map(|index| scene.testbed.primary_link(index)), scene.testbed.primaries());
        for (link, other) in links.iter().zip([&primaries[1], &primaries[0]]) {
            link.retarget(other.address());
            link.cut_now();
        }
        refused(scene, template).await;
        soon("the log names both sides", || {
            let log = std::fs::read_to_string(scene.proxies[0].log_path()).expect("log");
            log.contains("says that it is p00") && log.contains("says that it is p01")
        });
        for (link, own) in links.iter().zip(primaries) {
            link.retarget(own.address());
            link.cut_now();
        }
        scene.sell_out(template, 200_000).await;
        assert_eq!(scene.books(template).await, Books { coupons: 200, ledger: 200 });
    }

    pub(super) async fn an_old_topology_cannot_write(scene: &Scene) {
        let template = scene.template(10, 1).await;
        scene.claim(1, template).await.expect("the topology is the current one");
        for primary in scene.testbed.primaries() {
            run(primary, "UPDATE node SET topology_version = topology_version + 1").await;
        }
        refused(scene, template).await;
        assert_eq!(scene.books(template).await, Books { coupons: 1, ledger: 1 });
    }
}
