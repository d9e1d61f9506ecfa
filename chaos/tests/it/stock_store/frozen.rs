//! A shard that is frozen, dead or misconfigured hurts only itself, and serves again at once.

use std::time::{Duration, Instant};

use scrip_chaos::testbed::{RestartWith, Testbed};
use scrip_proxy::store::redis::{RedisStockStore, Timeouts};
use scrip_proxy::store::{Deducted, StockStore, StoreError};
use scrip_shard_config::ShardId;

use super::{PATIENT, SHARD, address, connect, connect_to, key, testbed, want};

/// Over a time limit, on a busy machine.
const SLACK: Duration = Duration::from_millis(350);

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    (work.await, start.elapsed())
}

async fn deduct(store: &RedisStockStore, shard: ShardId) -> Result<Vec<Deducted>, StoreError> {
    store.deduct(shard, &[want(key(1, 0), 1)]).await
}

async fn the_others_answer(store: &RedisStockStore, testbed: &Testbed) {
    for shard in 1..testbed.shards().len() {
        let shard = ShardId(u16::try_from(shard).expect("few"));
        assert_eq!(deduct(store, shard).await, Ok(vec![Deducted::Stale]));
    }
}

async fn answers_within(store: &RedisStockStore, limit: Duration) {
    let answers = async {
        while deduct(store, SHARD).await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(limit, answers).await.expect("serves again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_shard_costs_its_callers_the_time_limit_and_nobody_else() {
    let testbed = testbed(3).await;
    let timeouts = Timeouts { deduct: Duration::from_millis(150), call: Duration::from_millis(200), ..PATIENT };
    let store = connect(&testbed, timeouts).await;
    deduct(&store, SHARD).await.expect("answered");
    the_others_answer(&store, &testbed).await;
    for frozen in [Duration::from_millis(500), Duration::from_millis(2500)] {
        testbed.shard(0).pause().expect("frozen");
        let start = Instant::now();
        while start.elapsed() < frozen {
            let ((answer, took), ()) = tokio::join!(timed(deduct(&store, SHARD)), the_others_answer(&store, &testbed));
            assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
            assert!(took < timeouts.deduct + SLACK, "{took:?}");
        }
        let (run, took) = timed(store.run(SHARD)).await;
        assert!(matches!(run, Err(StoreError::Unknown(_))) && took < timeouts.call + SLACK, "{run:?} {took:?}");
        testbed.shard(0).resume().expect("resumed");
        answers_within(&store, Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_shard_is_unreachable_at_once_and_serves_when_it_is_back() {
    let testbed = testbed(2).await;
    let store = connect(&testbed, Timeouts { deduct: Duration::from_millis(300), ..PATIENT }).await;
    for _ in 0..3 {
        testbed.shard(0).kill();
        let noticed = async {
            while !matches!(deduct(&store, SHARD).await, Err(StoreError::Unreachable(_))) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(2), noticed).await.expect("noticed");
        assert!(!store.is_connected(SHARD));
        let (answer, took) = timed(deduct(&store, SHARD)).await;
        let says = "shard s0 (127.0.0.1:";
        assert!(matches!(&answer, Err(StoreError::Unreachable(what)) if what.starts_with(says)), "{answer:?}");
        assert!(took < SLACK, "{took:?}");
        the_others_answer(&store, &testbed).await;
        testbed.shard(0).restart(RestartWith::Data).await.expect("restarted");
        answers_within(&store, Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_is_down_or_frozen_at_start_comes_later() {
    let testbed = testbed(3).await;
    testbed.shard(0).kill();
    testbed.shard(1).pause().expect("frozen");
    let timeouts = Timeouts { connect: Duration::from_millis(300), ..PATIENT };
    let (store, took) = timed(connect(&testbed, timeouts)).await;
    assert!(took < timeouts.connect + SLACK, "{took:?}");
    for shard in [SHARD, ShardId(1)] {
        let answer = deduct(&store, shard).await;
        assert!(matches!(answer, Err(StoreError::Unreachable(_))), "{answer:?}");
    }
    assert_eq!(deduct(&store, ShardId(2)).await, Ok(vec![Deducted::Stale]));
    let answer = deduct(&store, ShardId(3)).await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "not in the topology: {answer:?}");
    testbed.shard(0).restart(RestartWith::Empty).await.expect("restarted");
    answers_within(&store, Duration::from_secs(1)).await;
    testbed.shard(1).resume().expect("resumed");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(deduct(&store, ShardId(1)).await, Ok(vec![Deducted::Stale]));
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let testbed = testbed(1).await;
    let timeouts = Timeouts { connect: Duration::from_millis(300), ..PATIENT };
    let store = connect_to(vec![address(testbed.shard(0))], "a wrong secret", timeouts).await;
    let answer = deduct(&store, SHARD).await;
    assert!(matches!(&answer, Err(StoreError::Unreachable(what)) if what.contains("WRONGPASS")), "{answer:?}");
    let shown = format!("{answer:?} {store:?} {:?} {:?}", store.template_cache(), store.warnings().await);
    assert!(!shown.contains("wrong secret"), "{shown}");
}

#[tokio::test]
async fn an_eviction_policy_is_warned_of() {
    let testbed = testbed(3).await;
    let store = connect(&testbed, PATIENT).await;
    assert_eq!(store.warnings().await, []);
    testbed.shard(1).command("CONFIG", &["SET", "maxmemory-policy", "allkeys-lru"]).await.expect("set");
    testbed.shard(2).command("ACL", &["SETUSER", "default", "-config"]).await.expect("set");
    let warnings = store.warnings().await;
    let about: Vec<_> = warnings.iter().map(|warning| warning.shard).collect();
    assert_eq!(about, [ShardId(1), ShardId(2)]);
    assert!(warnings[0].to_string().contains("allkeys-lru"), "{}", warnings[0]);
    assert!(warnings[1].to_string().contains("could not be read"), "{}", warnings[1]);
}
