//! A release and an install are carried out at most once, wherever the connection is cut, and the answer is honest.

use std::time::Duration;

use scrip_chaos::testbed::{RedisServer, Testbed};
use scrip_proxy::store::redis::{RedisStockStore, Timeouts};
use scrip_proxy::store::{Deducted, Install, Installed, Release, Run, StockKey, StockStore, StoreError};

use super::tap::{Cut, Tap};
use super::{PATIENT, SHARD, connect_to, deduct, granted, key, left, stock, testbed};

const LIMIT: Duration = Duration::from_millis(300);
const TIMEOUTS: Timeouts = Timeouts { call: LIMIT, ..PATIENT };
const ROUNDS: usize = 8;

struct Bench {
    testbed: Testbed,
    tap: Tap,
    store: RedisStockStore,
}

impl Bench {
    async fn start() -> Self {
        let testbed = testbed(1).await;
        let tap = Tap::start(testbed.shard(0).address(), LIMIT * 2).await;
        let store = connect_to(vec![tap.address()], testbed.shard(0).password().expose(), TIMEOUTS).await;
        Self { testbed, tap, store }
    }

    fn server(&self) -> &RedisServer {
        self.testbed.shard(0)
    }

    async fn forget_calls(&self) {
        self.server().command("CONFIG", &["RESETSTAT"]).await.expect("reset");
    }

    /// Functions that the server carried out since.
    async fn calls(&self) -> u64 {
        let stats = self.server().command("INFO", &["commandstats"]).await.expect("answered");
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_fcall:calls="));
        line.map_or(0, |line| line.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number"))
    }

    /// Until the store answers again: whatever it had queued before is then written or dropped.
    async fn recover(&self, key: StockKey) -> u64 {
        let answers = async {
            loop {
                if let Ok(left) = self.store.remaining(SHARD, &[key]).await {
                    return left[0].expect("living");
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), answers).await.expect("recovered")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_carried_out_at_most_once() {
    let bench = Bench::start().await;
    let key = key(1, 0);
    stock(&bench.store, key, 1, 1_000_000).await;
    let mut expected = 1_000_000;
    for cut in [Cut::ALL; ROUNDS].into_iter().flatten() {
        assert_eq!(deduct(&bench.store, key, 100).await, granted(1, 100));
        expected -= 100;
        bench.forget_calls().await;
        bench.tap.arm(cut, "scrip_release");
        let answer = bench.store.release(SHARD, &[Release { key, epoch: 1, count: 100 }]).await;
        assert!(matches!(answer, Err(StoreError::Unknown(_))), "{cut:?}: {answer:?}");
        assert!(!bench.tap.is_armed(), "{cut:?}");
        // Counted by its effect first, while nothing else was called.
        let calls = bench.calls().await;
        let left = bench.recover(key).await;
        let executions = (left - expected) / 100;
        assert!(cut.executions().contains(&executions), "{cut:?}: carried out {executions} times");
        assert!(calls <= executions, "{cut:?}: {calls} calls, {executions} effects");
        expected = left;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_is_carried_out_at_most_once() {
    let bench = Bench::start().await;
    let (key, other) = (key(1, 0), key(1, 1));
    let run = stock(&bench.store, other, 1, 1).await;
    for (epoch, cut) in (1..).zip([Cut::ALL; ROUNDS].into_iter().flatten()) {
        bench.forget_calls().await;
        bench.tap.arm(cut, "scrip_install");
        let answer = bench.store.install(SHARD, &run, &[Install { key, epoch, count: 5 }]).await;
        assert!(matches!(answer, Err(StoreError::Unknown(_))), "{cut:?}: {answer:?}");
        settled(&bench, cut).await;
        // A second copy would bring a key back that vanished after the first one.
        bench.server().command("DEL", &["stock:1:00"]).await.expect("deleted");
        let before = bench.calls().await;
        bench.recover(other).await;
        assert!(bench.calls().await > before);
        assert_eq!(left(&bench.store, key).await, None, "{cut:?}: installed again");
    }
}

/// What the server did of the first copy, it has done.
async fn settled(bench: &Bench, cut: Cut) {
    if cut == Cut::Sent {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let calls = bench.calls().await;
    assert!(cut.executions().contains(&calls), "{cut:?}: {calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_while_the_connection_goes_is_sent_once_or_never() {
    let bench = Bench::start().await;
    let key = key(1, 0);
    stock(&bench.store, key, 1, 1000).await;
    let mut expected = 1000;
    for round in 0..30 {
        bench.tap.point_to(Some(bench.server().address()));
        tokio::time::sleep(Duration::from_micros(round * 100)).await;
        let answer = bench.store.release(SHARD, &[Release { key, epoch: 1, count: 1 }]).await;
        let left = bench.recover(key).await;
        match (&answer, left - expected) {
            (Ok(()), 1) | (Err(StoreError::Unreachable(_)), 0) | (Err(StoreError::Unknown(_)), 0 | 1) => {}
            (answer, executions) => panic!("{answer:?}, carried out {executions} times"),
        }
        expected = left;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_after_its_time_limit() {
    let bench = Bench::start().await;
    let key = key(1, 0);
    let run = stock(&bench.store, key, 1, 1000).await;
    for patience in [Duration::from_micros(1), Duration::from_millis(5), LIMIT * 2] {
        bench.tap.point_to(None);
        bench.forget_calls().await;
        // Callers that leave at once or later, from before the loss is noticed until well after it.
        for _ in 0..20 {
            let gave_up = send_both(&bench.store, &run, key);
            drop(tokio::time::timeout(patience.min(Duration::from_millis(20)), gave_up).await);
        }
        tokio::time::sleep(LIMIT * 2).await;
        bench.tap.point_to(Some(bench.server().address()));
        let before = bench.recover(key).await;
        assert_eq!(before, 1000);
        assert_eq!(bench.calls().await, 1, "only the one that asked what is left");
    }
}

async fn send_both(store: &RedisStockStore, run: &Run, key: StockKey) {
    let released = store.release(SHARD, &[Release { key, epoch: 1, count: 1 }]).await;
    assert!(!matches!(released, Err(StoreError::Refused(_))), "{released:?}");
    let installed = store.install(SHARD, run, &[Install { key, epoch: 9, count: 1 }]).await;
    assert!(!matches!(installed, Err(StoreError::Refused(_))), "{installed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deduction_that_was_cut_costs_units_and_no_more() {
    let bench = Bench::start().await;
    let key = key(1, 0);
    let run = stock(&bench.store, key, 1, 100).await;
    bench.tap.arm(Cut::Answered, "scrip_deduct");
    let wants = [super::want(key, 30)];
    let answer = bench.store.deduct(SHARD, &wants).await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    assert_eq!(bench.recover(key).await, 70);
    let again = bench.store.install(SHARD, &run, &[Install { key, epoch: 2, count: 100 }]).await;
    assert_eq!(again, Ok(vec![Installed::Done]));
    assert_eq!(deduct(&bench.store, key, 200).await, Deducted::Granted { epoch: 2, count: 100 });
}
