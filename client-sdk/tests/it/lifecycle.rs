//! Clones, dropping, closing, and the blocking wrapper: connections are closed and no task or thread is left.

use std::time::Duration;

use scrip_client::{Claim, Disposition, blocking};

use crate::fake::{Fake, claim, config, end, pair, spawn_claim, until, within};

#[tokio::test]
async fn the_last_clone_closes_the_connection_and_leaves_no_task() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    assert!(metrics.num_alive_tasks() > before);
    let clone = client.clone();
    drop(client);
    let task = spawn_claim(&clone, claim(1));
    let (id, wire) = proxy.claim().await;
    proxy.coupon(id, &wire).await;
    end(task).await.expect("a clone is as good");
    drop(clone);
    proxy.hung_up().await;
    until("all tasks have ended", || metrics.num_alive_tasks() == before).await;
}

#[tokio::test]
async fn close_ends_what_is_in_flight_as_unknown_and_later_calls_at_once() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let task = spawn_claim(&client, claim(1).deadline(Duration::from_secs(60)));
    proxy.claim().await;
    let clone = client.clone();
    within("close ends", client.close()).await;
    assert_eq!(end(task).await.expect_err("closed").disposition(), Disposition::Unknown);
    let error = end(spawn_claim(&clone, claim(2))).await.expect_err("closed");
    assert_eq!(error.disposition(), Disposition::NotApplied);
    proxy.hung_up().await;
}

#[tokio::test]
async fn an_abandoned_claim_that_waits_is_never_sent() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.in_flight_per_connection_max = 1;
    let (client, mut proxy) = crate::fake::pair_with(&fake, config).await;
    let first = spawn_claim(&client, claim(1));
    let (id, wire) = proxy.claim().await;
    let abandoned = spawn_claim(&client, claim(2));
    until("it is queued", || client.health()[0].load == 2).await;
    abandoned.abort();
    abandoned.await.expect_err("aborted");
    let third = spawn_claim(&client, claim(3));
    until("it is queued", || client.health()[0].load == 3).await;
    proxy.coupon(id, &wire).await;
    let (id, wire) = proxy.claim().await;
    assert_eq!(wire.user_id, 3);
    proxy.coupon(id, &wire).await;
    end(first).await.expect("a coupon");
    end(third).await.expect("a coupon");
}

#[tokio::test]
async fn the_blocking_client_works_anywhere_and_ends_its_thread() {
    let fake = Fake::start().await;
    let (config, first, second) = (config(&[&fake]), claim(1), claim(2));
    let calls = move || {
        let client = blocking::Client::connect(config).expect("connects");
        let claim = |claim: Claim| client.claim(claim).expect("a coupon").user;
        // From several threads at once, and inside of another runtime.
        let users = std::thread::scope(|scope| {
            let handle = scope.spawn(|| claim(first));
            (handle.join().expect("no panic"), claim(second))
        });
        drop(client);
        users
    };
    let script = async {
        let mut proxy = fake.accept().await;
        for _ in 0..2 {
            let (id, wire) = proxy.claim().await;
            proxy.coupon(id, &wire).await;
        }
        proxy.hung_up().await;
    };
    let (users, ()) = tokio::join!(tokio::task::spawn_blocking(calls), script);
    assert_eq!(users.expect("no panic"), (first.user(), second.user()));
}

#[test]
fn without_a_runtime_the_error_says_so() {
    let config = scrip_client::ClientConfig::new(["127.0.0.1:1"], "tests", "hush");
    let mut connect = Box::pin(scrip_client::Client::connect(config));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = connect.as_mut().poll(&mut context) else { panic!("not an error") };
    assert!(error.to_string().contains("runtime"), "{error}");
}
