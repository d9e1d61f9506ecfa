//! What happens in a run, drawn from the seed before it begins: claims, orders, operators, faults. A plan can be cut down, which is
//! how a failing run becomes a short one.

mod draw;
mod tell;

use serde::{Deserialize, Serialize};

use super::fault::{FaultPlan, What};
use crate::history::Act;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Decides everything else: delays, losses, orders.
    pub seed: u64,
    /// What there is.
    pub size: Size,
    /// The templates, in the order of their creation.
    pub templates: Vec<TemplatePlan>,
    /// What clients want.
    pub claims: Vec<ClaimPlan>,
    /// What orders want of the coupons of the clients.
    #[serde(default)]
    pub orders: Vec<OrderPlan>,
    /// Packs that clients want.
    #[serde(default)]
    pub packs: Vec<PackPlan>,
    /// Bulk jobs.
    #[serde(default)]
    pub jobs: Vec<JobPlan>,
    /// Batches of codes, and who claims with them.
    #[serde(default)]
    pub codes: Vec<CodesPlan>,
    /// Proxies patrol.
    #[serde(default)]
    pub patrol: Option<PatrolPlan>,
    /// What operators do.
    pub changes: Vec<ChangePlan>,
    /// What breaks.
    pub faults: Vec<FaultPlan>,
    /// When all faults end.
    pub heal_at_ms: u64,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Proxies.
    pub proxies: usize,
    /// Primaries.
    pub primaries: u16,
    /// Shards.
    pub shards: u16,
    /// Sub-stocks of a template on each shard.
    pub sub_stocks_per_shard: u16,
    /// Ledger rows of a sub-stock on each primary.
    pub stripes: u16,
    /// Record lanes of each primary.
    pub lanes: u16,
    /// Rows of a batch at most.
    pub batch_rows_max: usize,
    /// Users and templates whose coupons the record lanes remember.
    pub recent_max: usize,
    /// How long a shard is away before its units are moved, in milliseconds.
    pub move_after_ms: u64,
}

/// A template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplatePlan {
    /// Its stock.
    pub total: u64,
    /// Its limit per user.
    pub limit: u32,
    /// Its limit per user and day; 0: none. One day ends in the middle of a run.
    #[serde(default)]
    pub daily: u32,
    /// What its coupons take off in all at most, in minor units; 0: no budget.
    #[serde(default)]
    pub budget_minor: u64,
    /// How long its coupons can be used, in seconds.
    #[serde(default = "lasts_s")]
    pub lasts_s: u64,
}

/// Longer than any run.
pub const LASTS_S: u64 = 3_600;

fn lasts_s() -> u64 {
    LASTS_S
}

/// One thing that a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimPlan {
    /// When.
    pub at_ms: u64,
    /// For whom.
    pub user: u64,
    /// Of which template, by its index.
    pub template: usize,
    /// The deadline of each send.
    pub deadline_ms: u64,
    /// How long the caller listens.
    pub patience_ms: u64,
    /// How often it is sent at most, before the end.
    pub sends_max: u32,
    /// The first send goes to two proxies at once.
    pub doubled: bool,
    /// The first send says that it is the first.
    pub promises: bool,
    /// What became of it is asked, and not only sent again.
    pub asks: bool,
}

/// An order: it takes what coupons its user has by then, and goes from act to act as long as the answers allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlan {
    /// When.
    pub at_ms: u64,
    /// Of which user.
    pub user: u64,
    /// Coupons at most.
    pub coupons_max: usize,
    /// What it wants, in this order. Nothing twice.
    pub acts: Vec<Act>,
    /// How long its locks last.
    pub ttl_ms: u64,
    /// What each coupon takes off, in minor units.
    pub amount_minor: u64,
    /// The deadline of each send.
    pub deadline_ms: u64,
    /// How long the caller listens.
    pub patience_ms: u64,
    /// How often each act is sent at most, before the end.
    pub sends_max: u32,
    /// The first send of each act goes to two proxies at once.
    pub doubled: bool,
    /// How long it waits between two acts.
    #[serde(default)]
    pub pause_ms: u64,
}

/// A pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackPlan {
    /// When.
    pub at_ms: u64,
    /// For which user.
    pub user: u64,
    /// The templates, by their indexes, and how many of each.
    pub items: Vec<(usize, u8)>,
    /// The deadline of each send.
    pub deadline_ms: u64,
    /// How long the caller listens.
    pub patience_ms: u64,
    /// How often it is sent at most, before the end.
    pub sends_max: u32,
    /// The first send goes to two proxies at once.
    pub doubled: bool,
}

/// A bulk job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPlan {
    /// When it is submitted.
    pub at_ms: u64,
    /// Of which template, by its index.
    pub template: usize,
    /// Its list.
    pub users: Vec<u64>,
    /// Users a second; 0: no limit.
    pub rate_per_s: u32,
    /// It is submitted twice at once.
    pub doubled: bool,
    /// It is paused so long after its start, and for how long, in milliseconds.
    pub paused: Option<(u64, u64)>,
    /// It is cancelled so long after its start, in milliseconds.
    pub cancelled_ms: Option<u64>,
}

/// A batch of codes, and who claims with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesPlan {
    /// Of which template, by its index.
    pub template: usize,
    /// How many codes.
    pub count: u32,
    /// How many users can use each.
    pub uses: u32,
    /// Who claims when. Nobody twice with one code.
    pub claims: Vec<CodeClaimPlan>,
}

/// One claim by code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeClaimPlan {
    /// When.
    pub at_ms: u64,
    /// For whom.
    pub user: u64,
    /// With which code, by its index.
    pub index: u32,
    /// The deadline of each send.
    pub deadline_ms: u64,
    /// How long the caller listens.
    pub patience_ms: u64,
    /// How often it is sent at most, before the end.
    pub sends_max: u32,
    /// The first send goes to two proxies at once.
    pub doubled: bool,
}

/// The patrol of every proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatrolPlan {
    /// Coupons read at once.
    pub slice_rows: usize,
    /// From the beginning of a round to that of the next one.
    pub round_ms: u64,
    /// How long before the end users are reminded.
    pub remind_before_ms: Vec<u64>,
    /// When which user looks at all coupons.
    pub looks: Vec<(u64, u64)>,
}

/// One thing that an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePlan {
    /// When.
    pub at_ms: u64,
    /// With which template, by its index.
    pub template: usize,
    /// What.
    pub change: Change,
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Adds units, or withdraws them.
    Stock(i64),
    /// Pauses it for so long, in milliseconds.
    Pause(u64),
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        draw::plan(seed)
    }

    /// Whether stock is added or taken on the way.
    pub fn changes_stock(&self) -> bool {
        self.changes.iter().any(|change| matches!(change.change, Change::Stock(_)))
    }

    /// Whether a template has a limit a day.
    pub fn has_days(&self) -> bool {
        self.templates.iter().any(|template| template.daily > 0)
    }

    /// Whether a template is paused on the way.
    pub fn pauses(&self) -> bool {
        self.changes.iter().any(|change| matches!(change.change, Change::Pause(_)))
    }

    /// How many faults there are of each kind.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.faults.iter().map(|fault| What::kind(&fault.what))
    }
}
