//! A proxy dies, or wakes up late, between the deduction and the commit.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    killed_between_deduction_and_commit on one_lane;
    frozen_between_deduction_and_commit_and_thawed_after_a_settle on one_lane;
    a_terminated_proxy_drains_and_its_clients_go_on on one_lane;
}

/// One primary with one lane: what is queued behind a stuck transaction is known.
async fn one_lane(server: PathBuf) -> Scene {
    let spec = TestbedSpec::new(1, 1).with_database_server(server);
    Scene::own(spec, "[lanes]\nrecord_lanes_per_primary = 1\n").await
}

mod cases {
    use std::time::Duration;

    use scrip_client::{Claim, mint_request_id};
    use scrip_protocol::{RequestId, TemplateId, UserId};
    use tokio::task::JoinHandle;
    use tokio::time::sleep;

    use crate::end_to_end::scene::{Books, Scene};

    const TOTAL: u64 = 20;

    /// The first proxy holds one claim in a transaction and another, deducted, behind it. Returns the second.
    async fn hold_one_between(scene: &Scene, template: TemplateId) -> (RequestId, JoinHandle<bool>) {
        let client = scene.client_of(0).await;
        let requests = [mint_request_id(), mint_request_id()];
        let granted = scene.count(0, "scrip_units_granted_total").await;
        scene.testbed.primary(0).pause().expect("paused");
        let mut held = None;
        for (user, request) in (1..).zip(requests) {
            let client = client.clone();
            let claim = Claim::new(UserId(user), template, request);
            held = Some(tokio::spawn(async move { client.claim(claim).await.is_ok() }));
            // On a busy machine the second may be refused because the first is stuck for too long already.
            for _ in 0..50 {
                if scene.count(0, "scrip_units_granted_total").await >= granted + user {
                    break;
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
        (requests[1], held.expect("two claims"))
    }

    pub(super) async fn killed_between_deduction_and_commit(scene: &Scene) {
        let template = scene.template(TOTAL, 1).await;
        let (request, held) = hold_one_between(scene, template).await;
        scene.proxies[0].kill();
        scene.testbed.primary(0).resume().expect("resumed");
        held.abort();
        let other = scene.client_of(1).await;
        let again = other.claim(Claim::new(UserId(2), template, request)).await.expect("the other finishes its work");
        assert!(!again.replayed, "it had not been recorded");
        let mut sold = scene.books(template).await.coupons;
        assert!(sold == 1 || sold == 2, "the claim in the transaction was recorded or not: {sold}");
        for user in 100..100 + 2 * TOTAL {
            sold += u64::from(other.claim(super::super::scene::claim(user, template)).await.is_ok());
        }
        assert_eq!(sold, TOTAL, "the unit that was taken and never recorded comes back");
        assert_eq!(scene.books(template).await, Books { coupons: TOTAL, ledger: TOTAL });
    }

    pub(super) async fn frozen_between_deduction_and_commit_and_thawed_after_a_settle(scene: &Scene) {
        // A proxy refuses what waits behind a stuck transaction after half a second. On a machine so busy that the freeze
        // came later than that, nothing was held, and it is tried again.
        for _ in 0..5 {
            freeze_and_thaw(scene).await;
            if scene.count(0, "scrip_fenced_total").await >= 1 {
                return;
            }
        }
        panic!("its late transaction was never refused by the fence");
    }

    async fn freeze_and_thaw(scene: &Scene) {
        let template = scene.template(TOTAL, 1).await;
        let (request, held) = hold_one_between(scene, template).await;
        scene.proxies[0].pause().expect("frozen");
        scene.testbed.primary(0).resume().expect("resumed");
        let other = scene.client_of(1).await;
        other.replenish(template, mint_request_id(), 5).await.expect("a settle");
        scene.proxies[0].resume().expect("thawed");
        let told = held.await.expect("no panic");
        let coupon = other.claim(Claim::new(UserId(2), template, request)).await.expect("one answer");
        assert!(!told || coupon.replayed);
        for user in 100..100 + 2 * TOTAL {
            let _ = other.claim(super::super::scene::claim(user, template)).await;
        }
        assert_eq!(scene.books(template).await, Books { coupons: TOTAL + 5, ledger: TOTAL + 5 });
    }

    pub(super) async fn a_terminated_proxy_drains_and_its_clients_go_on(scene: &Scene) {
        let template = scene.template(2_000, 1).await;
        let (results, exit) = tokio::join!(scene.rush(template, 0..1_500), async {
            sleep(Duration::from_millis(30)).await;
            scene.proxies[0].terminate().expect("told");
            scene.proxies[0].wait_exit(Duration::from_secs(20)).await.expect("waited")
        });
        let failed: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        assert!(failed.is_empty(), "no claim fails because a proxy leaves: {failed:?}");
        assert!(exit.is_some_and(|status| status.success()), "it ends by itself: {exit:?}");
        assert_eq!(scene.books(template).await, Books { coupons: 1_500, ledger: 1_500 });
    }
}
