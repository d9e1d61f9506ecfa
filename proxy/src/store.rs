//! The stores, as the pipeline sees them: narrow traits, so that the same pipeline runs on real stores and on model
//! stores.
//!
//! | trait           | what it stands for                                   | implementations   |
//! |-----------------|------------------------------------------------------|-------------------|
//! | [`StockStore`]  | the Redis shards: a cache of one number per sub-stock | [`redis`]         |
//! | [`RecordStore`] | the MySQL primaries: coupons, ledgers, fences         | [`mysql`]         |
//! | [`MetaStore`]   | the meta schema: templates, epochs, allotments        | [`mysql`]         |
//! | [`bulk::BulkStore`] | bulk jobs, their lists and their results            | [`mysql`]         |
//! | [`exchange::ExchangeStore`] | batches of codes, and the uses of codes        | [`mysql`]         |
//! | [`cache::CacheStore`] | the second level of the template cache          | [`redis`]         |
//!
//! Nothing behind these traits may send a release, an install or a record twice: each call is one attempt, and an
//! outcome that is not known is reported as unknown.

pub mod bulk;
pub mod cache;
pub mod events;
pub mod exchange;
pub mod mysql;
pub mod patrol;
pub mod redis;
pub mod steps;

use std::future::Future;
use std::time::Duration;

use scrip_protocol::v1::{CouponStatus, TemplateDefinition, TemplateStatus};
use scrip_protocol::{RequestId, TemplateId, UserId};
use scrip_shard_config::{PrimaryId, ShardId, SubStock};
use sha2::{Digest, Sha256};

use self::steps::{Budget, CouponKey, CouponLog, NewStep, Spend};

/// One sub-stock of one template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockKey {
    /// The template.
    pub template: TemplateId,
    /// Which of its sub-stocks.
    pub sub_stock: SubStock,
}

/// The nonce of one life of a shard's function library: a key of another run is stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run(pub String);

/// What became of a call to a store that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was sent, or the store is known not to have acted: not applied.
    #[error("{0}")]
    Unreachable(String),
    /// The store answered that it will not: not applied.
    #[error("{0}")]
    Refused(String),
    /// It was sent, and the outcome is not known.
    #[error("{0}")]
    Unknown(String),
}

/// Units wanted from one sub-stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// The sub-stock.
    pub key: StockKey,
    /// How many.
    pub count: u32,
}

/// What a sub-stock gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deducted {
    /// `min(want, left)` units of this epoch. 0: the sub-stock is empty.
    Granted {
        /// The epoch of the units.
        epoch: u64,
        /// How many.
        count: u32,
    },
    /// The key is missing or of another run: a settle is due.
    Stale,
}

/// Units that are known not to be recorded, given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Where they came from.
    pub key: StockKey,
    /// The epoch that they were granted under.
    pub epoch: u64,
    /// How many.
    pub count: u32,
}

/// The remaining count of a sub-stock under a new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Install {
    /// The sub-stock.
    pub key: StockKey,
    /// The new epoch.
    pub epoch: u64,
    /// Units that may be handed out under it.
    pub count: u64,
}

/// What became of an install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// The sub-stock serves under the new epoch.
    Done,
    /// The shard's run is another than the one of step 0.
    OtherRun,
    /// The key already has this epoch or a later one.
    NotNewer,
}

/// The Redis shards. Every call is one attempt with a time limit of the implementation's.
pub trait StockStore: Clone + Send + Sync + 'static {
    /// The nonce of the shard's function library; loads the library if it is missing or older.
    fn run(&self, shard: ShardId) -> impl Future<Output = Result<Run, StoreError>> + Send;

    /// Takes units; one call for the whole group, answers in the order of `wants`. May be repeated after an unknown
    /// outcome (units are lost to the epoch until the next settle). Loads the library if it is missing.
    fn deduct(&self, shard: ShardId, wants: &[Want]) -> impl Future<Output = Result<Vec<Deducted>, StoreError>> + Send;

    /// Gives units back where run and epoch still match. *Sent at most once.*
    fn release(&self, shard: ShardId, units: &[Release]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Installs counts, bound to the run of step 0. *Sent at most once.*
    fn install(
        &self,
        shard: ShardId,
        run: &Run,
        installs: &[Install],
    ) -> impl Future<Output = Result<Vec<Installed>, StoreError>> + Send;

    /// Units left under a living epoch, for display and for choosing what to withdraw; `None`: missing or stale.
    fn remaining(
        &self,
        shard: ShardId,
        keys: &[StockKey],
    ) -> impl Future<Output = Result<Vec<Option<u64>>, StoreError>> + Send;
}

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
    /// is [`RecordError::Fenced`], as another topology version is.
    fn append(&mut self, steps: &[NewStep], spends: &[Spend]) -> impl Future<Output = Result<(), RecordError>> + Send;

    /// For each sub-stock the epoch that this server would record under now; `None`: fenced off for this server, or
    /// no ledger.
    fn epochs(&mut self, keys: &[StockKey]) -> impl Future<Output = Result<Vec<Option<u64>>, StoreError>> + Send;
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
    type Writer: RecordWriter;

    /// A connection for lane `lane` of the primary; connects when first used.
    fn writer(&self, primary: PrimaryId, lane: u16) -> Self::Writer;

    /// Coupons of one user.
    fn list(
        &self,
        primary: PrimaryId,
        query: ListQuery,
    ) -> impl Future<Output = Result<Vec<CouponRow>, StoreError>> + Send;

    /// A coupon and its log; `None`: there is no such coupon.
    fn log(
        &self,
        primary: PrimaryId,
        key: CouponKey,
    ) -> impl Future<Output = Result<Option<CouponLog>, StoreError>> + Send;

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

