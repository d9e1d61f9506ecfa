//! The stock store of the proxy, through its trait, on real Redis servers.

mod at_most_once;
mod frozen;
mod library;
mod protocol;
mod stale;
mod tap;
mod templates;

use std::path::Path;
use std::time::Duration;

use scrip_chaos::testbed::{RedisServer, Testbed, TestbedSpec};
use scrip_protocol::TemplateId;
use scrip_proxy::store::redis::{RedisStockStore, Timeouts};
use scrip_proxy::store::{Deducted, Install, Installed, Release, Run, StockKey, StockStore, Want};
use scrip_shard_config::{Address, Local, SecretRef, ShardId, StockSpec, SubStock, Topology, local};

pub(crate) const SHARD: ShardId = ShardId(0);

/// Long enough for a busy machine, where a test is not about time limits.
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    deduct: Duration::from_secs(5),
    call: Duration::from_secs(5),
    cache: Duration::from_secs(5),
    unacknowledged: Duration::from_secs(5),
};

async fn testbed(shards: u16) -> Testbed {
    Testbed::start(TestbedSpec::new(0, shards)).await.expect("started")
}

fn address(server: &RedisServer) -> Address {
    server.address().to_string().parse().expect("an address")
}

/// A topology of these shards, all with one password; its only primary is never spoken to.
fn topology(shards: Vec<Address>, password: &str) -> Topology {
    let spec = Local {
        version: 1,
        primaries: vec!["127.0.0.1:1".parse().expect("an address")],
        shards,
        database: String::from("scrip"),
        user: String::from("scrip"),
        password: None,
        shard_password: Some(SecretRef::Env(String::from("PASSWORD"))),
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    };
    Topology::parse(&local(&spec), Path::new("/"), &|_| Some(password.to_owned())).expect("a topology")
}

async fn connect_to(shards: Vec<Address>, password: &str, timeouts: Timeouts) -> RedisStockStore {
    RedisStockStore::connect(&topology(shards, password), timeouts).await.expect("a store")
}

async fn connect(testbed: &Testbed, timeouts: Timeouts) -> RedisStockStore {
    let shards = testbed.shards().iter().map(address).collect();
    connect_to(shards, testbed.shard(0).password().expose(), timeouts).await
}

/// One shard and a store on it.
async fn one_shard() -> (Testbed, RedisStockStore) {
    let testbed = testbed(1).await;
    let store = connect(&testbed, PATIENT).await;
    (testbed, store)
}

pub(crate) fn key(template: u32, sub_stock: u16) -> StockKey {
    StockKey { template: TemplateId::try_new(template).expect("not 0"), sub_stock: SubStock(sub_stock) }
}

pub(crate) fn want(key: StockKey, count: u32) -> Want {
    Want { key, count }
}

pub(crate) fn granted(epoch: u64, count: u32) -> Deducted {
    Deducted::Granted { epoch, count }
}

async fn deduct(store: &RedisStockStore, key: StockKey, count: u32) -> Deducted {
    let answers = store.deduct(SHARD, &[want(key, count)]).await.expect("answered");
    assert_eq!(answers.len(), 1);
    answers[0]
}

async fn install_under(store: &RedisStockStore, run: &Run, key: StockKey, epoch: u64, count: u64) -> Installed {
    let answers = store.install(SHARD, run, &[Install { key, epoch, count }]).await.expect("answered");
    assert_eq!(answers.len(), 1);
    answers[0]
}

/// Installs under the shard's run, and returns it.
async fn stock(store: &RedisStockStore, key: StockKey, epoch: u64, count: u64) -> Run {
    let run = store.run(SHARD).await.expect("a run");
    assert_eq!(install_under(store, &run, key, epoch, count).await, Installed::Done);
    run
}

async fn release(store: &RedisStockStore, key: StockKey, epoch: u64, count: u32) {
    store.release(SHARD, &[Release { key, epoch, count }]).await.expect("answered");
}

async fn left(store: &RedisStockStore, key: StockKey) -> Option<u64> {
    store.remaining(SHARD, &[key]).await.expect("answered")[0]
}
