//! A shard, through [`StockStore`].

use scrip_proxy::store::{Deducted, Install, Installed, Release, Run, StockKey, StockStore, StoreError, Want};

use super::model;
use crate::stock_store::{SHARD, granted, key, want};

async fn deduct(store: &impl StockStore, key: StockKey, count: u32) -> Deducted {
    store.deduct(SHARD, &[want(key, count)]).await.expect("answered")[0]
}

async fn install(store: &impl StockStore, run: &Run, key: StockKey, epoch: u64, count: u64) -> Installed {
    store.install(SHARD, run, &[Install { key, epoch, count }]).await.expect("answered")[0]
}

async fn stock(store: &impl StockStore, key: StockKey, epoch: u64, count: u64) -> Run {
    let run = store.run(SHARD).await.expect("a run");
    assert_eq!(install(store, &run, key, epoch, count).await, Installed::Done);
    run
}

async fn release(store: &impl StockStore, key: StockKey, epoch: u64, count: u32) {
    store.release(SHARD, &[Release { key, epoch, count }]).await.expect("answered");
}

async fn left(store: &impl StockStore, key: StockKey) -> Option<u64> {
    store.remaining(SHARD, &[key]).await.expect("answered")[0]
}

pub(crate) async fn deductions(store: &impl StockStore) {
    let key = key(1, 0);
    assert_eq!(deduct(store, key, 1).await, Deducted::Stale, "missing key, missing library");
    stock(store, key, 4, 10).await;
    assert_eq!(deduct(store, key, 7).await, granted(4, 7));
    assert_eq!(deduct(store, key, 7).await, granted(4, 3));
    assert_eq!(deduct(store, key, 7).await, granted(4, 0));
    assert_eq!(deduct(store, key, 0).await, granted(4, 0));
    assert_eq!(left(store, key).await, Some(0));
}

pub(crate) async fn groups(store: &impl StockStore) {
    let [first, second, missing] = [key(1, 3), key(7, 0), key(2, 9)];
    stock(store, first, 1, 5).await;
    stock(store, second, 2, 1).await;
    let group = [want(second, 2), want(missing, 1), want(first, 2), want(second, 1), want(first, 9)];
    let answers = store.deduct(SHARD, &group).await.expect("answered");
    let expected = [granted(2, 1), Deducted::Stale, granted(1, 2), granted(2, 0), granted(1, 3)];
    assert_eq!(answers, expected, "the same key twice shares one count");
    let left = store.remaining(SHARD, &[missing, first, second]).await.expect("answered");
    assert_eq!(left, [None, Some(0), Some(0)]);
}

pub(crate) async fn releases(store: &impl StockStore) {
    let (key, missing) = (key(1, 0), key(1, 1));
    stock(store, key, 2, 10).await;
    assert_eq!(deduct(store, key, 10).await, granted(2, 10));
    for (epoch, count, expected) in [(2, 3, 3), (1, 1, 3), (3, 1, 3), (2, 1, 4)] {
        release(store, key, epoch, count).await;
        assert_eq!(left(store, key).await, Some(expected), "{count} of epoch {epoch}");
    }
    release(store, missing, 2, 5).await;
    assert_eq!(left(store, missing).await, None);
    let both = [Release { key: missing, epoch: 2, count: 1 }, Release { key, epoch: 2, count: 2 }];
    store.release(SHARD, &both).await.expect("answered");
    assert_eq!(left(store, key).await, Some(6));
}

pub(crate) async fn installs(store: &impl StockStore) {
    let key = key(1, 0);
    let run = stock(store, key, 5, 10).await;
    let other = Run(format!("{}x", run.0));
    for (run, epoch, expected, left_then) in [
        (&other, 6, Installed::OtherRun, 10),
        (&run, 4, Installed::NotNewer, 10),
        (&run, 5, Installed::NotNewer, 10),
        (&run, 6, Installed::Done, 77),
        (&run, 6, Installed::NotNewer, 77),
    ] {
        assert_eq!(install(store, run, key, epoch, 77).await, expected, "epoch {epoch}");
        assert_eq!(left(store, key).await, Some(left_then), "epoch {epoch}");
    }
    release(store, key, 5, 1).await;
    assert_eq!(left(store, key).await, Some(77), "units of an epoch that is over");
}

pub(crate) async fn bounds(store: &impl StockStore) {
    let (key, max) = (key(u32::MAX, u16::MAX), (1 << 53) - 1);
    let run = stock(store, key, max, max).await;
    assert_eq!(deduct(store, key, u32::MAX).await, granted(max, u32::MAX));
    assert_eq!(left(store, key).await, Some(max - u64::from(u32::MAX)));
    release(store, key, max, u32::MAX).await;
    assert_eq!(left(store, key).await, Some(max));
    for (epoch, count) in [(max + 1, 1), (1, max + 1), (u64::MAX, u64::MAX)] {
        let refused = store.install(SHARD, &run, &[Install { key, epoch, count }]).await;
        assert!(matches!(&refused, Err(StoreError::Refused(what)) if what.contains("2^53")), "{refused:?}");
    }
    let refused = store.release(SHARD, &[Release { key, epoch: max, count: 1 }]).await;
    assert!(matches!(&refused, Err(StoreError::Refused(what)) if what.contains("2^53")), "{refused:?}");
    assert_eq!(left(store, key).await, Some(max), "an error leaves nothing behind");
}

pub(crate) async fn large_groups(store: &impl StockStore) {
    let stocked = key(1, 0);
    stock(store, stocked, 1, 5).await;
    let largest: Vec<Want> = (0..1000).map(|index| want(key(1, index), 1)).collect();
    let answers = store.deduct(SHARD, &largest).await.expect("answered");
    assert_eq!((answers.len(), answers[0]), (1000, granted(1, 1)));
    let larger: Vec<Want> = (0..1001).map(|index| want(key(1, index), 1)).collect();
    let refused = store.deduct(SHARD, &larger).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(left(store, stocked).await, Some(4));
}

#[tokio::test(start_paused = true)]
async fn the_model_of_a_shard_does_the_same() {
    deductions(&model()).await;
    groups(&model()).await;
    releases(&model()).await;
    installs(&model()).await;
    bounds(&model()).await;
    large_groups(&model()).await;
}
