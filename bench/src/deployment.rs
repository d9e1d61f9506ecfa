//! Servers, proxies and templates to measure on.

use std::time::{Duration, Instant};

use scrip_chaos::testbed::{
    CALLER, Database, DatabaseSettings, ProxyProcess, ProxySpec, RedisServer, Testbed, TestbedSpec, build_proxy,
    proxy_binary,
};
use scrip_client::{Client, ClientConfig, ConnectionState, TemplateDefinition, TemplateId, Validity, mint_request_id};
use scrip_shard_config::Topology;
use tokio::task::JoinSet;

use crate::Error;
use crate::quotes;
use crate::screen::Screen;
use crate::spec::{BedSpec, CallerSpec};
use crate::usage::{Tiers, open_files_max};
use crate::workload::Kind;

/// Coupons of a template that one user may hold.
const PER_USER_LIMIT: u32 = 1;
const VALID_S: u64 = 30 * 24 * 3600;
/// The SDK allows no client more to one proxy.
const CLIENT_CONNECTIONS_MAX: usize = 64;
/// How long connections may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// Open files besides connections of callers: connections to backends, logs, pipes.
const OPEN_FILES_BESIDE: u64 = 500;
/// Templates that are made at once: each touches every primary.
const PUBLISH_AT_ONCE: usize = 32;

/// Everything that runs.
pub(crate) struct Deployment {
    pub(crate) testbed: Testbed,
    pub(crate) topology: Topology,
    pub(crate) proxies: Vec<ProxyProcess>,
    pub(crate) settings: DatabaseSettings,
}

impl Deployment {
    /// Starts it all, the proxy's program built first if need be.
    pub(crate) async fn start(spec: &BedSpec, screen: Screen) -> Result<Self, Error> {
        build(screen)?;
        let started = Instant::now();
        let settings = settings(spec);
        let testbed = Testbed::start(TestbedSpec {
            database_server: spec.database_server.clone(),
            database: settings.clone(),
            ..TestbedSpec::new(spec.primaries, spec.shards)
        });
        let testbed = testbed.await?;
        testbed.migrate(&ProxySpec::new("migrate")).await?;
        let mut proxies = Vec::new();
        for number in 1..=spec.proxies {
            let proxy = ProxySpec::new(format!("proxy-{number}")).with_config(spec.proxy_config.clone());
            proxies.push(testbed.start_proxy(&proxy).await?);
        }
        let topology = Topology::load(testbed.topology_path()?)?;
        screen.say(&format!(
            "{} primaries (buffer pool {} MiB, redo {} MiB, durability {:?}, binlog {}), {} shards, {} proxies: up in {:.1} s",
            spec.primaries,
            settings.buffer_pool_mib,
            settings.redo_mib,
            settings.durability,
            if settings.binlog { "on" } else { "off" },
            spec.shards,
            spec.proxies,
            started.elapsed().as_secs_f64()
        ));
        Ok(Self { testbed, topology, proxies, settings })
    }

    /// Clients with so many connections to each proxy in all, every one of them made.
    pub(crate) async fn connect(&self, spec: &CallerSpec) -> Result<Vec<Client>, Error> {
        let addresses: Vec<String> = self.proxies.iter().map(|proxy| proxy.address().to_string()).collect();
        check_open_files(spec.connections * self.proxies.len())?;
        let mut clients = Vec::new();
        let mut left = spec.connections;
        let count = spec.connections.div_ceil(CLIENT_CONNECTIONS_MAX);
        for index in 0..count {
            let mut config = ClientConfig::new(addresses.clone(), CALLER, self.testbed.caller_token()?.expose());
            config.connections_per_proxy = left.div_ceil(count - index);
            left -= config.connections_per_proxy;
            config.deadline = spec.deadline;
            config.handshake_deadline = CONNECT_MAX;
            config.connect_deadline = CONNECT_MAX;
            let client = Client::connect(config).await?;
            wait_for_all(&client).await?;
            clients.push(client);
        }
        Ok(clients)
    }

    /// So many new templates of this kind of load, published.
    pub(crate) async fn publish(&self, client: &Client, kind: Kind, count: usize) -> Result<Vec<TemplateId>, Error> {
        let mut templates = Vec::new();
        let (mut tasks, mut number) = (JoinSet::new(), 0);
        while templates.len() < count {
            while number < count && tasks.len() < PUBLISH_AT_ONCE {
                tasks.spawn(publish_one(client.clone(), kind, number));
                number += 1;
            }
            if let Some(template) = tasks.join_next().await {
                templates.push(template??);
            }
        }
        templates.sort_unstable();
        Ok(templates)
    }

    /// The processes of each tier.
    pub(crate) fn tiers(&self) -> Tiers {
        Tiers {
            proxies: self.proxies.iter().filter_map(ProxyProcess::pid).collect(),
            redis: self.testbed.shards().iter().filter_map(RedisServer::pid).collect(),
            mysql: self.testbed.primaries().iter().filter_map(Database::pid).collect(),
        }
    }
}

/// A connection is an open file here and one in the proxy.
fn check_open_files(connections: usize) -> Result<(), Error> {
    let (needed, limit) = (connections as u64 + OPEN_FILES_BESIDE, open_files_max()?);
    if needed <= limit {
        return Ok(());
    }
    Err(Error::Arguments(format!(
        "{connections} connections need {needed} open files here and in the proxy, and {limit} are allowed: \
         raise the limit with `ulimit -n {needed}`"
    )))
}

async fn publish_one(client: Client, kind: Kind, number: usize) -> Result<TemplateId, Error> {
    let mut definition = TemplateDefinition::new(
        format!("bench {number}"),
        kind.stock(),
        PER_USER_LIMIT,
        Validity::Relative { starts_after_s: 0, lasts_s: VALID_S },
    );
    if kind == Kind::Quote {
        definition.rules = quotes::rules(number);
    }
    let template = client.create_template(mint_request_id(), definition).await?.template;
    client.publish(template).await?;
    Ok(template)
}

/// A client serves as soon as one of its connections does: a bench of many connections needs them all.
async fn wait_for_all(client: &Client) -> Result<(), Error> {
    let started = Instant::now();
    loop {
        let health = client.health();
        let Some(missing) = health.iter().find(|connection| connection.state != ConnectionState::Ready) else {
            return Ok(());
        };
        if started.elapsed() > CONNECT_MAX {
            let (ready, state) = (health.len(), &missing.state);
            let what = format!("not all of {ready} connections to {} could be made: {state:?}", missing.proxy);
            return Err(Error::Arguments(what));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn build(screen: Screen) -> Result<(), Error> {
    if proxy_binary().is_none() {
        screen.say("scrip-proxy is not built yet: cargo builds it now, which takes a while");
    }
    Ok(build_proxy()?)
}

fn settings(spec: &BedSpec) -> DatabaseSettings {
    DatabaseSettings {
        buffer_pool_mib: spec.buffer_pool_mib,
        redo_mib: spec.redo_mib,
        max_connections: 1_000,
        ..DatabaseSettings::default()
    }
}
