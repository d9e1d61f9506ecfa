//! A claim whose deadline passes on the way: what was told *not applied* is not applied.

use std::path::PathBuf;

use scrip_chaos::testbed::TestbedSpec;

use crate::end_to_end::scene::{Scene, cases};

cases! {
    a_claim_that_was_refused_while_it_was_looked_up_is_not_recorded on slow_primary;
}

async fn slow_primary(server: PathBuf) -> Scene {
    let spec = TestbedSpec::new(1, 1).with_links().with_database_server(server);
    Scene::own(spec, "[lanes]\nrecord_lanes_per_primary = 1\n").await
}

mod cases {
    use std::time::Duration;

    use bytes::BytesMut;
    use prost::Message;
    use scrip_client::{Claim, mint_request_id};
    use scrip_protocol::v1::request::Operation;
    use scrip_protocol::v1::{Claim as WireClaim, Code, Hello, Request, Response};
    use scrip_protocol::{UserId, frame};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::{sleep, timeout};

    use crate::end_to_end::scene::{Books, Scene, claim};

    /// One way; a transaction that conflicts and its end take four of them, and the look-up two or more.
    const LATE: Duration = Duration::from_millis(150);
    /// Between the conflict and the answer to the look-up.
    const DEADLINE_MS: u32 = 750;

    /// The answer of the proxy itself: the client would have given up at the same moment.
    async fn code_of(scene: &Scene, claim: WireClaim) -> Code {
        let hello = Hello {
            protocol_version: 1,
            caller: "demo".to_owned(),
            token: scene.testbed.caller_token().expect("token").expose().to_owned(),
            topology_fingerprint: bytes::Bytes::new(),
        };
        let mut stream = TcpStream::connect(scene.proxies[0].address()).await.expect("connected");
        let hello = Request { id: 1, deadline_ms: 0, operation: Some(Operation::Hello(hello)) };
        let claim = Request { id: 2, deadline_ms: DEADLINE_MS, operation: Some(Operation::Claim(claim)) };
        for request in [hello, claim] {
            stream.write_all(&request.encode_length_delimited_to_vec()).await.expect("written");
        }
        let mut buffer = BytesMut::new();
        loop {
            let read = timeout(Duration::from_secs(5), stream.read_buf(&mut buffer)).await.expect("an answer");
            assert!(read.expect("read") > 0, "the proxy closed the connection");
            while let Some(bytes) = frame::take(&mut buffer, 1 << 20).expect("a frame") {
                let response = Response::decode(bytes).expect("a response");
                if response.id == 2 {
                    return response.code();
                }
            }
        }
    }

    pub(super) async fn a_claim_that_was_refused_while_it_was_looked_up_is_not_recorded(scene: &Scene) {
        let template = scene.template(100, 2).await;
        // Through both proxies once, so that each has a connection; the first does not know of the second's coupons.
        scene.client_of(0).await.claim(claim(1, template)).await.expect("a coupon");
        scene.client_of(1).await.claim(claim(2, template)).await.expect("a coupon");
        scene.testbed.primary_link(0).delay(LATE);
        let request = mint_request_id();
        let second = WireClaim { user_id: 2, template_id: template.get(), request_id: request.to_bytes(), attempt: 1 };
        let code = code_of(scene, second).await;
        assert_eq!(code, Code::DeadlineExceeded, "refused while its user's coupons were looked up");
        // Time for a transaction that must not come.
        sleep(6 * LATE).await;
        scene.testbed.primary_link(0).heal();
        assert_eq!(scene.books(template).await, Books { coupons: 2, ledger: 2 }, "it was told: not applied");
        let again = scene.client.claim(Claim::new(UserId(2), template, request)).await.expect("a coupon");
        assert!(!again.replayed && again.seq == 2, "{again:?}");
    }
}
