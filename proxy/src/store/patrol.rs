//! Where the patrol of a primary is, and what it sees.

use scrip_protocol::v1::StepKind;
use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::Tail;

use super::CouponRow;

/// A place in the clustered index of coupons: before the first of them by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The tail of the user.
    pub tail: u16,
    /// The user.
    pub user: u64,
    /// The template; 0: before the user's first coupon.
    pub template: u32,
    /// The user's seq-th coupon of the template.
    pub seq: u16,
}

/// A coupon that it came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// The coupon.
    pub row: CouponRow,
    /// The kind of its last step.
    pub last: Option<StepKind>,
}

/// What there is one reminder of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReminderKey {
    /// Whose coupon ends.
    pub user: UserId,
    /// Of which template.
    pub template: TemplateId,
    /// On which day (UTC), since 1970-01-01.
    pub end_day: u32,
    /// How long before, in milliseconds.
    pub before_ms: u64,
}

/// A reminder about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminder {
    /// What it is of.
    pub key: ReminderKey,
    /// One of the coupons.
    pub seq: u16,
    /// When that one ends, in milliseconds since 1970-01-01 UTC.
    pub until_ms: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
}

impl Position {
    /// Where a coupon is.
    pub fn of(row: &CouponRow) -> Self {
        let (user, template) = (row.user.get(), row.template.get());
        Self { tail: Tail::of_user(user).get(), user, template, seq: row.seq }
    }
}
