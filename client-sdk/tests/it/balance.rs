//! Work goes to the connection with less to do.

use crate::fake::{Fake, claim, end, spawn_claim, trio, until};

#[tokio::test]
async fn two_connections_fill_evenly_and_a_slow_one_gets_no_more() {
    let (one, two) = (Fake::start().await, Fake::start().await);
    let (client, mut slow, mut fast) = trio(&one, &two).await;
    let loads = || client.health().iter().map(|link| link.load).collect::<Vec<_>>();
    let mut tasks = Vec::new();
    for count in 1..=20 {
        tasks.push(spawn_claim(&client, claim(count)));
        until("it is taken", || loads().iter().sum::<usize>() == count as usize).await;
    }
    assert_eq!(loads(), [10, 10], "with two connections the choice of two is a choice of all");
    for _ in 0..10 {
        let (id, wire) = fast.claim().await;
        fast.coupon(id, &wire).await;
    }
    until("the fast one is idle", || loads() == [10, 0]).await;
    for user in 0..10 {
        let task = spawn_claim(&client, claim(100 + user));
        let (id, wire) = fast.claim().await;
        fast.coupon(id, &wire).await;
        end(task).await.expect("a coupon");
    }
    for _ in 0..10 {
        let (id, wire) = slow.claim().await;
        slow.coupon(id, &wire).await;
    }
    for task in tasks {
        end(task).await.expect("a coupon");
    }
}
