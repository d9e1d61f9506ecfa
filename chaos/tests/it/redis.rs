//! What can be done to a Redis server.

use scrip_chaos::testbed::{RedisServer, RestartWith, Testbed, TestbedSpec};

async fn value(redis: &RedisServer) -> String {
    redis.command("GET", &["key"]).await.expect("answered")
}

async fn set(redis: &RedisServer, value: &str) {
    redis.command("SET", &["key", value]).await.expect("set");
}

#[tokio::test]
async fn redis_restarts_with_its_data_an_older_copy_or_nothing() {
    let testbed = Testbed::start(TestbedSpec::new(0, 1)).await.expect("started");
    let redis = testbed.shard(0);
    set(redis, "old").await;
    let snapshot = redis.snapshot().await.expect("saved");
    set(redis, "new").await;

    redis.restart(RestartWith::Data).await.expect("restarted");
    assert_eq!(value(redis).await, "new", "a clean stop saves");
    redis.restart(RestartWith::Snapshot(&snapshot)).await.expect("restarted");
    assert_eq!(value(redis).await, "old");
    redis.kill();
    redis.restart(RestartWith::Data).await.expect("restarted");
    assert_eq!(value(redis).await, "", "a kill saves nothing");
    set(redis, "new").await;
    redis.restart(RestartWith::Empty).await.expect("restarted");
    assert_eq!(value(redis).await, "");
}

#[tokio::test]
async fn redis_fails_over_to_a_replica_and_back() {
    let testbed = Testbed::start(TestbedSpec::new(0, 2).with_links()).await.expect("started");
    let (first, link) = (testbed.shard(1), testbed.shard_link(1));
    set(first, "one").await;
    let second = testbed.start_replica_of(1).await.expect("a replica");
    assert_eq!(value(&second).await, "one");

    second.promote().await.expect("promoted");
    link.retarget(second.address());
    set(&second, "two").await;
    assert_eq!(value(first).await, "one", "the old primary lives on alone");

    first.replicate(&second).await.expect("replicates");
    first.promote().await.expect("promoted");
    link.retarget(first.address());
    assert_eq!(value(first).await, "two");
}

#[tokio::test]
async fn a_paused_redis_is_silent_and_goes_on() {
    let testbed = Testbed::start(TestbedSpec::new(0, 1)).await.expect("started");
    let redis = testbed.shard(0).clone();
    redis.pause().expect("paused");
    let waiting = tokio::spawn({
        let redis = redis.clone();
        async move { value(&redis).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    redis.resume().expect("resumed");
    assert_eq!(waiting.await.expect("no panic"), "");
}
