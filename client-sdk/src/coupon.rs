//! Claims and coupons as callers see them.

use std::time::Duration;

use scrip_protocol::v1;
use scrip_protocol::{CouponId, CouponNumber, RequestId, TemplateId, UserId};

use crate::reply::Malformed;

/// A request for one coupon. There is none without a request id: mint it, store it, then send it.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub(crate) user: UserId,
    pub(crate) template: TemplateId,
    pub(crate) request_id: RequestId,
    pub(crate) first_try: bool,
    pub(crate) deadline: Option<Duration>,
}

impl Claim {
    /// One coupon of the template for the user. The same three values, sent any number of times, give one coupon.
    pub fn new(user: UserId, template: TemplateId, request_id: RequestId) -> Self {
        Self { user, template, request_id, first_try: false, deadline: None }
    }

    /// The caller promises that this request id was never sent before, by anyone, and that nobody else sends it before
    /// this claim has ended: a refusal then costs the proxy no look-up.
    #[must_use]
    pub fn first_try(mut self) -> Self {
        self.first_try = true;
        self
    }

    /// One deadline over all attempts, instead of the client's.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// For whom.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Of which template.
    pub fn template(&self) -> TemplateId {
        self.template
    }

    /// Under which request id.
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }
}

/// One template in the hands of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coupon {
    /// The public id, which cannot be guessed.
    pub coupon_id: CouponId,
    /// Whose it is.
    pub user: UserId,
    /// What it is.
    pub template: TemplateId,
    /// The user's seq-th coupon of the template: 1, 2, ...
    pub seq: u32,
    /// The request that made it.
    pub request_id: RequestId,
    /// What can be done with it now.
    pub status: CouponStatus,
    /// Milliseconds since 1970-01-01 UTC.
    pub claimed_at_ms: i64,
    /// Usable from here (inclusive), in milliseconds since 1970-01-01 UTC.
    pub valid_from_ms: i64,
    /// Usable until there (exclusive), in milliseconds since 1970-01-01 UTC.
    pub valid_until_ms: i64,
    /// While an order holds it: until when, in milliseconds since 1970-01-01 UTC.
    pub locked_until_ms: Option<i64>,
    /// This answer repeats one given before.
    pub replayed: bool,
    /// What people read to each other; [`Client::find_coupon`](crate::Client::find_coupon) finds the coupon by it. `None`
    /// in what claims and orders answer: a listing and [`Client::get_coupon`](crate::Client::get_coupon) have it.
    pub number: Option<CouponNumber>,
}

/// What can be done with a coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CouponStatus {
    /// It can be used.
    Unused,
    /// An order holds it.
    Locked,
    /// It was used.
    Used,
    /// Its time is over.
    Expired,
    /// A status that this version does not know.
    Newer(i32),
}

/// Which coupons to list.
#[derive(Debug, Clone)]
pub struct CouponQuery {
    pub(crate) user: UserId,
    pub(crate) status: Option<CouponStatus>,
    pub(crate) template: Option<TemplateId>,
    pub(crate) page_size: u32,
    pub(crate) order: CouponOrder,
}

/// In which order coupons are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CouponOrder {
    /// By template, then by seq: the cheapest.
    #[default]
    Template,
    /// The latest claim first. Each page costs a read of all of the user's coupons, of which there may be 10,000 at most.
    Newest,
    /// What ends first, first. Costs the same.
    Ending,
}

/// How many coupons a user has, by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CouponCounts {
    /// That can be used, now or later.
    pub unused: u32,
    /// That orders hold.
    pub locked: u32,
    /// That were used.
    pub used: u32,
    /// Whose time is over.
    pub expired: u32,
    /// A replica served it, and it holds everything that was acknowledged until so long ago. `None`: the primary served it.
    pub staleness: Option<Duration>,
}

impl CouponQuery {
    /// All coupons of the user.
    pub fn new(user: UserId) -> Self {
        Self { user, status: None, template: None, page_size: 0, order: CouponOrder::Template }
    }

    /// Only those of this status.
    #[must_use]
    pub fn status(mut self, status: CouponStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Only those of this template.
    #[must_use]
    pub fn template(mut self, template: TemplateId) -> Self {
        self.template = Some(template);
        self
    }

    /// In this order.
    #[must_use]
    pub fn order(mut self, order: CouponOrder) -> Self {
        self.order = order;
        self
    }

    /// Coupons on a page: 1 to 500. 50 unless said otherwise.
    #[must_use]
    pub fn page_size(mut self, page_size: u32) -> Self {
        self.page_size = page_size;
        self
    }
}

/// Where the next page of a listing begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponCursor(pub(crate) bytes::Bytes);

/// Some coupons of a user, in the order that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponPage {
    /// The coupons.
    pub coupons: Vec<Coupon>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<CouponCursor>,
    /// A replica served it, and it holds everything that was acknowledged until so long ago. `None`: the primary served it.
    pub staleness: Option<Duration>,
}

impl Coupon {
    pub(crate) fn from_wire(wire: v1::Coupon) -> Result<Self, Malformed> {
        Ok(Self {
            coupon_id: CouponId::try_from_slice(&wire.coupon_id).map_err(|_| Malformed("a coupon id"))?,
            user: UserId(wire.user_id),
            template: TemplateId::try_new(wire.template_id).map_err(|_| Malformed("a template id"))?,
            seq: wire.seq,
            request_id: RequestId::try_from_slice(&wire.request_id).map_err(|_| Malformed("a request id"))?,
            status: CouponStatus::from_number(wire.status),
            claimed_at_ms: wire.claimed_at_ms,
            valid_from_ms: wire.valid_from_ms,
            valid_until_ms: wire.valid_until_ms,
            locked_until_ms: (wire.locked_until_ms != 0).then_some(wire.locked_until_ms),
            replayed: wire.replayed,
            number: wire.number.parse().ok(),
        })
    }
}

impl CouponOrder {
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Template => v1::CouponOrder::Unspecified.into(),
            Self::Newest => v1::CouponOrder::Newest.into(),
            Self::Ending => v1::CouponOrder::Ending.into(),
        }
    }
}

impl CouponCounts {
    pub(crate) fn from_wire(wire: v1::CouponCounts, staleness: Option<Duration>) -> Self {
        let v1::CouponCounts { unused, locked, used, expired } = wire;
        Self { unused, locked, used, expired, staleness }
    }
}

impl CouponPage {
    pub(crate) fn from_wire(wire: v1::CouponPage, staleness: Option<Duration>) -> Result<Self, Malformed> {
        let coupons = wire.coupons.into_iter().map(Coupon::from_wire).collect::<Result<_, _>>()?;
        let next = (!wire.next_cursor.is_empty()).then_some(CouponCursor(wire.next_cursor));
        Ok(Self { coupons, next, staleness })
    }
}

impl CouponStatus {
    fn from_number(number: i32) -> Self {
        match v1::CouponStatus::try_from(number) {
            Ok(v1::CouponStatus::Unused) => Self::Unused,
            Ok(v1::CouponStatus::Locked) => Self::Locked,
            Ok(v1::CouponStatus::Used) => Self::Used,
            Ok(v1::CouponStatus::Expired) => Self::Expired,
            Ok(v1::CouponStatus::Unspecified) | Err(_) => Self::Newer(number),
        }
    }

    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Unused => v1::CouponStatus::Unused.into(),
            Self::Locked => v1::CouponStatus::Locked.into(),
            Self::Used => v1::CouponStatus::Used.into(),
            Self::Expired => v1::CouponStatus::Expired.into(),
            Self::Newer(number) => number,
        }
    }
}
