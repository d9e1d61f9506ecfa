//! The MySQL primaries, as the pipeline sees them.

use std::future::Future;

use scrip_protocol::v1::CouponStatus;
use scrip_protocol::{RequestId, TemplateId, UserId};
use scrip_shard_config::{PrimaryId, SubStock};
use sha2::{Digest, Sha256};

use super::pack::PackWriter;
use super::steps::{Budget, CouponKey, CouponLog, NewStep, Spend};
use super::{StockKey, StoreError};

/// The identity of the incarnation that serves a primary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// What the server says of itself: `@@server_uuid`, or on MariaDB `@@server_uid`, `@@server_id`, host and port.
    pub identity: String,
    /// Raised by meta whenever the server behind the primary's name changes.
    pub term: u32,
}

impl Server {
    /// The literal in the fence: the first 16 bytes of SHA-256 over identity and term.
    pub fn fence(&self) -> [u8; 16] {
        let digest = Sha256::digest(format!("{}#{}", self.identity, self.term));
        std::array::from_fn(|index| digest[index])
    }
}

/// A coupon about to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCoupon {
    /// The user, whose tail decided the primary.
    pub user: UserId,
    /// The template.
    pub template: TemplateId,
    /// The user's seq-th coupon of the template.
    pub seq: u16,
    /// The connection on which the coupons below `seq` were read, as [`RecordWriter::connection`] numbers it; not looked
    /// at while `seq` is 1. A number read from a server that has been replaced since says nothing about its successor,
    /// which may lack the rows below it: the same request could get two numbers.
    pub seen_on: u64,
    /// The caller's id for this claim.
    pub request: RequestId,
    /// Where its unit came from.
    pub sub_stock: SubStock,
    /// The epoch that the unit was granted under.
    pub epoch: u64,
    /// The ledger row that counts it.
    pub stripe: u16,
    /// Milliseconds since 1970-01-01 UTC.
    pub claimed_at_ms: u64,
}

/// A coupon as it stands on its primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CouponRow {
    /// Its user.
    pub user: UserId,
    /// Its template.
    pub template: TemplateId,
    /// 1, 2, ... up to the limit per user.
    pub seq: u16,
    /// The request that made it.
    pub request: RequestId,
    /// Unused, locked or used, as the last step says: a lock may be over, and time may have run out.
    pub status: CouponStatus,
    /// Of a lock: when it ends, in milliseconds since 1970-01-01 UTC. Else 0.
    pub locked_until_ms: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub claimed_at_ms: u64,
}

/// Why a batch was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A row of the batch exists already, or a number was read on another connection than this one. Rolled back.
    #[error("a row of the batch exists already, or its number is not known to be free")]
    Conflict,
    /// A fence is not `{the granted epoch, this server}`, or the primary has another topology version. Rolled back.
    #[error("fenced: the epoch, the server or the topology version is no longer the one of the grant")]
    Fenced,
    /// Deadlock or lock wait: rolled back, and worth another try.
    #[error("rolled back by the server: {0}")]
    RolledBack(String),
    /// The server refuses (read-only, disk full, ...). Rolled back.
    #[error("refused by the server: {0}")]
    Refused(String),
    /// Nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// It was sent, and may be or may yet become committed: the units are never given back.
    #[error("{0}")]
    Unknown(String),
}

/// One record lane's own connection to its primary. Dropping a future of it midway drops the connection, and what was
/// sent is unknown.
pub trait RecordWriter: Send + 'static {
    /// Connects if need be, and checks that this is the primary that the topology means.
    fn connect(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The number of the connection that the last call used: another number, another connection.
    fn connection(&self) -> u64;

    /// One transaction, one attempt: fences checked under a lock held until commit, rows inserted, ledger raised.
    /// At most one row per (user, template, seq); an empty batch succeeds.
    fn record(&mut self, batch: &[NewCoupon]) -> impl Future<Output = Result<(), RecordError>> + Send;

    /// All coupons of these (user, template) pairs, in a new snapshot and on one connection; `lock`: with a locking read that waits for
    /// transactions under way.
    fn look_up(
        &mut self,
        keys: &[(UserId, TemplateId)],
        lock: bool,
    ) -> impl Future<Output = Result<Vec<CouponRow>, StoreError>> + Send;

    /// These coupons and their logs, in a new snapshot and on one connection, in no order; those that do not exist are
    /// left out. `lock`: with a locking read that waits for transactions under way.
    fn logs(
        &mut self,
        keys: &[CouponKey],
        lock: bool,
    ) -> impl Future<Output = Result<Vec<CouponLog>, StoreError>> + Send;

    /// One transaction, one attempt: all of these steps or none. A step that exists, or that was read on another
    /// connection, is a conflict. At most one step a coupon; an empty batch succeeds.
    ///
    /// `spends`: counted in the same transaction, each template once; one that would go beyond what this primary was granted
    /// is [`RecordError::Fenced`], as another topology version and a sealed template are.
    fn append(&mut self, steps: &[NewStep], spends: &[Spend]) -> impl Future<Output = Result<(), RecordError>> + Send;

    /// For each sub-stock the epoch that this server would record under now; `None`: fenced off for this server, or
    /// no ledger.
    fn epochs(&mut self, keys: &[StockKey]) -> impl Future<Output = Result<Vec<Option<u64>>, StoreError>> + Send;
}

