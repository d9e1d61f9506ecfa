//! What the stores hold.

use scrip_client::{CodeBatchId, OrderId, RequestId, TemplateId, UserId};
use scrip_protocol::v1::StepKind;
use scrip_shard_config::{PrimaryId, SubStock};

use crate::history::CodeRef;

/// Everything that the checks need of all stores.
#[derive(Debug, Clone, Default)]
pub struct StoresView {
    /// Of meta.
    pub templates: Vec<TemplateRow>,
    /// Of meta.
    pub sub_stocks: Vec<SubStockRow>,
    /// Of all primaries, and of the files of the archive.
    pub coupons: Vec<CouponRow>,
    /// Of all primaries, and of the files of the archive.
    pub steps: Vec<StepRow>,
    /// Of all primaries.
    pub packs: Vec<PackRow>,
    /// Of meta.
    pub code_batches: Vec<CodeBatchRow>,
    /// Of all primaries.
    pub code_uses: Vec<CodeUseRow>,
    /// Of all primaries.
    pub ledgers: Vec<LedgerRow>,
    /// Of all shards: keys that a proxy could take units from now.
    pub stock: Vec<StockRow>,
    /// One for each primary.
    pub servers: Vec<ServerSettings>,
}

impl StoresView {
    /// Only what is of these templates; the servers stay.
    #[must_use]
    pub fn only(mut self, templates: &[TemplateId]) -> Self {
        self.templates.retain(|row| templates.contains(&row.template));
        self.sub_stocks.retain(|row| templates.contains(&row.template));
        self.coupons.retain(|row| templates.contains(&row.template));
        self.steps.retain(|row| templates.contains(&row.template));
        // One without items is nobody's.
        let is_own =
            |row: &PackRow| row.items.is_empty() || row.items.iter().any(|(template, _)| templates.contains(template));
        self.packs.retain(is_own);
        self.code_batches.retain(|row| templates.contains(&row.template));
        let batches: Vec<CodeBatchId> = self.code_batches.iter().map(|row| row.batch).collect();
        self.code_uses.retain(|row| batches.contains(&row.code.batch));
        self.ledgers.retain(|row| templates.contains(&row.template));
        self.stock.retain(|row| templates.contains(&row.template));
        self
    }
}

/// A template in meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateRow {
    /// Which.
    pub template: TemplateId,
    /// Units of stock now.
    pub total_stock: u64,
    /// Every unit became a coupon.
    pub sold_out: bool,
}

/// A sub-stock in meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubStockRow {
    /// Of which template.
    pub template: TemplateId,
    /// Which.
    pub sub_stock: SubStock,
    /// Units that it may hand out over all epochs.
    pub allotment: u64,
    /// The epoch.
    pub epoch: u64,
}

/// A coupon on a primary, or in a file of its archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CouponRow {
    /// Where it was found.
    pub primary: PrimaryId,
    /// Where the topology wants its user.
    pub home: PrimaryId,
    /// Whose.
    pub user: UserId,
    /// Of which template.
    pub template: TemplateId,
    /// The user's seq-th of the template.
    pub seq: u32,
    /// The request that made it.
    pub request: RequestId,
    /// Where its unit came from.
    pub sub_stock: SubStock,
    /// It is in a file that its primary has registered, and not in the table.
    pub archived: bool,
}

/// A step in the log of a coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// Whose coupon.
    pub user: UserId,
    /// Of which template.
    pub template: TemplateId,
    /// The user's seq-th of the template.
    pub seq: u16,
    /// 1, 2, ...
    pub number: u16,
    /// What was done.
    pub kind: StepKind,
    /// By which order, if by one.
    pub order: Option<OrderId>,
}

/// A pack on a primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackRow {
    /// Where it was found.
    pub primary: PrimaryId,
    /// Where the topology wants its user.
    pub home: PrimaryId,
    /// Whose.
    pub user: UserId,
    /// The request that made it.
    pub request: RequestId,
    /// How many coupons of which templates; empty: it cannot be read.
    pub items: Vec<(TemplateId, u8)>,
}

/// A batch of exchange codes in meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeBatchRow {
    /// Which.
    pub batch: CodeBatchId,
    /// The request that created it.
    pub request: RequestId,
    /// What a code gives.
    pub template: TemplateId,
    /// How many codes.
    pub count: u32,
    /// How many uses each has.
    pub uses: u32,
}

/// A use of a code on a primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeUseRow {
    /// Where it was found.
    pub primary: PrimaryId,
    /// Where the topology wants the code.
    pub home: PrimaryId,
    /// Of which code.
    pub code: CodeRef,
    /// 1, 2, ...
    pub use_no: u32,
    /// By whom.
    pub user: UserId,
}

/// One stripe of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerRow {
    /// On which primary.
    pub primary: PrimaryId,
    /// Of which template.
    pub template: TemplateId,
    /// Of which sub-stock.
    pub sub_stock: SubStock,
    /// Units issued.
    pub issued: u64,
}

/// A sub-stock's key on its shard, of the shard's present run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockRow {
    /// Of which template.
    pub template: TemplateId,
    /// Which.
    pub sub_stock: SubStock,
    /// The epoch of its units.
    pub epoch: u64,
    /// Units left.
    pub left: u64,
}

/// What a primary says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Which primary.
    pub primary: PrimaryId,
    /// As in `10.11.6-MariaDB`.
    pub version: String,
    /// `innodb_flush_log_at_trx_commit`: 1 flushes the redo log at each commit.
    pub flush_log_at_commit: u8,
    /// `innodb_doublewrite`: torn pages are repaired.
    pub doublewrite: bool,
    /// `log_bin`.
    pub binlog: bool,
    /// `sync_binlog`: 1 flushes the binary log at each commit.
    pub sync_binlog: u64,
}

impl ServerSettings {
    /// Whether a commit that was acknowledged survives a power loss.
    pub fn is_durable(&self) -> bool {
        self.flush_log_at_commit == 1 && self.doublewrite && (!self.binlog || self.sync_binlog == 1)
    }
}
