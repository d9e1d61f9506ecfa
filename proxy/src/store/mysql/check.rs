//! What an operator should know of a primary before claims go there.

use scrip_shard_config::{Primary, PrimaryId, Topology};

use super::dial::Target;
use super::facts::{Flavour, ServerFacts};
use super::failure::{ER_NO_SUCH_TABLE, Failed};
use super::limits::MysqlLimits;
use super::schema::Part;
use super::session::Session;
use crate::store::StoreError;

/// A setting that weakens what an acknowledgement means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The server's name for it.
    pub setting: &'static str,
    /// What it is.
    pub value: String,
    /// What it should be.
    pub wanted: &'static str,
    /// What may happen as it is.
    pub cost: &'static str,
}

/// What a primary says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryCheck {
    /// Which primary of the topology was asked.
    pub primary: PrimaryId,
    /// Flavour, version, identity and settings.
    pub facts: ServerFacts,
    /// Which primary it was set up as, and its version of the topology; `None`: never set up.
    pub node: Option<(PrimaryId, u64)>,
    /// The version of its schema; 0: none.
    pub schema: u32,
    /// The same of the meta schema, on the meta primary.
    pub meta_schema: Option<u32>,
    /// Of each of its replicas, why no read goes there; `None`: reads may go there.
    pub replicas: Vec<Option<String>>,
    /// Why a proxy would not serve there; empty: it would.
    pub obstacles: Vec<String>,
    /// Settings that weaken what an acknowledgement means.
    pub warnings: Vec<Warning>,
}

/// Settings that are reported whether they are weak or not.
pub const DURABILITY: [&str; 7] = [
    "innodb_flush_log_at_trx_commit",
    "innodb_doublewrite",
    "log_bin",
    "sync_binlog",
    "binlog_format",
    "rpl_semi_sync_source_enabled",
    "rpl_semi_sync_master_enabled",
];

/// Asks a primary what it is. Changes nothing.
///
/// # Errors
/// When it cannot be reached or is no server that we work with. What a proxy would refuse for is in `obstacles`.
pub async fn check_primary(
    topology: &Topology,
    primary: &Primary,
    timeouts: MysqlLimits,
) -> Result<PrimaryCheck, StoreError> {
    let target = Target::new(primary, topology.version, timeouts);
    let mut session = target.open(Some(&primary.database)).await.map_err(|failed| target.refusal(&failed))?;
    let refusal = |failed: Failed| failed.not_applied(&target.whom());
    let node = or_none(target.node(&mut session).await).map_err(refusal)?.flatten();
    let schema = version(&target, &mut session, Part::Primary).await?;
    let mut obstacles = Vec::new();
    if let Err(text) = Part::Primary.check(schema) {
        obstacles.push(text);
    }
    let meta_schema = if primary.id == topology.meta {
        let found = version(&target, &mut session, Part::Meta).await?;
        obstacles.extend(Part::Meta.check(found).err());
        Some(found)
    } else {
        None
    };
    obstacles.extend(target.check_node(node).err().map(|error| error.to_string()));
    let facts = session.facts().clone();
    let warnings = warnings(&facts);
    let node = node.map(|node| (PrimaryId(node.primary), node.version));
    let replicas = replicas(topology, primary, timeouts).await;
    Ok(PrimaryCheck { primary: primary.id, facts, node, schema, meta_schema, replicas, obstacles, warnings })
}

async fn replicas(topology: &Topology, primary: &Primary, timeouts: MysqlLimits) -> Vec<Option<String>> {
    let mut found = Vec::new();
    for index in 0..primary.replicas.len() {
        let Some(target) = Target::replica(primary, index, topology.version, timeouts) else { continue };
        found.push(target.dial(Part::Primary).await.err().map(|error| error.to_string()));
    }
    found
}

async fn version(target: &Target, session: &mut Session, part: Part) -> Result<u32, StoreError> {
    let found = part.version(session, target.limits().connect).await;
    Ok(or_none(found).map_err(|failed| failed.not_applied(&target.whom()))?.unwrap_or(0))
}

/// A table that is missing is an answer.
fn or_none<T>(found: Result<T, Failed>) -> Result<Option<T>, Failed> {
    match found {
        Err(failed) if failed.code() == Some(ER_NO_SUCH_TABLE) => Ok(None),
        found => found.map(Some),
    }
}

/// One rule: the setting, the values that are fine, what it should be, what it costs.
type Rule = (&'static str, &'static [&'static str], &'static str, &'static str);

const ALWAYS: [Rule; 3] = [
    (
        "innodb_flush_log_at_trx_commit",
        &["1"],
        "1",
        "a crash of the server or of its machine loses coupons that were acknowledged in the last second",
    ),
    (
        "innodb_doublewrite",
        &["ON", "1", "DETECT_AND_RECOVER"],
        "ON",
        "a power failure in the middle of a page write can destroy the page",
    ),
    (
        "log_bin",
        &["ON", "1"],
        "ON",
        "no replica can follow, so the loss of this machine is the loss of its coupons, and nothing can be restored \
         to a point in time",
    ),
];

const WITH_BINLOG: [Rule; 2] = [
    (
        "sync_binlog",
        &["1"],
        "1",
        "a crash of the machine loses the end of the binary log: replicas then differ from this primary",
    ),
    ("binlog_format", &["ROW"], "ROW", "statements can give other results on a replica, or are refused"),
];

const NO_SEMI_SYNC: Warning = Warning {
    setting: "semi-synchronous replication",
    value: String::new(),
    wanted: "ON where fail-over is automatic",
    cost: "a fail-over loses the acknowledged coupons that the replica had not received yet",
};

fn warnings(facts: &ServerFacts) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = ALWAYS.iter().filter_map(|rule| weak(facts, rule)).collect();
    if facts.variable("log_bin").is_some_and(|value| value == "ON" || value == "1") {
        warnings.extend(WITH_BINLOG.iter().filter_map(|rule| weak(facts, rule)));
        if !semi_sync(facts) {
            warnings.push(Warning { value: "OFF".to_owned(), ..NO_SEMI_SYNC });
        }
    }
    warnings
}

fn semi_sync(facts: &ServerFacts) -> bool {
    let on = |name| facts.variable(name) == Some("ON");
    match facts.flavour {
        Flavour::MariaDb => on("rpl_semi_sync_master_enabled"),
        Flavour::Mysql => on("rpl_semi_sync_source_enabled") || on("rpl_semi_sync_master_enabled"),
    }
}

fn weak(facts: &ServerFacts, (setting, fine, wanted, cost): &Rule) -> Option<Warning> {
    // A setting that the server does not have says nothing.
    let value = facts.variable(setting)?;
    if fine.contains(&value) {
        return None;
    }
    Some(Warning { setting, value: value.to_owned(), wanted, cost })
}
