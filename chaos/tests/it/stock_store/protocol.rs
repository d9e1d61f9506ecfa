//! What each call does on a living shard.

use scrip_proxy::store::{Deducted, Installed, Run, StockStore};

use super::{SHARD, deduct, granted, install_under, key, one_shard};
use crate::conformance::stock as conformance;

#[tokio::test]
async fn a_deduction_grants_what_there_is_and_then_nothing() {
    let (_testbed, store) = one_shard().await;
    conformance::deductions(&store).await;
}

#[tokio::test]
async fn a_group_is_answered_in_its_order() {
    let (_testbed, store) = one_shard().await;
    conformance::groups(&store).await;
}

#[tokio::test]
async fn empty_groups_need_no_call() {
    let (testbed, store) = one_shard().await;
    testbed.shard(0).kill();
    assert_eq!(store.deduct(SHARD, &[]).await, Ok(Vec::new()));
    assert_eq!(store.release(SHARD, &[]).await, Ok(()));
    assert_eq!(store.install(SHARD, &Run(String::new()), &[]).await, Ok(Vec::new()));
    assert_eq!(store.remaining(SHARD, &[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_release_counts_only_under_its_epoch() {
    let (_testbed, store) = one_shard().await;
    conformance::releases(&store).await;
}

#[tokio::test]
async fn an_install_needs_the_run_and_a_higher_epoch() {
    let (_testbed, store) = one_shard().await;
    conformance::installs(&store).await;
}

#[tokio::test]
async fn counts_and_epochs_are_exact_up_to_their_bound_and_refused_above() {
    let (_testbed, store) = one_shard().await;
    conformance::bounds(&store).await;
}

#[tokio::test]
async fn a_key_that_is_no_stock_is_stale_and_gets_replaced() {
    let (testbed, store) = one_shard().await;
    let key = key(1, 0);
    let run = store.run(SHARD).await.expect("a run");
    for value in ["", "rubbish", &run.0, &format!("{} ", run.0), &format!("{} 1", run.0), &format!("{} 1 -1", run.0)] {
        testbed.shard(0).command("SET", &["stock:1:00", value]).await.expect("set");
        assert_eq!(deduct(&store, key, 1).await, Deducted::Stale, "{value:?}");
    }
    testbed.shard(0).command("DEL", &["stock:1:00"]).await.expect("deleted");
    testbed.shard(0).command("HSET", &["stock:1:00", "n", "5"]).await.expect("set");
    assert_eq!(deduct(&store, key, 1).await, Deducted::Stale);
    assert_eq!(install_under(&store, &run, key, 1, 3).await, Installed::Done);
    assert_eq!(deduct(&store, key, 5).await, granted(1, 3));
}

#[tokio::test]
async fn a_group_beyond_the_limit_is_refused_whole() {
    let (_testbed, store) = one_shard().await;
    conformance::large_groups(&store).await;
}
