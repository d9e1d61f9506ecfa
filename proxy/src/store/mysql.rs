//! The MySQL primaries and the meta schema. No SQL outside `sql` and the migrations beside it.
//!
//! Every call is one attempt. The driver sends nothing twice: its `Conn` has no reconnect, and its pool is not used.
//! A call that is dropped midway, or that ran out of time, closes its connection.
//!
//! | module       | what                                                                  |
//! |--------------|-----------------------------------------------------------------------|
//! | `writer`     | a record lane's own connection                                        |
//! | `read`       | coupons of users                                                      |
//! | `replica`    | marks, and reading from replicas                                      |
//! | `steps`      | logs of coupons                                                       |
//! | `pack`       | packs                                                                 |
//! | `budget`     | budgets in money: grants, and what is spent                           |
//! | `ledger`     | ledgers and fences                                                    |
//! | `meta`       | templates, epochs, allotments                                         |
//! | `lease`      | work on a primary that one proxy does at a time                       |
//! | `outbox`     | events that wait to leave                                             |
//! | `patrol`     | the walk over all coupons of a primary                                |
//! | `archive`    | closing templates for good, and moving their coupons out              |
//! | `bulk`       | bulk jobs, their lists and their entries                              |
//! | `terms`      | the servers behind the primaries, and their terms                     |
//! | `dial`       | connecting, and whether it is the server that the topology means      |
//! | `session`    | one connection, set up                                                |
//! | `pool`       | a few sessions to one primary                                         |
//! | `facts`      | what a server says of itself                                          |
//! | `failure`    | error numbers, and what they mean for a claim                         |
//! | [`migrate`]  | applies the migrations to all primaries                               |
//! | [`check`]    | what an operator should know of a primary                             |
//! | `schema`     | the migrations, and which of them a server has                        |
//! | `sql`        | every SQL text                                                        |

mod archive;
mod budget;
mod bulk;
pub mod check;
mod dial;
mod exchange;
mod facts;
mod failure;
mod lease;
mod ledger;
mod limits;
mod meta;
pub mod migrate;
mod outbox;
mod pack;
mod patrol;
mod pool;
mod read;
mod replica;
mod schema;
mod session;
mod sql;
mod steps;
mod terms;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::{Primary, PrimaryId, Topology};

pub use self::archive::{Pair, Shelf, Written};
pub use self::facts::{Flavour, ServerFacts};
pub use self::lease::Leases;
pub use self::limits::MysqlLimits;
pub use self::outbox::Outbox;
pub use self::sql::keys::KEYS_MAX;
pub use self::sql::record::RECORD_ROWS_MAX;
pub(crate) use self::steps::Line as LogLine;
pub use self::writer::MysqlWriter;

use self::dial::Target;
use self::pool::Pool;
use self::schema::Part;
use self::terms::Terms;
use super::steps::{Budget, CouponKey, CouponLog};
use super::{CouponRow, Fence, FenceError, ListQuery, RecordStore, Server, Source, StockKey, StoreError};

/// The primaries of a topology, and the meta schema on one of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MysqlStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    backends: BTreeMap<PrimaryId, Backend>,
    meta: Pool,
    /// Of the meta primary, in the order of the topology.
    meta_replicas: Vec<Pool>,
    terms: Terms,
    /// Every transaction that changes coupons keeps its events.
    tells: bool,
}

/// One primary. What hangs here holds up nobody else.
#[derive(Debug)]
struct Backend {
    target: Target,
    pool: Pool,
    /// In the order of the topology.
    replicas: Vec<Pool>,
}

impl MysqlStore {
    /// The stores of this topology. Connects to nothing yet.
    ///
    /// # Errors
    /// When the topology does not hold its own meta primary, which its own checks rule out.
    pub fn try_new(topology: &Topology, timeouts: MysqlLimits) -> Result<MysqlStore, StoreError> {
        Self::try_new_telling(topology, timeouts, false)
    }

    /// The same; `tells`: every transaction that changes coupons keeps its events in the outbox.
    ///
    /// # Errors
    /// As [`try_new`](Self::try_new).
    pub fn try_new_telling(topology: &Topology, timeouts: MysqlLimits, tells: bool) -> Result<MysqlStore, StoreError> {
        let mut backends = BTreeMap::new();
        for primary in &topology.primaries {
            let target = Target::new(primary, topology.version, timeouts);
            let replicas = pools_of_replicas(primary, topology.version, timeouts, Part::Primary);
            backends.insert(primary.id, Backend { pool: Pool::new(target.clone(), Part::Primary), target, replicas });
        }
        let meta = topology.primary(topology.meta).ok_or_else(|| unknown(topology.meta))?;
        let meta_replicas = pools_of_replicas(meta, topology.version, timeouts, Part::Meta);
        let meta = Pool::new(Target::new(meta, topology.version, timeouts), Part::Meta);
        let terms = Terms::default();
        Ok(MysqlStore { inner: Arc::new(Inner { backends, meta, meta_replicas, terms, tells }) })
    }
}

