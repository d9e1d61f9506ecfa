//! Stock left on each shard, read from Redis while the rush goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use scrip_client::Template;
use scrip_shard_config::{SubStock, Topology, stock_key};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::testbed::{RedisServer, Testbed};

const EVERY: Duration = Duration::from_millis(250);

/// The latest reading. The shards are asked until it is dropped.
#[derive(Debug)]
pub(super) struct Gauge {
    left: Arc<Mutex<Vec<Option<u64>>>>,
    _reading: AbortOnDropHandle<()>,
}

impl Gauge {
    pub(super) fn start(testbed: &Testbed, topology: &Topology, template: &Template) -> Self {
        let shards = keys_by_shard(topology, template);
        let servers: Vec<(RedisServer, Vec<String>)> = testbed.shards().iter().cloned().zip(shards).collect();
        let left = Arc::new(Mutex::new(vec![None; servers.len()]));
        let reading = tokio::spawn(read_for_ever(servers, Arc::clone(&left)));
        Self { left, _reading: AbortOnDropHandle::new(reading) }
    }

    /// Units left on each shard; `None` where a key is stale, or the shard does not answer.
    pub(super) fn left(&self) -> Vec<Option<u64>> {
        self.left.lock().clone()
    }
}

fn keys_by_shard(topology: &Topology, template: &Template) -> Vec<Vec<String>> {
    let mut keys: BTreeMap<_, Vec<String>> = topology.shards.iter().map(|shard| (shard.id, Vec::new())).collect();
    for suffix in template.sub_stocks.iter().filter_map(|suffix| u16::try_from(*suffix).ok()) {
        let key = stock_key(template.template.get(), SubStock(suffix));
        keys.entry(topology.shard_of_key(&key)).or_default().push(key);
    }
    keys.into_values().collect()
}

async fn read_for_ever(servers: Vec<(RedisServer, Vec<String>)>, left: Arc<Mutex<Vec<Option<u64>>>>) {
    loop {
        let mut readings = JoinSet::new();
        for (index, (server, keys)) in servers.iter().cloned().enumerate() {
            readings.spawn(async move { (index, read(&server, &keys).await) });
        }
        while let Some(reading) = readings.join_next().await {
            if let Ok((index, reading)) = reading {
                left.lock()[index] = reading;
            }
        }
        sleep(EVERY).await;
    }
}

async fn read(server: &RedisServer, keys: &[String]) -> Option<u64> {
    let count = keys.len().to_string();
    let arguments: Vec<&str> =
        ["scrip_remaining", count.as_str()].into_iter().chain(keys.iter().map(String::as_str)).collect();
    let answer = server.command("FCALL_RO", &arguments).await.ok()?;
    answer.lines().map(|line| line.parse::<u64>().ok()).sum()
}
