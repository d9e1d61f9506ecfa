//! Resends: which, where, how often, and what they carry.

use std::time::{Duration, Instant};

use scrip_client::{ClaimError, ClientConfig, Code, Disposition};
use scrip_protocol::v1::Response;

use crate::fake::{Fake, claim, config, end, pair_with, refusal, request_id, spawn_claim, trio};

fn patient(fake: &Fake) -> ClientConfig {
    let mut config = config(&[fake]);
    config.deadline = Duration::from_secs(5);
    config
}

#[tokio::test]
async fn each_attempt_carries_the_same_id_and_a_higher_number_once_there_is_doubt() {
    let fake = Fake::start().await;
    let mut config = patient(&fake);
    config.retry.attempts_max = 4;
    let (client, mut proxy) = pair_with(&fake, config).await;
    let claim = claim(1);
    let task = spawn_claim(&client, claim);
    for (attempt, answer) in
        [(0, Code::Contended), (0, Code::OutcomeUnknown), (3, Code::Contended), (4, Code::Contended)]
    {
        let (id, wire) = proxy.claim().await;
        assert_eq!((wire.attempt, request_id(&wire)), (attempt, claim.request_id()));
        proxy.refuse(id, answer).await;
    }
    let error = end(task).await.expect_err("refused, and in doubt once");
    assert_eq!((error.disposition(), error.failure().sent()), (Disposition::Unknown, 4), "{error:?}");
}

#[tokio::test]
async fn what_was_only_ever_refused_is_not_in_doubt() {
    let fake = Fake::start().await;
    let mut config = patient(&fake);
    config.retry.attempts_max = 4;
    let (client, mut proxy) = pair_with(&fake, config).await;
    let task = spawn_claim(&client, claim(1).first_try());
    for _ in 0..4 {
        let (id, wire) = proxy.claim().await;
        assert_eq!(wire.attempt, 1);
        proxy.refuse(id, Code::Contended).await;
    }
    let error = end(task).await.expect_err("refused four times");
    assert!(matches!(error, ClaimError::Unavailable(_)), "{error:?}");
    assert_eq!((error.code(), error.disposition()), (Code::Contended, Disposition::NotApplied));
    assert_eq!(error.failure().sent(), 4);
}

#[tokio::test]
async fn an_overloaded_proxy_is_avoided() {
    let (one, two) = (Fake::start().await, Fake::start().await);
    let (client, mut first, mut second) = trio(&one, &two).await;
    for user in 0..10 {
        let task = spawn_claim(&client, claim(user));
        let first_is_asked = tokio::select! {
            (id, _) = first.claim() => { first.refuse(id, Code::Overloaded).await; true },
            (id, _) = second.claim() => { second.refuse(id, Code::Overloaded).await; false },
        };
        let other = if first_is_asked { &mut second } else { &mut first };
        let (id, again) = other.claim().await;
        other.coupon(id, &again).await;
        end(task).await.expect("a coupon");
    }
}

#[tokio::test]
async fn the_advised_wait_is_kept() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair_with(&fake, patient(&fake)).await;
    let task = spawn_claim(&client, claim(1));
    let (id, _) = proxy.claim().await;
    let refused = Instant::now();
    proxy.send(Response { retry_after_ms: 120, ..refusal(id, Code::RateLimited) }).await;
    let (id, again) = proxy.claim().await;
    assert!(refused.elapsed() >= Duration::from_millis(120), "{:?}", refused.elapsed());
    proxy.coupon(id, &again).await;
    end(task).await.expect("a coupon");
}

#[tokio::test]
async fn an_advised_wait_beyond_the_deadline_is_not_waited() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair_with(&fake, patient(&fake)).await;
    let task = spawn_claim(&client, claim(1));
    let (id, _) = proxy.claim().await;
    let refused = Instant::now();
    proxy.send(Response { retry_after_ms: 20_000, ..refusal(id, Code::PrimaryUnavailable) }).await;
    let error = end(task).await.expect_err("refused");
    assert!(refused.elapsed() < Duration::from_secs(2));
    assert_eq!(error.code(), Code::PrimaryUnavailable);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(20)));
}

#[tokio::test]
async fn without_budget_the_first_refusal_is_final() {
    let fake = Fake::start().await;
    let mut config = patient(&fake);
    (config.retry.budget_saved_max, config.retry.budget_floor_per_s, config.retry.budget_percent) = (2, 0, 0);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let mut sent = Vec::new();
    for user in 0..4 {
        let task = spawn_claim(&client, claim(user));
        let mut task = std::pin::pin!(end(task));
        let error = loop {
            tokio::select! {
                (id, _) = proxy.claim() => proxy.refuse(id, Code::Overloaded).await,
                result = &mut task => break result.expect_err("refused"),
            }
        };
        assert_eq!((error.code(), error.disposition()), (Code::Overloaded, Disposition::NotApplied));
        sent.push(error.failure().sent());
    }
    assert_eq!(sent, [3, 1, 1, 1], "two resends were saved up");
}

#[tokio::test]
async fn one_attempt_means_one() {
    for loses in [false, true] {
        let fake = Fake::start().await;
        let mut config = patient(&fake);
        config.retry.attempts_max = 1;
        let (client, mut proxy) = pair_with(&fake, config).await;
        let task = spawn_claim(&client, claim(1));
        let (id, _) = proxy.claim().await;
        if loses {
            drop(proxy);
        } else {
            proxy.refuse(id, Code::Contended).await;
        }
        let error = end(task).await.expect_err("refused or lost");
        let expected = if loses { Disposition::Unknown } else { Disposition::NotApplied };
        assert_eq!((error.disposition(), error.failure().sent()), (expected, 1));
    }
}
