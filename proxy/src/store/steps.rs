//! What happens to a coupon after it was claimed: an append-only log, one step a row.
//!
//! Steps of a coupon are numbered densely from 1, and the number is part of the primary key: who inserts step `n + 1` has
//! seen step `n`, and of several who saw the same one wins. So the log needs no lock, its last row is the state of the
//! coupon, and an operation that is sent twice meets its own step.

use scrip_protocol::v1::{CouponStatus, StepKind};
use scrip_protocol::{OrderId, RequestId, TemplateId, UserId};

use super::CouponRow;

/// One coupon of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CouponKey {
    /// The user, whose tail decides the primary.
    pub user: UserId,
    /// The template.
    pub template: TemplateId,
    /// The user's seq-th coupon of the template.
    pub seq: u16,
}

/// Who holds a coupon after a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Hold {
    /// Nobody.
    #[default]
    Unused,
    /// An order, until then (milliseconds since 1970-01-01 UTC, exclusive).
    Locked {
        /// Whose lock it is.
        order: OrderId,
        /// When it ends.
        until_ms: u64,
    },
    /// An order has used it.
    Used {
        /// Which.
        order: OrderId,
    },
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// 1, 2, ...
    pub number: u16,
    /// What was done.
    pub kind: StepKind,
    /// By which order; none: what time has done, as the patrol wrote it down.
    pub order: Option<OrderId>,
    /// Who holds the coupon after it.
    pub hold: Hold,
    /// What a redemption takes off, or what a return gives back; in minor units.
    pub amount_minor: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
}

/// A coupon and its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponLog {
    /// The coupon as it was claimed.
    pub row: CouponRow,
    /// Its steps, by number.
    pub steps: Vec<Step>,
}

/// A step about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStep {
    /// Of which coupon.
    pub key: CouponKey,
    /// The step.
    pub step: Step,
    /// The connection on which the steps before it were read, as [`super::RecordWriter::connection`] numbers it. What was
    /// read from a server that has been replaced since says nothing about its successor.
    pub seen_on: u64,
}

/// What the steps of a batch spend of a template's budget, returns deducted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spend {
    /// Of which template.
    pub template: TemplateId,
    /// Minor units; negative: more is given back than spent.
    pub delta_minor: i64,
}

/// A template's budget on one primary, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// What its orders may spend.
    pub granted_minor: u64,
    /// What they have spent.
    pub spent_minor: u64,
}

impl CouponRow {
    /// A coupon that was just claimed.
    pub fn new(user: UserId, template: TemplateId, seq: u16, request: RequestId, claimed_at_ms: u64) -> Self {
        Self { user, template, seq, request, status: CouponStatus::Unused, locked_until_ms: 0, claimed_at_ms }
    }

    /// The same coupon, held so.
    #[must_use]
    pub fn held(self, hold: &Hold) -> Self {
        let (status, locked_until_ms) = match hold {
            Hold::Unused => (CouponStatus::Unused, 0),
            Hold::Locked { until_ms, .. } => (CouponStatus::Locked, *until_ms),
            Hold::Used { .. } => (CouponStatus::Used, 0),
        };
        Self { status, locked_until_ms, ..self }
    }

    /// Which coupon it is.
    pub fn key(&self) -> CouponKey {
        CouponKey { user: self.user, template: self.template, seq: self.seq }
    }
}

impl CouponLog {
    /// Who holds the coupon, as written down: a lock may be over.
    pub fn hold(&self) -> &Hold {
        self.steps.last().map_or(&Hold::Unused, |step| &step.hold)
    }

    /// The number of the next step.
    pub fn next(&self) -> u16 {
        // Far below the largest number: see `COUPON_STEPS_MAX`.
        self.steps.last().map_or(0, |step| step.number).saturating_add(1)
    }
}

impl Hold {
    /// Who holds it at that time: a lock ends by itself.
    pub fn at(&self, now_ms: u64) -> &Hold {
        match self {
            Hold::Locked { until_ms, .. } if now_ms >= *until_ms => &Hold::Unused,
            hold => hold,
        }
    }
}
