//! The meta schema, as the pipeline sees it.

use std::future::Future;
use std::time::Duration;

use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_protocol::{RequestId, TemplateId};
use scrip_shard_config::{PrimaryId, SubStock};

use super::{Server, Source, StockKey, StoreError};

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

    /// Templates with ids above `after`, by id; from the meta primary or a replica of it.
    fn templates(
        &self,
        from: Source,
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