fn pools_of_replicas(primary: &Primary, version: u64, timeouts: MysqlLimits, part: Part) -> Vec<Pool> {
    let targets = (0..primary.replicas.len()).filter_map(|index| Target::replica(primary, index, version, timeouts));
    targets.map(|target| Pool::new(target, part)).collect()
}

fn unknown(primary: PrimaryId) -> StoreError {
    StoreError::Refused(format!("the topology has no primary {primary}"))
}

impl Inner {
    fn backend(&self, primary: PrimaryId) -> Result<&Backend, StoreError> {
        self.backends.get(&primary).ok_or_else(|| unknown(primary))
    }

    /// The server that a new connection leads to, with the term that meta gives it now: another server may have been
    /// behind the name in between. While meta does not answer, what is remembered has to do; the fence decides.
    async fn server(&self, primary: PrimaryId, identity: &str) -> Result<Server, StoreError> {
        let limit = self.meta.target().limits().connect;
        match tokio::time::timeout(limit, self.terms.asked(&self.meta, primary, identity)).await {
            Err(_) | Ok(Err(StoreError::Unreachable(_) | StoreError::Unknown(_))) => {
                self.terms.remembered(&self.meta, primary, identity).await
            }
            Ok(answer) => answer,
        }
    }

    /// The server behind the primary, asked over the wire, with the term that meta gives it now.
    async fn server_now(&self, primary: PrimaryId) -> Result<Server, StoreError> {
        let pool = &self.backend(primary)?.pool;
        let lease = pool.lease().await?;
        let identity = lease.session.facts().identity.clone();
        if let Some(server) = self.terms.confirmed(&self.meta, primary, &identity).await? {
            lease.keep();
            return Ok(server);
        }
        // Meta knows another server: an old connection may lead to the one that was replaced, a new one tells.
        drop(lease);
        pool.forget_idle();
        let lease = pool.lease().await?;
        let identity = lease.session.facts().identity.clone();
        lease.keep();
        self.terms.asked(&self.meta, primary, &identity).await
    }
}

impl RecordStore for MysqlStore {
    type Writer = MysqlWriter;

    fn writer(&self, primary: PrimaryId, lane: u16) -> MysqlWriter {
        MysqlWriter::new(Arc::clone(&self.inner), primary, lane)
    }

    async fn list(&self, from: Source, query: ListQuery) -> Result<Vec<CouponRow>, StoreError> {
        let (lease, pool) = self.inner.reader(from).await?;
        read::list(lease, pool.target(), query).await
    }

    async fn log(&self, from: Source, key: CouponKey) -> Result<Option<CouponLog>, StoreError> {
        let (lease, pool) = self.inner.reader(from).await?;
        steps::log(lease, pool.target(), key).await
    }

    async fn archived(
        &self,
        primary: PrimaryId,
        user: UserId,
        template: TemplateId,
    ) -> Result<Vec<CouponRow>, StoreError> {
        archive::archived(&self.inner.backend(primary)?.pool, user, template).await
    }

    async fn sealed(&self, primary: PrimaryId, templates: &[TemplateId]) -> Result<Vec<TemplateId>, StoreError> {
        archive::sealed(&self.inner.backend(primary)?.pool, templates).await
    }

    async fn budget(&self, primary: PrimaryId, template: TemplateId) -> Result<Budget, StoreError> {
        budget::read(&self.inner.backend(primary)?.pool, template).await
    }

    async fn raise_budget(&self, primary: PrimaryId, template: TemplateId, granted: u64) -> Result<(), StoreError> {
        budget::raise(&self.inner.backend(primary)?.pool, template, granted).await
    }

    async fn create_ledger(&self, primary: PrimaryId, keys: &[StockKey], stripes: u16) -> Result<(), StoreError> {
        ledger::create(&self.inner.backend(primary)?.pool, keys, stripes).await
    }

    async fn server(&self, primary: PrimaryId) -> Result<Server, StoreError> {
        self.inner.server_now(primary).await
    }

    async fn raise_fences(
        &self,
        primary: PrimaryId,
        server: &Server,
        fences: &[(StockKey, u64)],
        stripes: u16,
    ) -> Result<Vec<Fence>, FenceError> {
        ledger::raise_fences(&self.inner.backend(primary)?.pool, server, fences, stripes).await
    }
}
