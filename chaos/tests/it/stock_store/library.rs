//! The function library is loaded when it is missing or older, and only then.

use scrip_proxy::store::{Deducted, Install, Release, Run, StockStore, StoreError};

use super::{PATIENT, SHARD, connect, deduct, granted, key, left, one_shard, release, stock, testbed, want};

pub(super) const SOURCE: &str = include_str!("../../../../proxy/src/store/redis/scrip.lua");

fn version(version: u64) -> String {
    let line = SOURCE.lines().find(|line| line.starts_with("local VERSION = ")).expect("a version");
    SOURCE.replace(line, &format!("local VERSION = {version}"))
}

#[tokio::test]
async fn a_second_proxy_does_not_load_it_again() {
    let (testbed, first) = one_shard().await;
    let key = key(1, 0);
    let run = stock(&first, key, 1, 10).await;
    let second = connect(&testbed, PATIENT).await;
    assert_eq!(second.run(SHARD).await, Ok(run));
    assert_eq!(deduct(&second, key, 3).await, granted(1, 3));
    assert_eq!(deduct(&first, key, 3).await, granted(1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_find_it_missing_load_it_once() {
    let testbed = testbed(1).await;
    for _ in 0..20 {
        testbed.shard(0).command("FUNCTION", &["FLUSH", "SYNC"]).await.expect("flushed");
        testbed.shard(0).command("CONFIG", &["RESETSTAT"]).await.expect("reset");
        let (one, two) = (connect(&testbed, PATIENT).await, connect(&testbed, PATIENT).await);
        let wants = [want(key(1, 0), 1)];
        let (a, b, c, d) =
            tokio::join!(one.run(SHARD), two.run(SHARD), one.deduct(SHARD, &wants), two.deduct(SHARD, &wants));
        assert!(a.is_ok() && a == b, "{a:?} {b:?}");
        assert_eq!([c, d], [Ok(vec![Deducted::Stale]), Ok(vec![Deducted::Stale])]);
        let stats = testbed.shard(0).command("INFO", &["commandstats"]).await.expect("answered");
        let loads = stats.lines().find(|line| line.starts_with("cmdstat_function|load:")).expect("loaded");
        let number = |name: &str| -> u64 {
            let value = loads.split([':', ',']).find_map(|part| part.strip_prefix(name));
            value.and_then(|value| value.trim().parse().ok()).expect("a number")
        };
        assert_eq!(number("calls=") - number("failed_calls="), 1, "{loads}");
    }
}

#[tokio::test]
async fn an_older_one_is_replaced_and_a_newer_one_refused() {
    let (testbed, store) = one_shard().await;
    let (server, key) = (testbed.shard(0), key(1, 0));
    server.command("FUNCTION", &["LOAD", &version(0)]).await.expect("loaded");
    let run = stock(&store, key, 1, 10).await;
    assert_eq!(store.run(SHARD).await, Ok(run), "replaced once");
    server.command("FUNCTION", &["LOAD", "REPLACE", &version(99)]).await.expect("loaded");
    for _ in 0..2 {
        let refused = store.run(SHARD).await;
        assert!(matches!(&refused, Err(StoreError::Refused(what)) if what.contains("version 99")), "{refused:?}");
    }
    assert_eq!(deduct(&store, key, 1).await, Deducted::Stale, "served as long as the function is there");
}

#[tokio::test]
async fn where_it_is_missing_each_call_does_what_is_safe() {
    let (testbed, store) = one_shard().await;
    let key = key(1, 0);
    let flush = || async { testbed.shard(0).command("FUNCTION", &["FLUSH", "SYNC"]).await.expect("flushed") };
    let run = stock(&store, key, 1, 10).await;
    flush().await;
    release(&store, key, 1, 1).await;
    assert_eq!(left(&store, key).await, None);
    let refused = store.install(SHARD, &run, &[Install { key, epoch: 2, count: 1 }]).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(deduct(&store, key, 1).await, Deducted::Stale, "loaded on the way");
    flush().await;
    assert_ne!(store.run(SHARD).await, Ok(run), "loaded again, and another run");
}

#[tokio::test]
async fn its_arguments_are_checked() {
    let (testbed, store) = one_shard().await;
    let Run(run) = stock(&store, key(1, 0), 1, 10).await;
    for (arguments, complaint) in [
        (&["scrip_run", "0"][..], "one salt"),
        (&["scrip_run", "0", "not hexadecimal"], "one salt"),
        (&["scrip_run", "1", "k", "ab"], "no key"),
        (&["scrip_deduct", "0"], "1 to 1000 keys"),
        (&["scrip_deduct", "1", "k"], "1 arguments for 1 keys, not 0"),
        (&["scrip_deduct", "1", "k", "1", "1"], "not 2"),
        (&["scrip_deduct", "1", "stock:1:00", "-1"], "argument 1 is not a whole number"),
        (&["scrip_deduct", "1", "stock:1:00", "1.5"], "argument 1 is not a whole number"),
        (&["scrip_deduct", "2", "stock:1:00", "k", "1", "1e3"], "argument 2 is not a whole number"),
        (&["scrip_deduct", "1", "stock:1:00", ""], "argument 1 is not a whole number"),
        (&["scrip_deduct", "1", "stock:1:00", "0x10"], "argument 1 is not a whole number"),
        (&["scrip_release", "1", "stock:1:00", "1"], "2 arguments for 1 keys, not 1"),
        (&["scrip_release", "1", "stock:1:00", "1", " 1"], "argument 2 is not a whole number"),
        (&["scrip_install", "1", "stock:1:00", "1", "1"], "3 arguments for 1 keys, not 2"),
        (&["scrip_install", "1", "stock:1:00", &run, "2", "99999999999999999"], "argument 3 is not a whole number"),
        (&["scrip_remaining", "1", "stock:1:00", "1"], "0 arguments for 1 keys, not 1"),
    ] {
        let answer = testbed.shard(0).command("FCALL", arguments).await.expect_err("refused").to_string();
        assert!(answer.contains(complaint), "{arguments:?}: {answer}");
    }
    let units = [Release { key: key(1, 0), epoch: 1, count: 1 }];
    store.release(SHARD, &units).await.expect("answered");
    assert_eq!(left(&store, key(1, 0)).await, Some(11), "nothing of it left a trace");
}
