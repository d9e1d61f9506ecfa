//! More is offered than a primary can take.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use super::scene::{Scene, cases};

cases! {
    what_would_be_late_is_refused_at_once on one_slow_lane;
}

async fn one_slow_lane(server: PathBuf) -> Scene {
    let spec = TestbedSpec::new(1, 1).with_links().with_database_server(server);
    Scene::own(spec, "[lanes]\nrecord_lanes_per_primary = 1\n[limits]\nbatch_rows_max = 100\n").await
}

mod cases {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use scrip_client::{Claim, Client, ClientConfig, Code, mint_request_id};
    use scrip_protocol::UserId;

    use crate::end_to_end::scene::{Books, Scene};

    const TAUGHT: u64 = 1_000;
    const OFFERED: u64 = 2_000;

    /// A client of the first proxy that tries once and waits for a second.
    async fn impatient(scene: &Scene) -> Client {
        let token = scene.testbed.caller_token().expect("token");
        let mut config = ClientConfig::new([scene.proxies[0].address().to_string()], "demo", token.expose());
        config.deadline = Duration::from_secs(1);
        config.retry.attempts_max = 1;
        Client::connect(config).await.expect("connected")
    }

    /// A hundred rows a round trip of 200 ms: what thousands at once ask for would take four seconds.
    pub(super) async fn what_would_be_late_is_refused_at_once(scene: &Scene) {
        let (template, patient, impatient) =
            (scene.template(1_000_000, 1).await, scene.client_of(0).await, impatient(scene).await);
        scene.testbed.primary_link(0).delay(Duration::from_millis(100));
        let rush = async |client: &Client, users: std::ops::Range<u64>| {
            let claim = |user| Claim::new(UserId(user), template, mint_request_id());
            let tasks: Vec<_> = users
                .map(|user| {
                    let (client, claim) = (client.clone(), claim(user));
                    tokio::spawn(async move { client.claim(claim).await })
                })
                .collect();
            let mut results = Vec::new();
            for task in tasks {
                results.push(task.await.expect("no panic"));
            }
            results
        };
        let taught = rush(&patient, 0..TAUGHT).await;
        assert!(taught.iter().all(Result::is_ok), "there is time for all");
        let results = rush(&impatient, TAUGHT..TAUGHT + OFFERED).await;
        scene.testbed.primary_link(0).heal();
        let served = results.iter().filter(|result| result.is_ok()).count() as u64;
        let mut codes = BTreeMap::new();
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            *codes.entry(error.code().as_str_name()).or_insert(0) += 1;
        }
        // A slow machine sends some of them too late to be refused by the proxy at all: they end here, at their deadline.
        let refused = codes.get(Code::Overloaded.as_str_name()).copied().unwrap_or(0);
        assert!(refused > OFFERED / 2, "{served} served, not served: {codes:?}");
        assert!(served > 50, "{served} served, not served: {codes:?}");
        assert!(scene.books(template).await.coupons >= TAUGHT + served);
        let Books { coupons, ledger } = scene.books(template).await;
        assert_eq!(coupons, ledger);
    }
}
