//! Garbage, wrong answers and silence from what should be a proxy.

use std::time::Duration;

use scrip_client::{Code, Disposition};
use scrip_protocol::v1::response::Result as Wire;
use scrip_protocol::v1::{Pong, Response};

use crate::fake::{Connection, Fake, claim, config, coupon, end, pair_with, refusal, request_id, spawn_claim};

/// After each of these the connection is given up and the claim is sent again on a new one.
async fn spoiled_by(spoil: impl AsyncFn(&mut Connection, u64, &scrip_protocol::v1::Claim)) {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.deadline = Duration::from_secs(5);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let claim = claim(1);
    let task = spawn_claim(&client, claim);
    let (id, wire) = proxy.claim().await;
    spoil(&mut proxy, id, &wire).await;
    proxy.hung_up().await;
    let mut proxy = fake.accept().await;
    let (id, again) = proxy.claim().await;
    assert_eq!((again.attempt, request_id(&again)), (2, claim.request_id()));
    proxy.coupon(id, &again).await;
    end(task).await.expect("a coupon");
}

#[tokio::test]
async fn bytes_that_are_no_frame() {
    spoiled_by(async |proxy, _, _| proxy.bytes(&[0xff; 64]).await).await;
    spoiled_by(async |proxy, _, _| proxy.bytes(&[3, 0xff, 0xff, 0xff]).await).await;
    // One megabyte is announced.
    spoiled_by(async |proxy, _, _| proxy.bytes(&[0x80, 0x80, 0x40]).await).await;
}

#[tokio::test]
async fn an_answer_to_nothing() {
    spoiled_by(async |proxy, id, _| proxy.refuse(id + 1, Code::SoldOut).await).await;
    spoiled_by(async |proxy, id, _| proxy.refuse(id + (1 << 20), Code::SoldOut).await).await;
}

#[tokio::test]
async fn an_answer_to_something_else() {
    spoiled_by(async |proxy, id, _| proxy.ok(id, Wire::Pong(Pong { nonce: 1 })).await).await;
    spoiled_by(async |proxy, id, claim| {
        let other = scrip_protocol::v1::Coupon { user_id: 99, ..coupon(claim) };
        proxy.ok(id, Wire::Coupon(other)).await;
    })
    .await;
}

#[tokio::test]
async fn an_ok_without_a_coupon_and_an_answer_without_a_code() {
    spoiled_by(async |proxy, id, _| {
        proxy.send(Response { id, code: Code::Ok.into(), ..Response::default() }).await;
    })
    .await;
    spoiled_by(async |proxy, id, _| proxy.send(Response { id, ..Response::default() }).await).await;
    spoiled_by(async |proxy, id, claim| {
        let short = scrip_protocol::v1::Coupon { coupon_id: vec![1].into(), ..coupon(claim) };
        proxy.ok(id, Wire::Coupon(short)).await;
    })
    .await;
}

#[tokio::test]
async fn a_notice_that_closes_the_connection() {
    spoiled_by(async |proxy, _, _| proxy.send(refusal(0, Code::FrameTooLarge)).await).await;
}

#[tokio::test]
async fn answers_before_the_garbage_count() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair_with(&fake, config(&[&fake])).await;
    let task = spawn_claim(&client, claim(1));
    let (id, wire) = proxy.claim().await;
    let mut bytes = bytes::BytesMut::new();
    let answer =
        Response { id, code: Code::Ok.into(), result: Some(Wire::Coupon(coupon(&wire))), ..Response::default() };
    scrip_protocol::frame::put(&answer, &mut bytes);
    bytes.extend_from_slice(&[0xff; 16]);
    proxy.bytes(&bytes).await;
    end(task).await.expect("a coupon");
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_heard_is_given_up() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    (config.deadline, config.silence_max) = (Duration::from_millis(30), Duration::from_millis(60));
    let (client, mut proxy) = pair_with(&fake, config).await;
    let task = spawn_claim(&client, claim(1));
    proxy.claim().await;
    assert_eq!(end(task).await.expect_err("no answer").disposition(), Disposition::Unknown);
    proxy.hung_up().await;
    fake.accept().await;
}

#[tokio::test]
async fn a_slow_answer_within_its_deadline_is_not_silence() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    (config.deadline, config.silence_max) = (Duration::from_secs(5), Duration::from_millis(20));
    let (client, mut proxy) = pair_with(&fake, config).await;
    let task = spawn_claim(&client, claim(1));
    let (id, wire) = proxy.claim().await;
    let more = tokio::time::timeout(Duration::from_millis(150), proxy.next()).await;
    assert!(more.is_err(), "the client waits: {more:?}");
    proxy.coupon(id, &wire).await;
    end(task).await.expect("a coupon");
}
