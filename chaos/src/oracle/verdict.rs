//! What the checks found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Examples that are kept of each kind.
const EXAMPLES_MAX: usize = 5;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// More coupons, or more issued, than the template's total.
    Oversold,
    /// More issued from a sub-stock than was allotted to it.
    AllotmentExceeded,
    /// The allotments do not add up to the total.
    AllotmentsDiffer,
    /// A shard would hand out more units than are left.
    StockAboveRest,
    /// Sold out is said, and the ledgers do not add up to the total.
    SoldOutTooSoon,
    /// A coupon was issued for a request that was first sent after "sold out" had been told.
    SoldAfterSoldOut,
    /// Units were left although more were wanted.
    Unsold,
    /// One request id made several coupons.
    RequestTwice,
    /// Two sends of one request were told of different coupons.
    AnswersDiffer,
    /// One send of a request was given a coupon, another one was refused by the rules.
    GrantedAndRefused,
    /// Somebody asked for a coupon that had been told, and was told that there is none.
    Forgotten,
    /// A coupon that nobody asked for.
    NeverAsked,
    /// A user holds more than the limit.
    LimitExceeded,
    /// A user's coupons are not numbered 1, 2, ...
    SeqGap,
    /// A coupon is not on the primary of its user's tail.
    Misplaced,
    /// A coupon that a caller was told of is not in the stores, or is another one there.
    Missing,
    /// A ledger and the coupons that it counts differ.
    LedgerDiffers,
    /// A primary does not flush what it acknowledges.
    NotDurable,
    /// Every send of a request was told "not applied", and there is a coupon of it.
    AppliedAfterAll,
    /// A request that was followed up is in doubt still.
    Undecided,
    /// The total of a template is not what operators were told that it is.
    TotalDiffers,
    /// Two answers to one change of stock differ.
    ChangesDiffer,
    /// A claim was refused because the template was paused or closed, and nobody had paused or closed it.
    PausedByNobody,
    /// A coupon of a template that nobody had closed is in the archive.
    ArchivedTooSoon,
    /// The steps of a coupon are not numbered 1, 2, ...
    StepGap,
    /// A coupon was redeemed while an order had used it.
    UsedTwice,
    /// An order was told "done", and a step of it is missing.
    StepMissing,
    /// Every send of an order's deed was told "not applied", and there is a step of it.
    StepAfterAll,
    /// A deed was done to some of an order's coupons, and not to the others.
    OrderHalfDone,
    /// A step that nobody asked for.
    StepByNobody,
    /// A pack is there without all of its coupons, or some of its coupons without it.
    PackTorn,
    /// A pack is there more than once, elsewhere than its user, or with other items than were asked for.
    PackRowsDiffer,
    /// A pack that nobody asked for.
    PackByNobody,
    /// Every send of a pack was told "not applied", and it is there.
    PackAfterAll,
    /// One request made several jobs.
    JobTwice,
    /// The results of a job are not those of its list.
    JobListDiffers,
    /// The result of a user of a job is not what the stores say.
    JobResultDiffers,
    /// The uses of a code have a gap, are too many, of one user twice, or in the wrong place.
    UsesDiffer,
    /// A use that nobody asked for.
    UseByNobody,
    /// A use has no coupon, and nobody was told why.
    UseWithoutCoupon,
    /// A coupon of a code has no use.
    CouponWithoutUse,
    /// A code was said to be used up, and has uses left.
    UsedUpTooSoon,
    /// A fact that was not told.
    EventMissing,
    /// Facts of one coupon, or coupons of one user, were told in another order.
    EventOutOfOrder,
    /// Something was told that did not happen.
    EventFalse,
    /// A user was reminded twice.
    ReminderTwice,
}

