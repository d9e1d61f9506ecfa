//! What a caller is told when the connection is lost or the proxy does not know: never *not applied* for what may be applied.

use std::time::Duration;

use scrip_client::{ClaimError, Code, Disposition, GetClaimError, RequestId, TemplateId, UserId};

use crate::fake::{Connection, Fake, claim, config, end, pair_with, request_id, spawn_claim, trio, until};

fn patient(fake: &Fake) -> scrip_client::ClientConfig {
    let mut config = config(&[fake]);
    config.deadline = Duration::from_secs(3);
    config
}

#[tokio::test]
async fn cut_after_the_write_is_resent_elsewhere_with_the_same_id() {
    let (one, two) = (Fake::start().await, Fake::start().await);
    let (client, mut first, mut second) = trio(&one, &two).await;
    let claim = claim(1).first_try();
    let task = spawn_claim(&client, claim);
    let (was_first, wire) = tokio::select! {
        (_, wire) = first.claim() => (true, wire),
        (_, wire) = second.claim() => (false, wire),
    };
    assert_eq!(wire.attempt, 1);
    let mut other = if was_first { lose(first, second) } else { lose(second, first) };
    let (id, again) = other.claim().await;
    assert_eq!((again.attempt, request_id(&again)), (2, claim.request_id()));
    other.coupon(id, &again).await;
    let coupon = end(task).await.expect("the one answer");
    assert!(coupon.replayed);
}

fn lose(lost: Connection, kept: Connection) -> Connection {
    drop(lost);
    kept
}

#[tokio::test]
async fn cut_after_the_write_and_nowhere_else_to_go_is_unknown() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.deadline = Duration::from_millis(100);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let task = spawn_claim(&client, claim(1));
    proxy.claim().await;
    drop(proxy);
    // The listener is gone as well: the client cannot come back.
    drop(fake);
    let error = end(task).await.expect_err("no answer");
    assert!(matches!(error, ClaimError::Unknown(_)), "{error:?}");
    assert_eq!((error.disposition(), error.code()), (Disposition::Unknown, Code::OutcomeUnknown));
    assert_eq!(error.failure().sent(), 1);
}

#[tokio::test]
async fn cut_before_the_write_is_not_applied() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.deadline = Duration::from_millis(100);
    let (client, proxy) = pair_with(&fake, config).await;
    drop((proxy, fake));
    until("the loss is noticed", || crate::fake::ready(&client) == 0).await;
    let error = end(spawn_claim(&client, claim(1))).await.expect_err("nobody is there");
    assert!(matches!(error, ClaimError::DeadlineExceeded(_)), "{error:?}");
    assert_eq!((error.disposition(), error.failure().sent()), (Disposition::NotApplied, 0));
}

#[tokio::test]
async fn what_waited_behind_a_full_connection_moves_on_unharmed_when_it_is_cut() {
    let fake = Fake::start().await;
    let mut config = patient(&fake);
    config.in_flight_per_connection_max = 1;
    let (client, mut proxy) = pair_with(&fake, config).await;
    let tasks = [spawn_claim(&client, claim(1)), spawn_claim(&client, claim(2))];
    let (_, written) = proxy.claim().await;
    until("both are queued", || client.health()[0].load == 2).await;
    drop(proxy);
    let mut proxy = fake.accept().await;
    for _ in 0..2 {
        let (id, wire) = proxy.claim().await;
        let expected = if wire.user_id == written.user_id { 2 } else { 0 };
        assert_eq!(wire.attempt, expected, "only what was written is a resend");
        proxy.coupon(id, &wire).await;
    }
    for task in tasks {
        end(task).await.expect("a coupon");
    }
}

/// After a lost attempt each refusal but the limit leaves the claim in doubt: the lost attempt may still be running elsewhere.
#[tokio::test]
async fn a_refusal_of_the_resend_does_not_hide_the_lost_attempt() {
    for (code, disposition) in [
        (Code::SoldOut, Disposition::Unknown),
        (Code::TemplatePaused, Disposition::Unknown),
        (Code::DeadlineExceeded, Disposition::Unknown),
        (Code::DailyLimitReached, Disposition::Unknown),
        (Code::LimitReached, Disposition::NotApplied),
    ] {
        let fake = Fake::start().await;
        let (client, mut proxy) = pair_with(&fake, patient(&fake)).await;
        let task = spawn_claim(&client, claim(1));
        proxy.claim().await;
        drop(proxy);
        let mut proxy = fake.accept().await;
        let (id, again) = proxy.claim().await;
        assert_eq!(again.attempt, 2);
        proxy.refuse(id, code).await;
        let error = end(task).await.expect_err("refused");
        assert_eq!(error.disposition(), disposition, "{error:?}");
        assert_eq!(error.failure().sent(), 2);
    }
}

#[tokio::test]
async fn the_proxy_not_knowing_is_asked_again_until_it_knows() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair_with(&fake, patient(&fake)).await;
    let claim = claim(1).first_try();
    let task = spawn_claim(&client, claim);
    for attempt in 1..=3 {
        let (id, wire) = proxy.claim().await;
        assert_eq!((wire.attempt, request_id(&wire)), (attempt, claim.request_id()));
        if attempt == 3 {
            proxy.coupon(id, &wire).await;
        } else {
            proxy.refuse(id, Code::OutcomeUnknown).await;
        }
    }
    end(task).await.expect("a coupon");
}

#[tokio::test]
async fn a_lost_read_is_never_in_doubt() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.deadline = Duration::from_millis(50);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let template = TemplateId::try_new(7).expect("not 0");
    let (error, _) = tokio::join!(client.get_claim(UserId(1), template, RequestId([1; 16])), proxy.request());
    let error = error.expect_err("no answer");
    assert!(matches!(error, GetClaimError::DeadlineExceeded(_)), "{error:?}");
    assert_eq!(error.disposition(), Disposition::NotApplied);
}