/// A template as it stands in meta.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateRecord {
    /// Its id.
    pub template: TemplateId,
    /// What the operator defined.
    pub definition: TemplateDefinition,
    /// Where it is in its life.
    pub status: TemplateStatus,
    /// Units of stock now.
    pub total_stock: u64,
    /// Every sub-stock settled to zero.
    pub sold_out: bool,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at_ms: u64,
    /// Rises with every change, over all templates.
    pub revision: u64,
    /// The suffixes of its sub-stock keys.
    pub sub_stocks: Vec<SubStock>,
    /// Ledger rows per sub-stock and primary.
    pub stripes: u16,
}

/// A sub-stock as it stands in meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubStockRecord {
    /// Which.
    pub key: StockKey,
    /// Units that it may hand out over all epochs.
    pub allotment: u64,
    /// The epoch, raised by every settle.
    pub epoch: u64,
    /// The last epoch whose settle came to its end; below `epoch`: a settle is due or under way.
    pub settled_epoch: u64,
    /// The epoch that settled to zero; equal to `epoch`: every unit of it became a coupon.
    pub drained_epoch: u64,
}

/// How the settle of one sub-stock ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub sub_stock: SubStock,
    /// The epoch of the settle.
    pub epoch: u64,
    /// Its shard serves it under this epoch: `settled_epoch`.
    pub installed: bool,
    /// Every unit of it became a coupon: `drained_epoch`. Without `installed`, its shard may still hand out units of an
    /// older epoch, all of which are fenced: a settle remains due.
    pub drained: bool,
}

/// What winning step 1 of a settle gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    /// The sub-stocks whose epoch this call raised, as they stand after it. The others were lost to another settle.
    pub won: Vec<SubStockRecord>,
    /// The primaries, and the server behind each, as meta lists them in the same transaction.
    pub primaries: Vec<(PrimaryId, Server)>,
    /// A withdrawal waits for the fences of this settle.
    pub withdrawal_pending: bool,
}

/// A change of stock, as recorded under its request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockChangeRecord {
    /// What was asked.
    pub units_requested: i64,
    /// What was done; `None`: a withdrawal that waits for its fences.
    pub units_applied: Option<i64>,
    /// The template's total after it (of a pending one: before it).
    pub total_stock: u64,
    /// This call repeats one that was made before.
    pub replayed: bool,
}

/// Why meta did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// No such template.
    #[error("there is no such template")]
    TemplateNotFound,
    /// The request id was used with other contents.
    #[error("this request id was used for something else")]
    RequestIdReused,
    /// The template's status does not allow it.
    #[error("the template is {0:?}")]
    Status(TemplateStatus),
    /// A withdrawal is under way; it has to end first.
    #[error("a withdrawal of this template is under way")]
    WithdrawalPending,
    /// Asked for more than the limits allow.
    #[error("{0}")]
    Limit(String),
    /// Meta could not be asked, or its answer is not known.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a new template is laid out, which depends on the id that meta gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The suffixes of its sub-stock keys.
    pub sub_stocks: Vec<SubStock>,
    /// Ledger rows per sub-stock and primary.
    pub stripes: u16,
}