impl Kind {
    /// The promise that it breaks: 1 to 6, as the design numbers them.
    pub fn promise(self) -> u8 {
        match self {
            Self::Oversold | Self::AllotmentExceeded | Self::AllotmentsDiffer | Self::StockAboveRest => 1,
            Self::SoldOutTooSoon | Self::SoldAfterSoldOut | Self::Unsold | Self::UsedUpTooSoon => 2,
            Self::RequestTwice | Self::AnswersDiffer | Self::GrantedAndRefused => 3,
            Self::Forgotten | Self::NeverAsked | Self::ChangesDiffer => 3,
            Self::UsedTwice | Self::OrderHalfDone | Self::StepByNobody => 3,
            Self::PackTorn | Self::PackRowsDiffer | Self::PackByNobody => 3,
            Self::JobTwice | Self::JobListDiffers | Self::JobResultDiffers => 3,
            Self::UseByNobody | Self::UseWithoutCoupon | Self::CouponWithoutUse => 3,
            Self::EventOutOfOrder | Self::EventFalse | Self::ReminderTwice => 3,
            Self::LimitExceeded | Self::SeqGap | Self::Misplaced | Self::StepGap => 4,
            Self::UsesDiffer => 4,
            Self::Missing | Self::LedgerDiffers | Self::NotDurable | Self::StepMissing => 5,
            Self::EventMissing | Self::ArchivedTooSoon => 5,
            Self::AppliedAfterAll | Self::Undecided | Self::TotalDiffers | Self::PausedByNobody => 6,
            Self::StepAfterAll | Self::PackAfterAll => 6,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Oversold => "more coupons than units",
            Self::AllotmentExceeded => "more issued than allotted",
            Self::AllotmentsDiffer => "the allotments do not add up to the total",
            Self::StockAboveRest => "a shard would hand out more than is left",
            Self::SoldOutTooSoon => "sold out was said while units were left",
            Self::SoldAfterSoldOut => "sold after sold out was said",
            Self::Unsold => "units were left unsold",
            Self::RequestTwice => "a request has more than one coupon",
            Self::AnswersDiffer => "a replay got another answer",
            Self::GrantedAndRefused => "a request was both granted and refused",
            Self::Forgotten => "a coupon that was told is not found",
            Self::NeverAsked => "a coupon that nobody asked for",
            Self::LimitExceeded => "a user is above the limit",
            Self::SeqGap => "the numbers of a user's coupons have a gap",
            Self::Misplaced => "a coupon is not on its user's primary",
            Self::Missing => "an acknowledged coupon is missing",
            Self::LedgerDiffers => "ledger and coupons differ",
            Self::NotDurable => "a primary does not flush its commits",
            Self::AppliedAfterAll => "told 'not applied', and applied",
            Self::Undecided => "a request that was followed up is in doubt",
            Self::TotalDiffers => "the total is not what operators were told",
            Self::ChangesDiffer => "a repeated change of stock got another answer",
            Self::PausedByNobody => "refused as paused or closed, and nobody had paused or closed",
            Self::ArchivedTooSoon => "a coupon is archived, and nobody had closed its template",
            Self::StepGap => "the steps of a coupon have a gap",
            Self::UsedTwice => "a coupon was used while an order had used it",
            Self::StepMissing => "an acknowledged step of an order is missing",
            Self::StepAfterAll => "an order was told 'not applied', and has a step",
            Self::OrderHalfDone => "an order has done to some of its coupons what it wanted of all",
            Self::StepByNobody => "a step that nobody asked for",
            Self::PackTorn => "a pack is not whole",
            Self::PackRowsDiffer => "a pack is there twice, in the wrong place, or with other items",
            Self::PackByNobody => "a pack that nobody asked for",
            Self::PackAfterAll => "a pack was told 'not applied', and is there",
            Self::JobTwice => "one request has made several bulk jobs",
            Self::JobListDiffers => "the results of a bulk job are not those of its list",
            Self::JobResultDiffers => "the result of a user of a bulk job is not what the stores say",
            Self::UsesDiffer => "the uses of a code have a gap, are too many, or in the wrong place",
            Self::UseByNobody => "a use of a code that nobody asked for",
            Self::UseWithoutCoupon => "a use of a code has no coupon, and nobody was told why",
            Self::CouponWithoutUse => "a coupon of a code has no use",
            Self::UsedUpTooSoon => "a code was said to be used up while it had uses left",
            Self::EventMissing => "a fact was not told as an event",
            Self::EventOutOfOrder => "events came out of order",
            Self::EventFalse => "an event tells of what did not happen",
            Self::ReminderTwice => "a user was reminded twice",
        }
    }
}

/// All violations of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What.
    pub kind: Kind,
    /// The promise that it breaks.
    pub promise: u8,
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}: {}", self.count, self.kind.words(), self.examples.join("; "))
    }
}

/// What was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Primaries that were read.
    pub primaries: u64,
    /// Units of all templates.
    pub total_stock: u64,
    /// Coupons on all primaries, and in the archive.
    pub coupons: u64,
    /// Those of them that are in the archive.
    pub archived: u64,
    /// Units that the ledgers say were issued.
    pub issued: u64,
    /// Units that the shards would still hand out.
    pub left: u64,
    /// Units that are not issued.
    pub unsold: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Sends of them; a send of a pack counts for each of its coupons.
    pub sends: u64,
    /// Sends without an answer.
    pub unanswered: u64,
    /// Sends that were told of a coupon.
    pub told_coupon: u64,
    /// Different coupons that callers were told of.
    pub acknowledged: u64,
    /// Sends that were told "not applied".
    pub told_not_applied: u64,
    /// Sends that were told "unknown".
    pub told_unknown: u64,
    /// Sends that were told "sold out".
    pub told_sold_out: u64,
    /// Questions what became of a request.
    pub asks: u64,
    /// Sends of what orders want.
    pub deed_sends: u64,
    /// Steps in the logs of coupons.
    pub steps: u64,
    /// Packs on all primaries.
    pub packs: u64,
    /// Results of bulk jobs.
    pub bulk_results: u64,
    /// Uses of codes.
    pub code_uses: u64,
    /// Events that a consumer read, repeats left out.
    pub events: u64,
    /// What operators did.
    pub operations: u64,
    /// Coupons that callers were told of and that a fail-over took, as was announced.
    pub excused: u64,
    /// Users with coupons.
    pub users: u64,
    /// The most coupons of one template that a user holds.
    pub coupons_of_a_user_max: u64,
    /// Primaries that flush what they acknowledge.
    pub durable_primaries: u64,
}

/// What was compared and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What was compared.
    pub counts: Counts,
    violations: BTreeMap<Kind, (u64, Vec<String>)>,
}

impl Verdict {
    pub(super) fn add(&mut self, kind: Kind, example: impl FnOnce() -> String) {
        let (count, examples) = self.violations.entry(kind).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(example());
        }
    }

    /// How many violations of this kind there are.
    pub fn count(&self, kind: Kind) -> u64 {
        self.violations.get(&kind).map_or(0, |(count, _)| *count)
    }

    /// All that is wrong, by kind; empty: everything holds.
    pub fn violations(&self) -> Vec<Violation> {
        let violation = |(kind, (count, examples)): (&Kind, &(u64, Vec<String>))| Violation {
            kind: *kind,
            promise: kind.promise(),
            count: *count,
            examples: examples.clone(),
        };
        self.violations.iter().map(violation).collect()
    }

    /// Whether nothing breaks this promise.
    pub fn holds(&self, promise: u8) -> bool {
        !self.violations.keys().any(|kind| kind.promise() == promise)
    }
}
