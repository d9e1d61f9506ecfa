//! Where the patrol of a primary is, what it sees, and what it reads and notes beside the logs of coupons.

use std::future::Future;
use std::time::Duration;

use scrip_protocol::v1::StepKind;
use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::{PrimaryId, Tail};

use super::events::Holder;
use super::{CouponRow, RecordError, RecordStore, StoreError};

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

/// The primaries, as the patrol sees them. Its steps go the way of those of orders: through a
/// [`RecordWriter`](super::RecordWriter).
pub trait PatrolStore: RecordStore {
    /// Takes the lease if it is over, or keeps it; `None`: somebody else holds it. Repeating it is harmless.
    fn hold(
        &self,
        primary: PrimaryId,
        name: &'static str,
        owner: &str,
        lasts: Duration,
    ) -> impl Future<Output = Result<Option<Holder>, StoreError>> + Send;

    /// How far the walk has come.
    fn position(&self, primary: PrimaryId) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// Notes how far it has come, unless the lease is somebody else's by now.
    fn note(
        &self,
        primary: PrimaryId,
        position: Position,
        holder: &Holder,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The next coupons after a position, in the order of the primary key; fewer than wanted: there are no more.
    fn walk(
        &self,
        primary: PrimaryId,
        after: Position,
        count_max: u32,
    ) -> impl Future<Output = Result<Vec<Walked>, StoreError>> + Send;

    /// Which of these reminders were made.
    fn reminded(
        &self,
        primary: PrimaryId,
        keys: &[ReminderKey],
    ) -> impl Future<Output = Result<Vec<ReminderKey>, StoreError>> + Send;

    /// One transaction, one attempt: all of these reminders and their events, or none. One that exists is a conflict.
    fn remind(
        &self,
        primary: PrimaryId,
        reminders: &[Reminder],
    ) -> impl Future<Output = Result<(), RecordError>> + Send;

    /// Drops some reminders of coupons that ended before a day; how many.
    fn forget(
        &self,
        primary: PrimaryId,
        before_day: u32,
        count_max: u32,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
