//! Hello: what it says, and what a client does when it is refused.

use std::time::Duration;

use scrip_client::{Client, ClientConfig, Code, ConnectError, ConnectionState, Disposition};
use scrip_protocol::v1::Welcome;

use crate::fake::{Fake, claim, config, end, pair_with, spawn_claim, until, welcome, within};

#[tokio::test]
async fn hello_says_who_calls() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.topology_fingerprint = Some(vec![1, 2, 3]);
    let client = tokio::spawn(Client::connect(config));
    let (mut proxy, id, hello) = fake.accept_hello().await;
    assert_eq!((hello.protocol_version, &*hello.caller, &*hello.token), (1, "tests", "hush"));
    assert_eq!(&hello.topology_fingerprint[..], [1, 2, 3]);
    proxy.refuse(id, Code::Unauthenticated).await;
    end(client).await.expect_err("refused");
}

#[tokio::test]
async fn a_refusal_is_told_at_once() {
    for code in [Code::Unauthenticated, Code::TopologyMismatch, Code::UnsupportedVersion] {
        let fake = Fake::start().await;
        let refuse = async {
            let (mut proxy, id, _) = fake.accept_hello().await;
            proxy.refuse(id, code).await;
        };
        let (result, ()) = tokio::join!(within("connect ends", Client::connect(config(&[&fake]))), refuse);
        let Err(ConnectError::Refused(refusals)) = result else { panic!("{result:?}") };
        assert_eq!((refusals[0].code, &refusals[0].proxy), (Some(code), &fake.address));
        assert!(refusals[0].detail.contains("scripted"), "{refusals:?}");
    }
}

#[tokio::test]
async fn a_client_that_is_refused_later_says_so_with_every_claim() {
    let fake = Fake::start().await;
    let (client, proxy) = pair_with(&fake, config(&[&fake])).await;
    drop(proxy);
    let (mut proxy, id, _) = fake.accept_hello().await;
    proxy.refuse(id, Code::Unauthenticated).await;
    until("the refusal is known", || matches!(client.health()[0].state, ConnectionState::Refused(_))).await;
    let error = end(spawn_claim(&client, claim(1).deadline(Duration::from_secs(50)))).await.expect_err("refused");
    assert_eq!((error.code(), error.disposition()), (Code::Unauthenticated, Disposition::NotApplied));
}

#[tokio::test]
async fn one_proxy_that_serves_is_enough() {
    let (refusing, serving) = (Fake::start().await, Fake::start().await);
    let refuse = async {
        let (mut proxy, id, _) = refusing.accept_hello().await;
        proxy.refuse(id, Code::TopologyMismatch).await;
    };
    let (client, mut proxy, ()) =
        tokio::join!(Client::connect(config(&[&refusing, &serving])), serving.accept(), refuse);
    let client = client.expect("connects");
    let task = spawn_claim(&client, claim(1));
    let (id, wire) = proxy.claim().await;
    proxy.coupon(id, &wire).await;
    end(task).await.expect("a coupon");
}

#[tokio::test]
async fn nobody_there_is_told_when_the_time_is_over() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.connect_deadline = Duration::from_millis(100);
    drop(fake);
    let result = within("connect ends", Client::connect(config)).await;
    let Err(ConnectError::Unreachable(failures)) = result else { panic!("{result:?}") };
    assert_eq!(failures[0].code, None);
}

#[tokio::test]
async fn a_proxy_that_is_not_ready_is_asked_again() {
    let fake = Fake::start().await;
    let script = async {
        let (mut proxy, id, _) = fake.accept_hello().await;
        proxy.refuse(id, Code::NotReady).await;
        drop(proxy);
        fake.accept().await
    };
    let (client, _proxy) = tokio::join!(Client::connect(config(&[&fake])), script);
    client.expect("connects");
}

#[tokio::test]
async fn the_limit_of_the_proxy_is_kept() {
    let fake = Fake::start().await;
    let script = fake.accept_with(Welcome { in_flight_max: 2, ..welcome() });
    let (client, mut proxy) = tokio::join!(Client::connect(config(&[&fake])), script);
    let client = client.expect("connects");
    let tasks: Vec<_> = (0..3).map(|user| spawn_claim(&client, claim(user))).collect();
    let (id, wire) = proxy.claim().await;
    proxy.claim().await;
    until("the third is queued", || client.health()[0].load == 3).await;
    let none = tokio::time::timeout(Duration::from_millis(30), proxy.next()).await;
    assert!(none.is_err(), "two are in flight, and no more");
    proxy.coupon(id, &wire).await;
    proxy.claim().await;
    drop(tasks);
}

#[test]
fn every_violation_is_listed_and_no_secret_is_shown() {
    let mut config = ClientConfig::new(["nowhere", "host:0"], " ", "");
    config.connections_per_proxy = 0;
    config.deadline = Duration::ZERO;
    config.retry.attempts_max = 0;
    config.reconnect.min = Duration::from_secs(3);
    let error = config.check().expect_err("wrong");
    let fields: Vec<_> = error.violations.iter().map(|violation| violation.field).collect();
    let expected = [
        "proxies",
        "proxies",
        "caller",
        "token",
        "deadline",
        "connections_per_proxy",
        "retry.attempts_max",
        "reconnect",
    ];
    assert_eq!(fields, expected);
    for field in expected {
        assert!(error.to_string().contains(field), "{error}");
    }
    let config = ClientConfig::new(["host:1"], "tests", "very-secret");
    assert!(!format!("{config:?}").contains("very-secret"));
}
