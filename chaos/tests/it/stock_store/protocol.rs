//! What each call does on a living shard.

use scrip_proxy::store::{Deducted, Install, Installed, Release, Run, StockStore, StoreError};

use super::{SHARD, deduct, granted, install_under, key, left, one_shard, release, stock, want};

#[tokio::test]
async fn a_deduction_grants_what_there_is_and_then_nothing() {
    let (_testbed, store) = one_shard().await;
    let key = key(1, 0);
    assert_eq!(deduct(&store, key, 1).await, Deducted::Stale, "missing key, missing library");
    stock(&store, key, 4, 10).await;
    assert_eq!(deduct(&store, key, 7).await, granted(4, 7));
    assert_eq!(deduct(&store, key, 7).await, granted(4, 3));
    assert_eq!(deduct(&store, key, 7).await, granted(4, 0));
    assert_eq!(deduct(&store, key, 0).await, granted(4, 0));
    assert_eq!(left(&store, key).await, Some(0));
}

#[tokio::test]
async fn a_group_is_answered_in_its_order() {
    let (_testbed, store) = one_shard().await;
    let [first, second, missing] = [key(1, 3), key(7, 0), key(2, 9)];
    stock(&store, first, 1, 5).await;
    stock(&store, second, 2, 1).await;
    let group = [want(second, 2), want(missing, 1), want(first, 2), want(second, 1), want(first, 9)];
    let answers = store.deduct(SHARD, &group).await.expect("answered");
    let expected = [granted(2, 1), Deducted::Stale, granted(1, 2), granted(2, 0), granted(1, 3)];
    assert_eq!(answers, expected, "the same key twice shares one count");
    let left = store.remaining(SHARD, &[missing, first, second]).await.expect("answered");
    assert_eq!(left, [None, Some(0), Some(0)]);
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
    let (key, missing) = (key(1, 0), key(1, 1));
    stock(&store, key, 2, 10).await;
    assert_eq!(deduct(&store, key, 10).await, granted(2, 10));
    for (epoch, count, expected) in [(2, 3, 3), (1, 1, 3), (3, 1, 3), (2, 1, 4)] {
        release(&store, key, epoch, count).await;
        assert_eq!(left(&store, key).await, Some(expected), "{count} of epoch {epoch}");
    }
    release(&store, missing, 2, 5).await;
    assert_eq!(left(&store, missing).await, None);
    let both = [Release { key: missing, epoch: 2, count: 1 }, Release { key, epoch: 2, count: 2 }];
    store.release(SHARD, &both).await.expect("answered");
    assert_eq!(left(&store, key).await, Some(6));
}

#[tokio::test]
async fn an_install_needs_the_run_and_a_higher_epoch() {
    let (_testbed, store) = one_shard().await;
    let key = key(1, 0);
    let run = stock(&store, key, 5, 10).await;
    let other = Run(format!("{}x", run.0));
    for (run, epoch, expected, left_then) in [
        (&other, 6, Installed::OtherRun, 10),
        (&run, 4, Installed::NotNewer, 10),
        (&run, 5, Installed::NotNewer, 10),
        (&run, 6, Installed::Done, 77),
        (&run, 6, Installed::NotNewer, 77),
    ] {
        assert_eq!(install_under(&store, run, key, epoch, 77).await, expected, "epoch {epoch}");
        assert_eq!(left(&store, key).await, Some(left_then), "epoch {epoch}");
    }
    release(&store, key, 5, 1).await;
    assert_eq!(left(&store, key).await, Some(77), "units of an epoch that is over");
}

#[tokio::test]
async fn counts_and_epochs_are_exact_up_to_their_bound_and_refused_above() {
    let (_testbed, store) = one_shard().await;
    let (key, max) = (key(u32::MAX, u16::MAX), (1 << 53) - 1);
    let run = stock(&store, key, max, max).await;
    assert_eq!(deduct(&store, key, u32::MAX).await, granted(max, u32::MAX));
    assert_eq!(left(&store, key).await, Some(max - u64::from(u32::MAX)));
    release(&store, key, max, u32::MAX).await;
    assert_eq!(left(&store, key).await, Some(max));
    for (epoch, count) in [(max + 1, 1), (1, max + 1), (u64::MAX, u64::MAX)] {
        let refused = store.install(SHARD, &run, &[Install { key, epoch, count }]).await;
        assert!(matches!(&refused, Err(StoreError::Refused(what)) if what.contains("2^53")), "{refused:?}");
    }
    let refused = store.release(SHARD, &[Release { key, epoch: max, count: 1 }]).await;
    assert!(matches!(&refused, Err(StoreError::Refused(what)) if what.contains("2^53")), "{refused:?}");
    assert_eq!(left(&store, key).await, Some(max), "an error leaves nothing behind");
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
    let stocked = key(1, 0);
    stock(&store, stocked, 1, 5).await;
    let largest: Vec<_> = (0..1000).map(|index| want(key(1, index), 1)).collect();
    let answers = store.deduct(SHARD, &largest).await.expect("answered");
    assert_eq!((answers.len(), answers[0]), (1000, granted(1, 1)));
    let larger: Vec<_> = (0..1001).map(|index| want(key(1, index), 1)).collect();
    let refused = store.deduct(SHARD, &larger).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(left(&store, stocked).await, Some(4));
}
