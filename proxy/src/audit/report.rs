//! What an audit found, for people and as data.

use std::fmt;

use serde::Serialize;

/// The version of the JSON form; raised when a field changes its meaning or goes away.
pub const REPORT_VERSION: u32 = 1;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The coupons of a sub-stock on a primary are not as many as its ledger issued: a row was deleted or added by hand,
    /// or the ledger was changed by hand.
    LedgerDiffers,
    /// The ledgers issued more than a sub-stock's allotment.
    AllotmentExceeded,
    /// The ledgers issued more than the template's total.
    TotalExceeded,
    /// The allotments do not add up to the total.
    AllotmentsDiffer,
    /// Sold out is said, and units are left.
    SoldOutTooSoon,
    /// One request id made several coupons.
    RequestTwice,
    /// The operation log of a coupon tells a life that the rules do not allow: a step that does not follow from those
    /// before it, or a gap.
    LogBroken,
    /// A budget in money was exceeded, or granted beyond itself.
    BudgetExceeded,
    /// What a primary says was spent of a budget is not what its logs add up to.
    BudgetDiffers,
    /// There is a log, and no coupon.
    LogWithoutCoupon,
    /// A user's coupons of a template are not numbered 1, 2, ...
    SeqGap,
    /// A user holds more than the limit.
    LimitExceeded,
    /// A user claimed more in one day than the limit a day.
    DailyLimitExceeded,
    /// A row stands under another tail than its user's.
    TailDiffers,
    /// A tail has rows on a primary that it does not belong to.
    ForeignTail,
    /// Rows of a template that meta does not have.
    UnknownTemplate,
    /// Rows of a sub-stock that the template does not have.
    UnknownSubStock,
    /// A published template lacks ledger rows, or has too many.
    LedgerRows,
    /// A fence is above the epoch of meta: meta has lost commits, or the fence was changed by hand.
    FenceAboveMeta,
    /// Meta's list of sub-stocks and its records of them differ.
    SubStocksDiffer,
    /// The list of a bulk job has not as many users as it was started with.
    BulkListDiffers,
    /// A bulk job has ended, and users of its list have no result.
    BulkPending,
    /// A result of a bulk job says that there is a coupon, and there is none; or the other way round.
    BulkResultDiffers,
    /// The uses of an exchange code are not numbered 1, 2, ..., or are more than it has.
    CodeUsesDiffer,
    /// There are uses of an exchange code that no batch has.
    CodeUnknown,
    /// Uses of an exchange code stand under another tail, or on another primary, than theirs.
    CodeTailDiffers,
    /// A use of an exchange code is one user's, and the coupon of its request id is another's.
    CodeCouponDiffers,
    /// The request id of a coupon is that of a use of an exchange code, and there is no such use.
    CodeUseMissing,
    /// There is a pack, and not all of its coupons.
    PackNotWhole,
    /// A pack stands under another tail, or on another primary, than its user's.
    PackTailDiffers,
    /// What a primary says of archived coupons does not add up.
    ArchiveDiffers,
    /// A primary holds a template to be closed for good that is not, or has archived coupons of one that is not closed.
    ClosedTooSoon,
    /// A file of the archive that a primary has registered is not in its folder.
    ArchiveFileMissing,
    /// A file of the archive is not what was registered.
    ArchiveFileBroken,
}

