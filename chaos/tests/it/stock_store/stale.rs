//! A key is stale after everything that could have brought back an old count.

use std::time::Duration;

use scrip_chaos::testbed::{RedisServer, RestartWith};
use scrip_proxy::store::redis::RedisStockStore;
use scrip_proxy::store::{Deducted, Installed, StockStore, StoreError};

use super::tap::Tap;
use super::{
    PATIENT, SHARD, connect_to, deduct, granted, install_under, key, left, one_shard, release, stock, testbed,
};

/// The first answer after the shard was away.
async fn deduct_soon(store: &RedisStockStore, count: u32) -> Deducted {
    let answers = async {
        loop {
            if let Ok(answers) = store.deduct(SHARD, &[super::want(key(1, 0), count)]).await {
                return answers[0];
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), answers).await.expect("answered")
}

#[tokio::test]
async fn after_a_restart_whatever_data_came_back() {
    let (testbed, store) = one_shard().await;
    let (server, key) = (testbed.shard(0), key(1, 0));
    let old_run = stock(&store, key, 1, 10).await;
    let snapshot = server.snapshot().await.expect("saved");
    assert_eq!(deduct(&store, key, 4).await, granted(1, 4));
    for with in [RestartWith::Data, RestartWith::Snapshot(&snapshot), RestartWith::Empty] {
        server.restart(with).await.expect("restarted");
        let kept = server.command("EXISTS", &["stock:1:00"]).await.expect("answered");
        assert_eq!(kept, if matches!(with, RestartWith::Empty) { "0" } else { "1" }, "{with:?}");
        assert_eq!(deduct_soon(&store, 1).await, Deducted::Stale, "{with:?}");
        assert_eq!(left(&store, key).await, None, "{with:?}");
        release(&store, key, 1, 1).await;
        assert_eq!(left(&store, key).await, None, "{with:?}");
        let run = store.run(SHARD).await.expect("a run");
        assert_ne!(run, old_run, "{with:?}");
        assert_eq!(install_under(&store, &old_run, key, 9, 9).await, Installed::OtherRun, "{with:?}");
        assert_eq!(install_under(&store, &run, key, 1, 6).await, Installed::Done, "{with:?}: a stale epoch is no bar");
        assert_eq!(deduct(&store, key, 7).await, granted(1, 6), "{with:?}");
    }
}

#[tokio::test]
async fn after_flushall_though_the_run_goes_on() {
    let (testbed, store) = one_shard().await;
    let key = key(1, 0);
    let run = stock(&store, key, 1, 10).await;
    testbed.shard(0).command("FLUSHALL", &[]).await.expect("flushed");
    assert_eq!(deduct(&store, key, 1).await, Deducted::Stale);
    release(&store, key, 1, 1).await;
    assert_eq!(left(&store, key).await, None);
    assert_eq!(store.run(SHARD).await, Ok(run.clone()));
    assert_eq!(install_under(&store, &run, key, 2, 5).await, Installed::Done);
}

#[tokio::test]
async fn after_the_library_was_loaded_anew() {
    let (testbed, store) = one_shard().await;
    let key = key(1, 0);
    let run = stock(&store, key, 1, 10).await;
    testbed.shard(0).command("FUNCTION", &["LOAD", "REPLACE", super::library::SOURCE]).await.expect("loaded");
    assert_eq!(deduct(&store, key, 1).await, Deducted::Stale);
    assert_eq!(install_under(&store, &run, key, 2, 5).await, Installed::OtherRun);
    assert_ne!(store.run(SHARD).await, Ok(run));
}

async fn run_id(server: &RedisServer) -> String {
    let info = server.command("INFO", &["server"]).await.expect("answered");
    info.lines().find(|line| line.starts_with("run_id:")).expect("a run id").to_owned()
}

#[tokio::test]
async fn after_a_fail_over_to_a_replica_and_back() {
    let testbed = testbed(1).await;
    let first = testbed.shard(0);
    let tap = Tap::start(first.address(), Duration::ZERO).await;
    let store = connect_to(vec![tap.address()], first.password().expose(), PATIENT).await;
    let key = key(1, 0);
    let run_of_first = stock(&store, key, 1, 10).await;
    let second = testbed.start_replica_of(0).await.expect("a replica");

    // The replica lags: the last deduction does not reach it.
    second.promote().await.expect("promoted");
    assert_eq!(deduct(&store, key, 4).await, granted(1, 4));
    tap.point_to(Some(second.address()));
    assert_eq!(deduct_soon(&store, 1).await, Deducted::Stale, "old count on the promoted replica");
    assert_eq!(second.command("EXISTS", &["stock:1:00"]).await.expect("answered"), "1");
    let run_of_second = stock(&store, key, 2, 6).await;
    assert_ne!(run_of_second, run_of_first);
    assert_eq!(deduct(&store, key, 1).await, granted(2, 1));

    // And back: the same process, the same run_id, the counts of the other.
    let id = run_id(first).await;
    first.replicate(&second).await.expect("a full copy");
    assert_eq!(deduct(&store, key, 1).await, granted(2, 1));
    first.promote().await.expect("promoted");
    tap.point_to(Some(first.address()));
    assert_eq!(deduct_soon(&store, 1).await, Deducted::Stale);
    assert_eq!(run_id(first).await, id);
    let run = store.run(SHARD).await.expect("a run");
    assert!(run != run_of_first && run != run_of_second, "{run:?}");
    for old in [run_of_first, run_of_second] {
        assert_eq!(install_under(&store, &old, key, 9, 9).await, Installed::OtherRun);
    }
}

#[tokio::test]
async fn a_read_only_replica_takes_no_part() {
    let testbed = testbed(1).await;
    let store = super::connect(&testbed, PATIENT).await;
    let run = stock(&store, key(1, 0), 1, 10).await;
    let replica = testbed.start_replica_of(0).await.expect("a replica");
    let on_replica = connect_to(vec![super::address(&replica)], replica.password().expose(), PATIENT).await;
    let answers = [
        on_replica.run(SHARD).await.map(drop),
        on_replica.deduct(SHARD, &[super::want(key(1, 0), 1)]).await.map(drop),
        on_replica.install(SHARD, &run, &[]).await.map(drop).and(Err(StoreError::Refused(String::new()))),
    ];
    for answer in answers {
        assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    }
    assert_eq!(left(&store, key(1, 0)).await, Some(10));
}