/// The meta schema. Every writing call is one transaction.
pub trait MetaStore: Clone + Send + Sync + 'static {
    /// Creates a template in DRAFT with its sub-stocks (epoch 0, the total spread evenly over their allotments), or
    /// returns the one that this request id created.
    fn create_template(
        &self,
        request: RequestId,
        definition: &TemplateDefinition,
        layout: &(dyn Fn(TemplateId) -> Layout + Send + Sync),
        now_ms: u64,
    ) -> impl Future<Output = Result<TemplateRecord, MetaError>> + Send;

    /// One template.
    fn template(&self, template: TemplateId) -> impl Future<Output = Result<TemplateRecord, MetaError>> + Send;

    /// Templates with ids above `after`, by id.
    fn templates(
        &self,
        after: Option<TemplateId>,
        status: Option<TemplateStatus>,
        count_max: u32,
    ) -> impl Future<Output = Result<Vec<TemplateRecord>, MetaError>> + Send;

    /// Grants a primary `need_minor` more of a template's budget, or one part in `shares` of what is left, whichever is more
    /// and as far as there is so much; what it may spend in all. The grants never add up to more than the budget.
    fn grant_budget(
        &self,
        template: TemplateId,
        primary: PrimaryId,
        need_minor: u64,
        shares: u64,
    ) -> impl Future<Output = Result<u64, MetaError>> + Send;

    /// Templates with revisions above `revision`, by revision.
    fn templates_changed(
        &self,
        revision: u64,
        count_max: u32,
    ) -> impl Future<Output = Result<Vec<TemplateRecord>, MetaError>> + Send;

    /// Sets the status if it is one of `from`, or already `to`.
    fn set_status(
        &self,
        template: TemplateId,
        from: &[TemplateStatus],
        to: TemplateStatus,
    ) -> impl Future<Output = Result<TemplateRecord, MetaError>> + Send;

    /// The template's sub-stocks.
    fn sub_stocks(&self, template: TemplateId) -> impl Future<Output = Result<Vec<SubStockRecord>, MetaError>> + Send;

    /// Sub-stocks with `settled_epoch < epoch` whose epoch was raised longer than `quiet` ago, of templates that can be
    /// claimed and are not sold out; those above `after`, in the order of their keys.
    fn unsettled(
        &self,
        quiet: Duration,
        after: Option<StockKey>,
        count_max: u32,
    ) -> impl Future<Output = Result<Vec<StockKey>, MetaError>> + Send;

    /// Step 1 of a settle: for each `(sub-stock, e)` a compare-and-set of the epoch from `e` to `e + 1`, not sooner
    /// than `quiet` after the one before; and in the same transaction the allotments and the list of primaries.
    fn advance(
        &self,
        template: TemplateId,
        expected: &[(SubStock, u64)],
        quiet: Duration,
    ) -> impl Future<Output = Result<Advanced, MetaError>> + Send;

    /// The end of a withdrawal, all its fences being up: allotments below what was issued are raised to it, what
    /// remains of the withdrawal is taken off the total. Only while every epoch is still the one given, and `issued`
    /// names every sub-stock of the template; otherwise nothing changes. Returns the sub-stocks as they stand.
    fn finish_withdrawal(
        &self,
        template: TemplateId,
        issued: &[(SubStockRecord, u64)],
    ) -> impl Future<Output = Result<Vec<SubStockRecord>, MetaError>> + Send;

    /// Moves what is left of sub-stocks that cannot be served: `from` names each with the epoch of its fences, which are
    /// up on every primary, and what was issued from it. In one transaction the allotment of each becomes what was
    /// issued, and the rest is spread evenly over the allotments of `to`, whose epochs rise with it. Left alone: a
    /// sub-stock whose epoch is no longer the one given, and everything while a withdrawal is pending, or with nowhere
    /// to move to. Returns the sub-stocks as they stand.
    fn move_rest(
        &self,
        template: TemplateId,
        from: &[(SubStockRecord, u64)],
        to: &[SubStock],
    ) -> impl Future<Output = Result<Vec<SubStockRecord>, MetaError>> + Send;

    /// The end of a settle, for each sub-stock whose epoch is still the one given. When every sub-stock is drained the
    /// template is sold out. Returns whether it is.
    fn mark_settled(
        &self,
        template: TemplateId,
        ended: &[Ended],
    ) -> impl Future<Output = Result<bool, MetaError>> + Send;

    /// Adds units (spread evenly; done at once), or begins a withdrawal (`shares`: how to spread it; done by
    /// [`MetaStore::finish_withdrawal`]). Raises every epoch and clears `sold_out`.
    fn change_stock(
        &self,
        template: TemplateId,
        request: RequestId,
        units: i64,
        shares: &[(SubStock, u64)],
    ) -> impl Future<Output = Result<StockChangeRecord, MetaError>> + Send;
}
