//! Connections that are lost at the worst moment, and primaries that are away.

mod late;

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    connection_cut_before_the_transaction_arrives on linked;
    connection_cut_after_the_commit_before_its_answer on linked;
    a_dead_primary_hurts_only_its_own_users on linked;
    a_primary_that_refuses_to_write_is_in_the_log_once on linked;
    a_withdrawal_that_lost_meta_on_the_way_is_in_doubt on linked;
}

async fn linked(server: PathBuf) -> Scene {
    let spec = TestbedSpec::new(2, 2).with_links().with_database_server(server);
    Scene::own(spec, "[lanes]\nrecord_lanes_per_primary = 1\n").await
}

mod cases {
    use std::time::{Duration, Instant};

    use scrip_chaos::testbed::{CutAt, ProxyProcess, RestartWith};
    use scrip_client::{Claim, ClaimError, mint_request_id};
    use scrip_protocol::UserId;
    use scrip_protocol::code::Disposition;

    use crate::end_to_end::scene::{Books, Scene, claim};
    use crate::support::{set_read_only, soon};

    async fn check_cut(scene: &Scene, moment: CutAt) {
        let template = scene.template(100, 1).await;
        for user in 0..10 {
            let link = scene.testbed.primary_link(usize::from(user % 10_000 >= 5_000));
            let sprung = link.cuts_sprung();
            link.cut_at(&b"INSERT INTO coupon"[..], moment);
            let request = mint_request_id();
            let claim = || Claim::new(UserId(user), template, request);
            let coupon = scene.client.claim(claim()).await.expect("resolved with the same ids");
            assert_eq!(link.cuts_sprung(), sprung + 1, "the cut happened");
            let again = scene.client.claim(claim()).await.expect("replayed");
            assert_eq!((coupon.coupon_id, again.replayed), (again.coupon_id, true));
        }
        assert_eq!(scene.books(template).await, Books { coupons: 10, ledger: 10 });
        assert_eq!(scene.sell_out(template, 50_000).await, 90, "no unit given back twice, none lost");
        assert_eq!(scene.books(template).await, Books { coupons: 100, ledger: 100 });
    }

    pub(super) async fn connection_cut_before_the_transaction_arrives(scene: &Scene) {
        check_cut(scene, CutAt::BeforeRequest).await;
    }

    pub(super) async fn connection_cut_after_the_commit_before_its_answer(scene: &Scene) {
        check_cut(scene, CutAt::BeforeAnswer).await;
    }

    pub(super) async fn a_dead_primary_hurts_only_its_own_users(scene: &Scene) {
        let template = scene.template(1_000, 1).await;
        scene.rush(template, [1, 9_999]).await;
        scene.testbed.primary(1).kill();
        scene.testbed.primary_link(1).cut_now();
        let impatient = scene.client.with_deadline(Duration::from_millis(500));
        for user in 10..110 {
            impatient.claim(claim(user, template)).await.expect("tails below 5000 live on the other primary");
        }
        let mut told = Vec::new();
        // The first may be in doubt: it may be written to a connection that nobody knows to be dead yet.
        let _ = impatient.claim(claim(5_009, template)).await;
        for user in 5_010..5_020 {
            let started = Instant::now();
            let error = impatient.claim(claim(user, template)).await.expect_err("its primary is dead");
            assert!(started.elapsed() < Duration::from_secs(2));
            told.push(error);
        }
        let applied = |error: &&ClaimError| error.disposition() != Disposition::NotApplied;
        assert_eq!(told.iter().filter(applied).count(), 0, "{told:?}");
        scene.testbed.primary(1).restart(RestartWith::Data).await.expect("restarted");
        let restarted = Instant::now();
        while let Err(error) = scene.claim(5_010, template).await {
            assert!(restarted.elapsed() < Duration::from_secs(5), "served again, but: {error:?}");
        }
        scene.sell_out(template, 20_000).await;
        assert_eq!(scene.books(template).await, Books { coupons: 1_000, ledger: 1_000 });
    }

    /// As after somebody made the wrong server a replica, or when its disk is full.
    pub(super) async fn a_primary_that_refuses_to_write_is_in_the_log_once(scene: &Scene) {
        let template = scene.template(1_000, 1).await;
        scene.rush(template, [1, 9_999]).await;
        let said = |proxy: &ProxyProcess| {
            let log = std::fs::read_to_string(proxy.log_path()).expect("log");
            log.matches("primary refuses a transaction").count()
        };
        let impatient = scene.client.with_deadline(Duration::from_millis(500));
        for times in 1..=2 {
            set_read_only(scene.testbed.primary(1), true).await;
            for user in 0..5 {
                let user = times * 1_000_000 + user;
                let error = impatient.claim(claim(user + 5_000, template)).await.expect_err("its primary refuses");
                assert_eq!(error.disposition(), Disposition::NotApplied, "{error:?}");
                impatient.claim(claim(user, template)).await.expect("the other primary writes");
            }
            soon("a log says it", || scene.proxies.iter().map(said).sum::<usize>() >= times as usize);
            assert!(scene.proxies.iter().all(|proxy| said(proxy) <= times as usize), "once each time");
            set_read_only(scene.testbed.primary(1), false).await;
            // So many that both proxies see it.
            let users = (0..50).map(|user| times * 1_000_000 + user * 10_000 + 5_000);
            assert!(scene.rush(template, users).await.iter().all(Result::is_ok), "it writes again");
        }
        scene.sell_out(template, 200_000).await;
        assert_eq!(scene.books(template).await, Books { coupons: 1_000, ledger: 1_000 });
    }

    pub(super) async fn a_withdrawal_that_lost_meta_on_the_way_is_in_doubt(scene: &Scene) {
        let template = scene.template(100, 1).await;
        let request = mint_request_id();
        // Registered at once, and not done while a fence cannot go up.
        scene.testbed.primary(1).pause().expect("paused");
        let operator = scene.client_of(0).await.with_deadline(Duration::from_secs(4));
        let withdrawal = tokio::spawn(async move { operator.replenish(template, request, -50).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.testbed.primary(0).kill();
        scene.testbed.primary_link(0).cut_now();
        let told = withdrawal.await.expect("no panic").expect_err("it cannot be done");
        assert_eq!(told.disposition(), Disposition::Unknown, "{told:?}");
        scene.testbed.primary(0).restart(RestartWith::Data).await.expect("restarted");
        scene.testbed.primary(1).resume().expect("resumed");
        let restarted = Instant::now();
        let change = loop {
            match scene.client.replenish(template, request, -50).await {
                Ok(change) => break change,
                Err(error) => assert!(restarted.elapsed() < Duration::from_secs(20), "{error:?}"),
            }
        };
        assert_eq!((change.units_applied, change.total_stock), (-50, 50));
    }
}
