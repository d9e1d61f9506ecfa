//! One deadline over all attempts, kept whatever the proxy does.

use std::time::{Duration, Instant};

use scrip_client::{ClaimError, Code, Disposition, TemplateId};

use crate::fake::{Fake, claim, config, end, pair, pair_with, spawn_claim};

#[tokio::test]
async fn a_silent_proxy_leaves_the_claim_in_doubt_at_its_deadline() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let started = Instant::now();
    let task = spawn_claim(&client, claim(1).deadline(Duration::from_millis(60)));
    proxy.claim().await;
    let error = end(task).await.expect_err("no answer");
    let elapsed = started.elapsed();
    assert!(matches!(error, ClaimError::Unknown(_)), "{error:?}");
    assert!(elapsed >= Duration::from_millis(60), "{elapsed:?}");
    assert!(elapsed < Duration::from_millis(500), "{elapsed:?}");
}

#[tokio::test]
async fn the_frames_carry_what_is_left() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let task = spawn_claim(&client, claim(1).deadline(Duration::from_secs(10)));
    let mut left_ms = 10_000;
    for _ in 0..4 {
        let (request, _) = proxy.claim_request().await;
        assert!(request.deadline_ms <= left_ms && request.deadline_ms > 5_000, "{} of {left_ms}", request.deadline_ms);
        left_ms = request.deadline_ms - 1;
        proxy.refuse(request.id, Code::Contended).await;
    }
    let (request, wire) = proxy.claim_request().await;
    proxy.coupon(request.id, &wire).await;
    end(task).await.expect("a coupon");
}

#[tokio::test]
async fn attempts_do_not_prolong_it() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.retry.attempts_max = 100;
    config.deadline = Duration::from_millis(150);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let started = Instant::now();
    let mut task = std::pin::pin!(end(spawn_claim(&client, claim(1))));
    let error = loop {
        tokio::select! {
            (id, _) = proxy.claim() => proxy.refuse(id, Code::Contended).await,
            result = &mut task => break result.expect_err("refused"),
        }
    };
    assert_eq!((error.code(), error.disposition()), (Code::Contended, Disposition::NotApplied));
    assert!(error.failure().sent() > 2, "{error:?}");
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_late_answer_harms_nobody() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let task = spawn_claim(&client, claim(1).deadline(Duration::from_millis(30)));
    let (late_id, late) = proxy.claim().await;
    end(task).await.expect_err("no answer");
    let task = spawn_claim(&client, claim(2));
    let (id, wire) = proxy.claim().await;
    assert_ne!(id, late_id);
    proxy.coupon(late_id, &late).await;
    proxy.coupon(id, &wire).await;
    assert_eq!(end(task).await.expect("a coupon").user.get(), 2);
}

#[tokio::test]
async fn what_never_finds_a_place_in_flight_is_not_applied() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    (config.in_flight_per_connection_max, config.queued_per_connection_max) = (1, 1);
    config.deadline = Duration::from_millis(80);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let written = spawn_claim(&client, claim(1));
    proxy.claim().await;
    let queued = spawn_claim(&client, claim(2));
    crate::fake::until("it is queued", || client.health()[0].load == 2).await;
    let error = end(spawn_claim(&client, claim(3))).await.expect_err("full");
    assert_eq!((error.code(), error.disposition()), (Code::Overloaded, Disposition::NotApplied));
    let error = end(queued).await.expect_err("no place");
    assert_eq!((error.code(), error.disposition()), (Code::DeadlineExceeded, Disposition::NotApplied));
    assert_eq!(end(written).await.expect_err("no answer").disposition(), Disposition::Unknown);
}

#[tokio::test]
async fn operations_on_templates_have_more_time() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.admin_deadline = Duration::from_secs(20);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let publish =
        |client: scrip_client::Client| async move { client.publish(TemplateId::try_new(1).expect("1")).await };
    for (client, range) in
        [(client.clone(), 15_000..=20_000), (client.with_deadline(Duration::from_secs(2)), 1_000..=2_000)]
    {
        let task = tokio::spawn(publish(client));
        let request = proxy.request().await;
        assert!(range.contains(&request.deadline_ms), "{}", request.deadline_ms);
        proxy.refuse(request.id, Code::TemplateNotFound).await;
        end(task).await.expect_err("refused");
    }
}
