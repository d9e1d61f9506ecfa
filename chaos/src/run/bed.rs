//! What is broken: servers, proxies with links of their own, and clients with links of their own.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use scrip_client::{Client, ClientConfig};
use scrip_shard_config::Topology;
use toml::Table;

use super::consumer::Consumer;
use super::fault::{Party, Which, Wire};
use super::schedule::Size;
use super::{Error, RunSpec};
use crate::testbed::{CALLER, Link, ProxyLinks, ProxyProcess, ProxySpec, RedisServer, Testbed, TestbedSpec};

const EVERYTHING_ON: &str = r#"
[events]
enabled = true
retention = "10min"
[patrol]
enabled = true
round_interval = "500ms"
remind_before = ["1s"]
archive_directory = "archive"
archive_after = "2s"
archive_rows = 20
"#;

/// A deployment in which any two parties can be cut off from each other.
#[derive(Debug)]
pub struct Bed {
    pub(super) testbed: Arc<Testbed>,
    pub(super) topology: Topology,
    pub(super) proxies: Vec<ProxyProcess>,
    /// Of each proxy.
    links: Vec<ProxyLinks>,
    /// Of each client, to each proxy.
    fronts: Vec<Vec<Link>>,
    /// Reads all events.
    pub(super) consumer: Consumer,
    /// Replicas of shards, kept from one fault to the next.
    replicas: Mutex<HashMap<usize, RedisServer>>,
}

impl Bed {
    /// Starts everything.
    ///
    /// # Errors
    /// When something does not start; then nothing is left.
    pub async fn start(spec: &RunSpec) -> Result<Self, Error> {
        let testbed_spec = TestbedSpec {
            database_server: spec.database_server.clone(),
            redis_server: spec.redis_server.clone(),
            small_disks: vec![spec.primaries - 1],
            ..TestbedSpec::new(spec.primaries, spec.shards)
        };
        let testbed = Arc::new(Testbed::start(testbed_spec).await?);
        testbed.migrate(&ProxySpec::new("migrate")).await?;
        let config = with_everything_on(&spec.proxy_config)?;
        let folder = testbed.archive_folder();
        fs::create_dir(&folder).map_err(|source| Error::Write { path: folder, source })?;
        let (mut proxies, mut links) = (Vec::new(), Vec::new());
        for number in 0..spec.proxies {
            let proxy_spec = ProxySpec::new(format!("proxy-{number}")).with_config(&config);
            let (proxy, its_links) = testbed.start_proxy_with_links(&proxy_spec).await?;
            proxies.push(proxy);
            links.push(its_links);
        }
        let front = |proxy: &ProxyProcess| Link::start(proxy.address());
        let fronts = (0..spec.clients).map(|_| proxies.iter().map(front).collect()).collect::<Result<_, _>>()?;
        let topology = Topology::load(testbed.topology_path()?)?;
        let consumer = Consumer::start(&testbed, &topology)?;
        Ok(Self { testbed, topology, proxies, links, fronts, consumer, replicas: Mutex::default() })
    }

    pub(super) fn size(&self) -> Size {
        Size {
            primaries: self.testbed.primaries().len(),
            shards: self.testbed.shards().len(),
            proxies: self.proxies.len(),
            clients: self.fronts.len(),
        }
    }

    /// A client over its own links.
    pub(super) async fn client(&self, number: usize, spec: &RunSpec, resends: bool) -> Result<Client, Error> {
        let addresses = self.fronts[number].iter().map(|link| link.address().to_string());
        let mut config = self.config(addresses.collect())?;
        config.deadline = spec.deadline;
        if !resends {
            config.retry.attempts_max = 1;
        }
        Ok(Client::connect(config).await?)
    }

    /// A patient client that goes straight to the proxies.
    pub(super) async fn direct_client(&self) -> Result<Client, Error> {
        let mut config = self.config(self.proxies.iter().map(|proxy| proxy.address().to_string()).collect())?;
        config.deadline = std::time::Duration::from_secs(5);
        Ok(Client::connect(config).await?)
    }

    fn config(&self, addresses: Vec<String>) -> Result<ClientConfig, Error> {
        Ok(ClientConfig::new(addresses, CALLER, self.testbed.caller_token()?.expose()))
    }

    /// All links that a wire names.
    pub(super) fn links(&self, wire: Wire) -> Vec<&Link> {
        let proxies: Vec<usize> = numbers(wire.proxy, self.proxies.len());
        match wire.party {
            Party::Primary(primary) => proxies.iter().map(|&proxy| &self.links[proxy].primaries[primary]).collect(),
            Party::Shard(shard) => proxies.iter().map(|&proxy| &self.links[proxy].shards[shard]).collect(),
            Party::Client(client) => {
                let clients = numbers(client, self.fronts.len());
                clients
                    .iter()
                    .flat_map(|&client| proxies.iter().map(move |&proxy| &self.fronts[client][proxy]))
                    .collect()
            }
        }
    }

    /// Every link there is.
    pub(super) fn all_links(&self) -> impl Iterator<Item = &Link> {
        let backends = self.links.iter().flat_map(|links| links.primaries.iter().chain(&links.shards));
        backends.chain(self.fronts.iter().flatten())
    }

    /// A replica of the shard with a full copy.
    pub(super) async fn replica_of(&self, shard: usize) -> Result<RedisServer, Error> {
        let known = self.replicas.lock().get(&shard).cloned();
        if let Some(replica) = known {
            if !replica.is_running() {
                replica.restart(crate::testbed::RestartWith::Empty).await?;
            }
            replica.replicate(self.testbed.shard(shard)).await?;
            return Ok(replica);
        }
        let replica = self.testbed.start_replica_of(shard).await?;
        self.replicas.lock().insert(shard, replica.clone());
        Ok(replica)
    }

    /// The logs of proxies and servers, each with a name for a copy.
    pub(super) fn logs(&self) -> Vec<(String, PathBuf)> {
        let name = |of: &str| format!("{of}.log");
        let proxies = self.proxies.iter().map(|proxy| (name(proxy.name()), proxy.log_path().to_owned()));
        let primaries = self.testbed.primaries().iter().map(|p| (name(p.name()), p.log_path().to_owned()));
        let shards = self.testbed.shards().iter().map(|s| (name(s.name()), s.log_path().to_owned()));
        proxies.chain(primaries).chain(shards).collect()
    }

    /// The most memory that each running proxy has had, in KiB.
    pub(super) fn proxy_memory_kib(&self) -> Vec<u64> {
        let peak = |proxy: &ProxyProcess| proxy.pid().map_or(0, |pid| status_kib(pid, "VmHWM:"));
        self.proxies.iter().map(peak).collect()
    }
}

/// What is asked for, with events and a patrol in a hurry where nothing is said of them.
fn with_everything_on(config: &str) -> Result<String, Error> {
    let mut config: Table = config.parse().map_err(Error::ProxyConfig)?;
    let basis: Table = EVERYTHING_ON.parse().map_err(Error::ProxyConfig)?;
    for (section, values) in basis {
        config.entry(section).or_insert(values);
    }
    Ok(config.to_string())
}

fn numbers(which: Which, count: usize) -> Vec<usize> {
    match which {
        Which::All => (0..count).collect(),
        Which::One(number) => vec![number],
    }
}

/// A line of `/proc/PID/status` that gives KiB; 0 when the process is gone.
pub(super) fn status_kib(pid: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
