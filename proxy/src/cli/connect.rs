//! `scrip-proxy check --connect`: asks every backend what it is.

use std::fmt::Write;
use std::sync::Arc;

use scrip_shard_config::{PrimaryId, Topology};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::store::StoreError;
use crate::store::mysql::check::{PrimaryCheck, check_primary};
use crate::store::redis::{ConnectError, RedisStockStore, Timeouts};

/// What the backends said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// A line for each thing found.
    pub text: String,
    /// How many of them keep a proxy from serving as it should. Settings that weaken durability are no problems: they
    /// are choices, and their cost is told.
    pub problems: usize,
}

impl Connected {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn problem(&mut self, line: std::fmt::Arguments<'_>) {
        self.problems += 1;
        self.line(format_args!("PROBLEM    {line}"));
    }
}

/// Asks every primary and every shard, all at once.
///
/// # Errors
/// When a client of Redis could not be made. A backend that does not answer is a problem, not an error.
pub async fn connect(config: &Config, topology: &Arc<Topology>) -> Result<Connected, ConnectError> {
    let mut connected = Connected { text: String::new(), problems: 0 };
    for (id, answer) in ask_primaries(config, topology).await {
        match answer {
            Ok(check) => tell_primary(&mut connected, &check),
            Err(error) => connected.problem(format_args!("{id}: {error}")),
        }
    }
    ask_shards(&mut connected, config, topology).await?;
    Ok(connected)
}

async fn ask_primaries(
    config: &Config,
    topology: &Arc<Topology>,
) -> Vec<(PrimaryId, Result<PrimaryCheck, StoreError>)> {
    let mut asked = JoinSet::new();
    for primary in topology.primaries.clone() {
        let (topology, timeouts) = (Arc::clone(topology), config.mysql_limits());
        asked.spawn(async move { (primary.id, check_primary(&topology, &primary, timeouts).await) });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(id, _)| *id);
    answers
}

fn tell_primary(connected: &mut Connected, check: &PrimaryCheck) {
    let PrimaryCheck { primary, facts, schema, .. } = check;
    connected.line(format_args!("{:<10} {} {}, schema {schema}", primary.to_string(), facts.flavour, facts.version));
    for (index, obstacle) in check.replicas.iter().enumerate() {
        match obstacle {
            None => connected.line(format_args!("{:<10} replica {index} can serve reads", primary.to_string())),
            Some(obstacle) => connected.problem(format_args!("{obstacle}")),
        }
    }
    for obstacle in &check.obstacles {
        connected.problem(format_args!("{obstacle}"));
    }
    for warning in &check.warnings {
        let (setting, value, wanted, cost) = (warning.setting, &warning.value, warning.wanted, warning.cost);
        connected.line(format_args!("warning    {primary}: {setting} is {value}, should be {wanted}: {cost}"));
    }
}

async fn ask_shards(connected: &mut Connected, config: &Config, topology: &Topology) -> Result<(), ConnectError> {
    let timeouts = Timeouts { connect: config.stock.connect_timeout, ..Timeouts::default() };
    let store = RedisStockStore::connect(topology, timeouts).await?;
    for shard in &topology.shards {
        if store.is_connected(shard.id) {
            connected.line(format_args!("{:<10} connected", shard.id.to_string()));
        } else {
            connected.problem(format_args!("{} at {} does not answer", shard.id, shard.address));
        }
    }
    for warning in store.warnings().await.iter().filter(|warning| store.is_connected(warning.shard)) {
        connected.problem(format_args!("{warning}"));
    }
    Ok(())
}
