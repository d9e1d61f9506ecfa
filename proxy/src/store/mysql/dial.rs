//! Connecting: to whom, and whether it is the one that the topology means.

use std::time::Duration;

use mysql_async::{Conn, OptsBuilder};
use scrip_shard_config::{Address, Primary, PrimaryId};
use tokio::time::timeout;

use super::facts::ServerFacts;
use super::failure::{ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE, Failed};
use super::limits::MysqlLimits;
use super::replica;
use super::schema::Part;
use super::session::{Session, decode};
use super::sql;
use crate::store::StoreError;

/// A session that is silent for so long is closed by the server: see [`sql::SESSION`].
const IDLE_MAX: Duration = Duration::from_secs(30);

/// What a server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) primary: u16,
    pub(super) version: u64,
}

/// A primary as the topology names it, or a replica of one.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// With the replica's address, if it is one.
    primary: Primary,
    /// Which of the primary's replicas.
    replica: Option<usize>,
    version: u64,
    timeouts: MysqlLimits,
}

impl Target {
    pub(super) fn new(primary: &Primary, version: u64, timeouts: MysqlLimits) -> Target {
        Target { primary: primary.clone(), replica: None, version, timeouts }
    }

    /// A replica of the primary; `None`: it has none of this number.
    pub(super) fn replica(primary: &Primary, index: usize, version: u64, timeouts: MysqlLimits) -> Option<Target> {
        let address = primary.replicas.get(index)?.clone();
        let primary = Primary { address, ..primary.clone() };
        let timeouts = MysqlLimits { read: timeouts.replica, ..timeouts };
        Some(Target { primary, replica: Some(index), version, timeouts })
    }

    pub(super) fn id(&self) -> PrimaryId {
        self.primary.id
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn limits(&self) -> &MysqlLimits {
        &self.timeouts
    }

    pub(super) fn database(&self) -> &str {
        &self.primary.database
    }

    /// Which primary, and where: what every message begins with.
    pub(super) fn whom(&self) -> String {
        match self.replica {
            None => format!("primary {} at {}", self.primary.id, self.primary.address),
            Some(index) => format!("replica {index} of primary {} at {}", self.primary.id, self.primary.address),
        }
    }

    /// Connects and checks that this is the server that the topology means. Cancelled, it leaves nothing behind.
    pub(super) async fn dial(&self, part: Part) -> Result<Session, StoreError> {
        let mut session = self.open(Some(self.database())).await.map_err(|failed| self.refusal(&failed))?;
        let node = self.node(&mut session).await.map_err(|failed| self.refusal(&failed))?;
        self.check_node(node)?;
        let found = part.version(&mut session, self.timeouts.connect).await.map_err(|failed| self.refusal(&failed))?;
        part.check(found).map_err(|text| StoreError::Refused(format!("{}: {text}", self.whom())))?;
        if self.replica.is_some() {
            let checked = replica::check(&mut session, self.timeouts.connect).await;
            let checked = checked.map_err(|failed| self.refusal(&failed))?;
            checked.map_err(|text| StoreError::Refused(format!("{}: {text}", self.whom())))?;
        }
        Ok(session)
    }

    /// Connects and sets the session up, without asking which primary it is.
    pub(super) async fn open(&self, database: Option<&str>) -> Result<Session, Failed> {
        let limit = self.timeouts.connect;
        timeout(limit, self.set_up(database)).await.unwrap_or(Err(Failed::TimedOut(limit)))
    }

    async fn set_up(&self, database: Option<&str>) -> Result<Session, Failed> {
        let mut conn = Conn::new(self.options(database)).await.map_err(|error| Failed::at(0, error))?;
        let text = format!("{};{}", self.session_text(), sql::VARIABLES);
        let mut sets = super::session::walk(&mut conn, text.as_bytes(), sql::SESSION_STATEMENTS + 1).await?;
        let facts = ServerFacts::new(decode(sets.pop().unwrap_or_default())?).map_err(Failed::Unsupported)?;
        Ok(Session::new(conn, facts))
    }

    fn session_text(&self) -> String {
        let lock_wait_s = self.timeouts.lock_wait.as_secs().max(1);
        sql::SESSION
            .replace("{lock_wait_s}", &lock_wait_s.to_string())
            .replace("{idle_s}", &IDLE_MAX.as_secs().to_string())
    }

    fn options(&self, database: Option<&str>) -> OptsBuilder {
        let options = OptsBuilder::default()
            .user(Some(&self.primary.user))
            .pass(self.primary.password.as_ref().map(|secret| secret.expose()))
            .db_name(database)
            .client_found_rows(true)
            .tcp_nodelay(true)
            // Else the driver asks a server on 127.0.0.1 for its socket and goes there instead.
            .prefer_socket(false)
            // Else a round trip more for each of the two.
            .max_allowed_packet(Some(PACKET_LEN_MAX))
            .wait_timeout(Some(0));
        match &self.primary.address {
            Address::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(*port),
            Address::Unix(path) => options.socket(path.to_str()),
        }
    }

    pub(super) async fn node(&self, session: &mut Session) -> Result<Option<Node>, Failed> {
        let rows: Vec<(u16, u64)> = session.rows(sql::NODE, (), self.timeouts.connect).await?;
        Ok(rows.first().map(|&(primary, version)| Node { primary, version }))
    }

    pub(super) fn check_node(&self, node: Option<Node>) -> Result<(), StoreError> {
        match node {
            None => Err(StoreError::Refused(format!("{} was never set up; run `scrip-proxy migrate`", self.whom()))),
            Some(node) if node.primary == self.primary.id.0 && node.version != self.version => {
                Err(StoreError::Refused(self.other_version(node.version)))
            }
            node @ Some(_) => self.check_forward(node),
        }
    }

    /// Whether this is the primary that is meant, or none yet, and not ahead of this topology.
    pub(super) fn check_forward(&self, node: Option<Node>) -> Result<(), StoreError> {
        match node {
            Some(node) if node.primary != self.primary.id.0 => Err(StoreError::Refused(format!(
                "{} says that it is {}; correct its address in the topology",
                self.whom(),
                PrimaryId(node.primary)
            ))),
            Some(node) if node.version > self.version => Err(StoreError::Refused(self.other_version(node.version))),
            Some(_) | None => Ok(()),
        }
    }

    fn other_version(&self, found: u64) -> String {
        let (whom, ours) = (self.whom(), self.version);
        if found > ours {
            format!("{whom} is at version {found} of the topology, this process at {ours}; give it the newer file")
        } else {
            format!("{whom} is at version {found} of the topology, this process at {ours}; run `scrip-proxy migrate`")
        }
    }

    /// What a failure to connect means to the caller.
    pub(super) fn refusal(&self, failed: &Failed) -> StoreError {
        match failed.code() {
            Some(ER_BAD_DB_ERROR | ER_NO_SUCH_TABLE) => {
                StoreError::Refused(format!("{} has no tables yet; run `scrip-proxy migrate`", self.whom()))
            }
            Some(_) | None => failed.not_applied(&self.whom()),
        }
    }
}

/// The longest packet that the driver takes either way; ours stay below 1 MiB, see
/// [`super::sql::record::RECORD_ROWS_MAX`].
const PACKET_LEN_MAX: usize = 16 * 1024 * 1024;
