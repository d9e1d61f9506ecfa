//! Bytes that are no protocol: each ends in a clear error or a closed connection, and nobody else notices.

use super::scene::{Scene, cases};

cases! {
    bytes_that_make_no_sense_end_their_own_connection on Scene::shared;
    a_caller_must_say_who_it_is on Scene::shared;
    slow_and_silent_callers_cost_little_and_are_shut_out on Scene::shared;
}

mod cases {
    use std::time::Duration;

    use bytes::BytesMut;
    use prost::Message;
    use scrip_protocol::frame;
    use scrip_protocol::v1::request::Operation;
    use scrip_protocol::v1::{Claim, Code, Hello, Ping, Request, Response};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use crate::end_to_end::scene::{Scene, claim};

    /// Sends bytes; the answers until the proxy closes, or for a second.
    async fn answers(scene: &Scene, bytes: &[u8]) -> (Vec<Response>, bool) {
        let mut stream = TcpStream::connect(scene.proxies[0].address()).await.expect("connected");
        // The proxy may close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let (mut buffer, mut found, mut closed) = (BytesMut::new(), Vec::new(), false);
        while let Ok(read) = timeout(Duration::from_secs(1), stream.read_buf(&mut buffer)).await {
            closed = !matches!(read, Ok(1..));
            while let Some(bytes) = frame::take(&mut buffer, 1 << 20).expect("the proxy's frames are right") {
                found.push(Response::decode(bytes).expect("a response"));
            }
            if closed {
                break;
            }
        }
        (found, closed)
    }

    fn framed(request: Request) -> Vec<u8> {
        request.encode_length_delimited_to_vec()
    }

    fn request(id: u64, operation: Operation) -> Request {
        Request { id, deadline_ms: 0, operation: Some(operation) }
    }

    pub(super) async fn bytes_that_make_no_sense_end_their_own_connection(scene: &Scene) {
        let template = scene.template(100, 1).await;
        let ping = framed(request(7, Operation::Ping(Ping { nonce: 42 })));
        let cases: [(&str, Vec<u8>, Option<Code>); 6] = [
            ("text", b"GET / HTTP/1.1\r\nHost: localhost\r\n".repeat(4), Some(Code::MalformedFrame)),
            ("a length without end", vec![0xff; 64], Some(Code::MalformedFrame)),
            ("an announced gigabyte", vec![0x80, 0x80, 0x80, 0x80, 0x04], Some(Code::FrameTooLarge)),
            ("an endless frame", vec![0xff; 200_000], Some(Code::MalformedFrame)),
            ("a frame of noise", [&[200u8, 1][..], &[0xa5; 200]].concat(), Some(Code::MalformedFrame)),
            ("a request, then noise", [&ping[..], &[3, 9, 9, 9]].concat(), Some(Code::MalformedFrame)),
        ];
        for (what, bytes, expect) in cases {
            let (answers, closed) = answers(scene, &bytes).await;
            let last = answers.last().map(|answer| (answer.id, answer.code()));
            assert_eq!(last, expect.map(|code| (0, code)), "{what}: {answers:?}");
            assert!(closed, "{what}: the connection is closed");
        }
        for len in 1..ping.len() {
            let (answers, closed) = tokio::select! {
                result = answers(scene, &ping[..len]) => result,
                () = tokio::time::sleep(Duration::from_millis(20)) => (Vec::new(), false),
            };
            assert!(answers.is_empty() && !closed, "a prefix is waited for: {answers:?}");
        }
        scene.claim(9, template).await.expect("other connections are served");
    }

    pub(super) async fn a_caller_must_say_who_it_is(scene: &Scene) {
        let template = scene.template(100, 1).await;
        let id = claim(1, template).request_id().to_bytes();
        let claim = |id_len: usize| Claim {
            user_id: 1,
            template_id: template.get(),
            request_id: id.slice(..id_len),
            attempt: 0,
        };
        let hello = |token: &str| Hello {
            protocol_version: 1,
            caller: "demo".to_owned(),
            token: token.to_owned(),
            topology_fingerprint: bytes::Bytes::new(),
        };
        let token = scene.testbed.caller_token().expect("token").expose().to_owned();
        let codes = async |requests: Vec<Operation>| {
            let numbered = (1..).zip(requests).map(|(id, operation)| framed(request(id, operation)));
            let (answers, _) = answers(scene, &numbered.collect::<Vec<_>>().concat()).await;
            answers.iter().map(Response::code).collect::<Vec<_>>()
        };
        assert_eq!(codes(vec![Operation::Claim(claim(16))]).await, [Code::HelloRequired]);
        let wrong = codes(vec![Operation::Hello(hello("not the token at all"))]).await;
        assert_eq!(wrong, [Code::Unauthenticated]);
        let old = Hello { protocol_version: 99, ..hello(&token) };
        assert_eq!(codes(vec![Operation::Hello(old)]).await, [Code::UnsupportedVersion]);
        let elsewhere = Hello { topology_fingerprint: vec![7; 16].into(), ..hello(&token) };
        assert_eq!(codes(vec![Operation::Hello(elsewhere)]).await, [Code::TopologyMismatch]);
        let mut sorted = codes(vec![Operation::Hello(hello(&token)), Operation::Claim(claim(15))]).await;
        sorted.sort_unstable_by_key(|code| *code as i32);
        assert_eq!(sorted, [Code::Ok, Code::InvalidRequest]);
    }

    /// The resident memory of a process, in KiB.
    fn resident_kib(pid: u32) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }

    pub(super) async fn slow_and_silent_callers_cost_little_and_are_shut_out(scene: &Scene) {
        let template = scene.template(100, 1).await;
        let pid = scene.proxies[0].pid().expect("it runs");
        let before = resident_kib(pid);
        let mut slow = Vec::new();
        for _ in 0..400 {
            let mut stream = TcpStream::connect(scene.proxies[0].address()).await.expect("connected");
            // The largest frame that is allowed is announced, and begun.
            stream.write_all(&[0x80, 0x80, 0x04, 1, 2, 3]).await.expect("written");
            slow.push(stream);
        }
        scene.client_of(0).await.claim(claim(1, template)).await.expect("others are served");
        let grown = resident_kib(pid).saturating_sub(before);
        assert!(grown < 64 * 1024, "400 slow callers took {grown} KiB");
        let mut rest = Vec::new();
        for mut stream in slow {
            let end = timeout(Duration::from_secs(15), stream.read_to_end(&mut rest)).await;
            assert!(end.is_ok(), "a caller that never says Hello is shut out");
        }
        scene.client_of(0).await.claim(claim(2, template)).await.expect("and others are served still");
    }
}