impl Kind {
    /// The promise that it breaks, or endangers.
    #[must_use]
    pub fn promise(self) -> u8 {
        match self {
            Kind::AllotmentExceeded
            | Kind::BudgetExceeded
            | Kind::BudgetDiffers
            | Kind::TotalExceeded
            | Kind::AllotmentsDiffer
            | Kind::FenceAboveMeta
            | Kind::LedgerRows
            | Kind::UnknownTemplate
            | Kind::UnknownSubStock
            | Kind::SubStocksDiffer => 1,
            Kind::SoldOutTooSoon => 2,
            Kind::RequestTwice
            | Kind::LogBroken
            | Kind::BulkListDiffers
            | Kind::BulkPending
            | Kind::BulkResultDiffers
            | Kind::CodeUsesDiffer
            | Kind::CodeUnknown
            | Kind::CodeTailDiffers
            | Kind::CodeCouponDiffers
            | Kind::CodeUseMissing
            | Kind::PackNotWhole
            | Kind::PackTailDiffers
            | Kind::ClosedTooSoon => 3,
            Kind::SeqGap | Kind::LimitExceeded | Kind::DailyLimitExceeded | Kind::TailDiffers | Kind::ForeignTail => 4,
            Kind::LedgerDiffers
            | Kind::LogWithoutCoupon
            | Kind::ArchiveDiffers
            | Kind::ArchiveFileMissing
            | Kind::ArchiveFileBroken => 5,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Kind::LedgerDiffers => "the coupons are not as many as the ledger issued",
            Kind::AllotmentExceeded => "more issued than allotted",
            Kind::TotalExceeded => "more issued than the total",
            Kind::AllotmentsDiffer => "the allotments do not add up to the total",
            Kind::SoldOutTooSoon => "sold out, and units are left",
            Kind::RequestTwice => "one request made several coupons",
            Kind::LogBroken => "the log of a coupon does not follow the rules",
            Kind::BudgetExceeded => "more of a budget than there is",
            Kind::BudgetDiffers => "what was spent of a budget is not what the logs say",
            Kind::LogWithoutCoupon => "a log of no coupon",
            Kind::SeqGap => "the numbers of a user's coupons have a gap",
            Kind::LimitExceeded => "a user is above the limit",
            Kind::DailyLimitExceeded => "a user is above the limit of a day",
            Kind::TailDiffers => "a coupon stands under another tail than its user's",
            Kind::ForeignTail => "coupons of a tail that belongs to another primary",
            Kind::UnknownTemplate => "the template is not in meta",
            Kind::UnknownSubStock => "the sub-stock is not in meta",
            Kind::LedgerRows => "ledger rows are missing, or too many",
            Kind::FenceAboveMeta => "a fence is above the epoch of meta",
            Kind::SubStocksDiffer => "the template's sub-stocks are not those of meta",
            Kind::BulkListDiffers => "a list has not the users that it was started with",
            Kind::BulkPending => "a job has ended, and users have no result",
            Kind::BulkResultDiffers => "results are not as the coupons",
            Kind::CodeUsesDiffer => "the uses of a code have a gap, or are too many",
            Kind::CodeUnknown => "uses of a code that no batch has",
            Kind::CodeTailDiffers => "uses of a code stand where they do not belong",
            Kind::CodeCouponDiffers => "the coupon of a use of a code is another user's",
            Kind::CodeUseMissing => "a coupon of a code without its use",
            Kind::PackNotWhole => "a pack lacks coupons",
            Kind::PackTailDiffers => "packs stand where they do not belong",
            Kind::ArchiveDiffers => "what was archived does not add up",
            Kind::ClosedTooSoon => "a template is not closed for good, and is taken for it",
            Kind::ArchiveFileMissing => "a file of the archive is missing",
            Kind::ArchiveFileBroken => "a file of the archive is broken",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The promise that it breaks, or endangers: 1 to 5.
    pub promise: u8,
    /// On which primary; `None`: over all.
    pub primary: Option<u16>,
    /// Of which template.
    pub template: Option<u32>,
    /// Of which sub-stock.
    pub sub_stock: Option<u16>,
    /// Of which user.
    pub user: Option<u64>,
    /// Of which bulk job.
    pub job: Option<u32>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(primary) = self.primary {
            write!(f, "p{primary:02} ")?;
        }
        if let Some(template) = self.template {
            write!(f, "template {template} ")?;
        }
        if let Some(sub_stock) = self.sub_stock {
            write!(f, "sub-stock {sub_stock:02} ")?;
        }
        if let Some(user) = self.user {
            write!(f, "user {user} ")?;
        }
        if let Some(job) = self.job {
            write!(f, "bulk job {job} ")?;
        }
        write!(f, "{}: expected {}, found {}", self.kind.words(), self.expected, self.found)
    }
}

/// A primary that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unaudited {
    /// Which.
    pub primary: u16,
    /// Why.
    pub why: String,
}

/// What an audit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was read, and every promise holds as far as the stores show it.
    Clean,
    /// Everything was read, and something is wrong.
    Findings,
    /// Not everything could be read.
    Incomplete,
}

impl Verdict {
    /// The exit code of the command.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Clean => 0,
            Verdict::Findings => 1,
            Verdict::Incomplete => 2,
        }
    }
}

/// An audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// What it came to. Only [`Verdict::Clean`] is good.
    pub verdict: Verdict,
    /// The topology that it went by.
    pub topology_version: u64,
    /// Primaries that were read.
    pub primaries: usize,
    /// Primaries that could not be read.
    pub unaudited: Vec<Unaudited>,
    /// Templates in meta.
    pub templates: usize,
    /// Coupons counted.
    pub coupons: u64,
    /// Coupons that were archived.
    pub archived: u64,
    /// Units that the ledgers say were issued.
    pub issued: u64,
    /// Steps of orders in the logs of coupons.
    pub steps: u64,
    /// What is wrong, by kind and place. Of each kind that is listed user by user, at most 100 a primary.
    pub findings: Vec<Finding>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

const PROMISES: [(u8, &str); 5] = [
    (1, "no oversell: issued <= allotted <= total, by the ledgers of all primaries; spent <= granted <= budget"),
    (2, "no undersell: sold out is said only when all is issued"),
    (
        3,
        "exactly once: no request made two coupons, logs follow the rules, bulk jobs add up to their lists, codes to their uses",
    ),
    (4, "the limits per user: densely numbered, on the one right primary"),
    (5, "durable: every unit that was issued is a coupon that is there or archived, and so is that of every log"),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { primaries, templates, coupons, archived, issued, steps, took_ms, .. } = self;
        writeln!(
            f,
            "{primaries} primaries, {templates} templates, {coupons} coupons, {archived} archived, {issued} issued, {steps} steps \
             of orders, {took_ms} ms"
        )?;
        for (promise, words) in PROMISES {
            let count = self.findings.iter().filter(|finding| finding.promise == promise).count();
            let verdict = match (count, self.unaudited.is_empty()) {
                (0, true) => "holds".to_owned(),
                (0, false) => "not known".to_owned(),
                (count, _) => format!("{count} finding(s)"),
            };
            writeln!(f, "  {promise}  {verdict:<14} {words}")?;
        }
        for finding in &self.findings {
            writeln!(f, "finding: {finding}")?;
        }
        for Unaudited { primary, why } in &self.unaudited {
            writeln!(f, "not audited: p{primary:02}: {why}")?;
        }
        writeln!(f, "{}", verdict_words(self.verdict))
    }
}

fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean => "clean",
        Verdict::Findings => "FINDINGS: something is wrong",
        Verdict::Incomplete => "INCOMPLETE: not everything could be read, so nothing is certain",
    }
}
