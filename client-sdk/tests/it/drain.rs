//! GoAway: what is in flight is finished, new work goes elsewhere at once, and no claim fails because of it.

use std::time::Duration;

use scrip_client::{Code, ConnectionState};

use crate::fake::{Fake, claim, config, end, go_away, pair, pair_with, spawn_claim, trio, until};

#[tokio::test]
async fn in_flight_is_finished_and_new_work_goes_elsewhere() {
    let (one, two) = (Fake::start().await, Fake::start().await);
    let (client, mut first, mut second) = trio(&one, &two).await;
    first.send(go_away(5_000)).await;
    until("it drains", || crate::fake::ready(&client) == 1).await;
    for user in 0..20 {
        let task = spawn_claim(&client, claim(user));
        let (id, wire) = second.claim().await;
        assert_eq!(wire.attempt, 0, "nothing was lost");
        second.coupon(id, &wire).await;
        end(task).await.expect("a coupon");
    }
    first.hung_up().await;
}

#[tokio::test]
async fn the_answer_still_comes_and_then_the_connection_is_made_anew() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let task = spawn_claim(&client, claim(1));
    let (id, wire) = proxy.claim().await;
    proxy.send(go_away(5_000)).await;
    until("it drains", || client.health()[0].state == ConnectionState::Draining).await;
    proxy.coupon(id, &wire).await;
    end(task).await.expect("a coupon");
    proxy.hung_up().await;
    let mut proxy = fake.accept().await;
    let task = spawn_claim(&client, claim(2));
    let (id, wire) = proxy.claim().await;
    proxy.coupon(id, &wire).await;
    end(task).await.expect("a coupon");
}

#[tokio::test]
async fn a_drain_that_never_ends_is_ended() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.deadline = Duration::from_secs(3);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let task = spawn_claim(&client, claim(1));
    proxy.claim().await;
    proxy.send(go_away(20)).await;
    proxy.hung_up().await;
    let mut proxy = fake.accept().await;
    let (id, again) = proxy.claim().await;
    assert_eq!(again.attempt, 2);
    proxy.coupon(id, &again).await;
    end(task).await.expect("a coupon");
}

#[tokio::test]
async fn a_claim_that_meets_a_draining_proxy_moves_on_without_a_budget() {
    let (one, two) = (Fake::start().await, Fake::start().await);
    let mut config = config(&[&one, &two]);
    (config.retry.budget_saved_max, config.retry.budget_floor_per_s, config.retry.budget_percent) = (1, 0, 0);
    let (client, first, second) = tokio::join!(scrip_client::Client::connect(config), one.accept(), two.accept());
    let (client, mut first, mut second) = (client.expect("connects"), first, second);
    until("both connections are ready", || crate::fake::ready(&client) == 2).await;
    for user in 0..10 {
        let task = spawn_claim(&client, claim(user));
        let first_is_asked = tokio::select! {
            (id, _) = first.claim() => { first.refuse(id, Code::Draining).await; true },
            (id, _) = second.claim() => { second.refuse(id, Code::Draining).await; false },
        };
        let other = if first_is_asked { &mut second } else { &mut first };
        let (id, again) = other.claim().await;
        assert_eq!(again.attempt, 0, "it was refused as not applied, so nothing is in doubt");
        other.coupon(id, &again).await;
        end(task).await.expect("a coupon");
    }
}