/// Where something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The primary itself.
    Primary(PrimaryId),
    /// A replica, if it shows the mark.
    Replica(Replica),
}

/// A replica of a primary, and the mark that it has to show: see [`crate::replica`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// Whose replica.
    pub primary: PrimaryId,
    /// Which of them, in the order of the topology.
    pub index: u16,
    /// Whose marks: one run of a proxy.
    pub run: u64,
    /// It has to show this one or a later one, or nothing is read.
    pub mark: u64,
}

/// Which of a user's coupons to list: rows after `after` in the order of the primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListQuery {
    /// Whose.
    pub user: UserId,
    /// Only this template.
    pub template: Option<TemplateId>,
    /// Start after this (template, seq).
    pub after: Option<(TemplateId, u16)>,
    /// At most so many rows.
    pub count_max: u32,
}

/// What became of raising a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// It is up, and this many units had been issued.
    Raised {
        /// Units issued on this primary, over all stripes.
        issued: u64,
    },
    /// It stands above the epoch wanted: another settle is ahead.
    Above,
}

/// Why fences could not be raised on a primary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FenceError {
    /// The server behind the primary is not the one of step 0.
    #[error("the server behind the primary changed during the settle")]
    OtherServer,
    /// A published sub-stock has not the ledger rows that it was created with.
    #[error("ledger rows are missing: {0}")]
    LedgerMissing(String),
    /// The primary could not be asked, or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The MySQL primaries.
pub trait RecordStore: Clone + Send + Sync + 'static {
    /// A lane's own connection.
    type Writer: PackWriter;

    /// A connection for lane `lane` of the primary; connects when first used.
    fn writer(&self, primary: PrimaryId, lane: u16) -> Self::Writer;

    /// Coupons of one user.
    fn list(&self, from: Source, query: ListQuery) -> impl Future<Output = Result<Vec<CouponRow>, StoreError>> + Send;

    /// A coupon and its log; `None`: there is no such coupon.
    fn log(&self, from: Source, key: CouponKey) -> impl Future<Output = Result<Option<CouponLog>, StoreError>> + Send;

    /// The user's coupons of a template that were archived; used, or else past their end. By their numbers.
    fn archived(
        &self,
        primary: PrimaryId,
        user: UserId,
        template: TemplateId,
    ) -> impl Future<Output = Result<Vec<CouponRow>, StoreError>> + Send;

    /// Those of these templates to the logs of whose coupons nothing can be appended any more: they are being archived.
    fn sealed(
        &self,
        primary: PrimaryId,
        templates: &[TemplateId],
    ) -> impl Future<Output = Result<Vec<TemplateId>, StoreError>> + Send;

    /// A template's budget on this primary; nothing granted and nothing spent if it has none.
    fn budget(
        &self,
        primary: PrimaryId,
        template: TemplateId,
    ) -> impl Future<Output = Result<Budget, StoreError>> + Send;

    /// The primary may spend so much in all. Never lowers it, so it can be repeated.
    fn raise_budget(
        &self,
        primary: PrimaryId,
        template: TemplateId,
        granted_minor: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Creates the ledger rows of new sub-stocks (epoch 0, no server, nothing issued); rows that exist stay.
    fn create_ledger(
        &self,
        primary: PrimaryId,
        keys: &[StockKey],
        stripes: u16,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Step 0 of a settle: the server behind the primary now, asked over the wire, with the term that meta gives it.
    fn server(&self, primary: PrimaryId) -> impl Future<Output = Result<Server, StoreError>> + Send;

    /// Step 2 of a settle, one transaction: locks the ledger rows, gives up unless the server is `server`, sets each
    /// fence to `{epoch, server}`, and only then reads what was issued, with a locking read. Answers in the order of
    /// `fences`; `stripes`: how many ledger rows each sub-stock must have.
    fn raise_fences(
        &self,
        primary: PrimaryId,
        server: &Server,
        fences: &[(StockKey, u64)],
        stripes: u16,
    ) -> impl Future<Output = Result<Vec<Fence>, FenceError>> + Send;
}
