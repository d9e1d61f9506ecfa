//! What orders do with coupons, as callers see it.

use std::time::Duration;

use scrip_protocol::v1;
use scrip_protocol::{CouponId, OrderId};

use crate::coupon::Coupon;
use crate::reply::Malformed;

/// A coupon that an order uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redemption {
    /// Which.
    pub coupon_id: CouponId,
    /// What it takes off, in minor units of the template's currency: for the operation log.
    pub amount_minor: u64,
}

/// A coupon, and all that happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponHistory {
    /// As it stands now.
    pub coupon: Coupon,
    /// Oldest first.
    pub steps: Vec<CouponStep>,
    /// A replica served it, and it holds everything that was acknowledged until so long ago. `None`: the primary served it.
    pub staleness: Option<Duration>,
}

/// One line of a coupon's operation log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponStep {
    /// 1, 2, ...
    pub number: u32,
    /// What was done.
    pub kind: StepKind,
    /// By which order; none: what time has done.
    pub order_id: Option<OrderId>,
    /// Of a lock: when it ends, in milliseconds since 1970-01-01 UTC.
    pub locked_until_ms: Option<i64>,
    /// What a redemption took off, or what a return gave back; in minor units.
    pub amount_minor: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
}

/// What an order, or time, did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepKind {
    /// It holds the coupon.
    Locked,
    /// It used it.
    Redeemed,
    /// It freed it.
    Unlocked,
    /// It gave it back.
    Returned,
    /// It unlocked it without holding it, and is done with it.
    Barred,
    /// The coupon's end was over while nobody held it; written down later.
    Expired,
    /// The time of its lock was over; written down later.
    Freed,
    /// A kind that this version does not know.
    Newer(i32),
}

impl CouponHistory {
    pub(crate) fn from_wire(wire: v1::CouponHistory, staleness: Option<Duration>) -> Result<Self, Malformed> {
        let coupon = wire.coupon.ok_or(Malformed("the history of no coupon"))?;
        let steps = wire.steps.into_iter().map(CouponStep::from_wire).collect::<Result<_, _>>()?;
        Ok(Self { coupon: Coupon::from_wire(coupon)?, steps, staleness })
    }
}

impl CouponStep {
    fn from_wire(wire: v1::CouponStep) -> Result<Self, Malformed> {
        Ok(Self {
            number: wire.step,
            kind: StepKind::from_number(wire.kind),
            order_id: match wire.order_id.as_str() {
                "" => None,
                text => Some(OrderId::try_new(text).map_err(|_| Malformed("an order id"))?),
            },
            locked_until_ms: (wire.locked_until_ms != 0).then_some(wire.locked_until_ms),
            amount_minor: wire.amount_minor,
            at_ms: wire.at_ms,
        })
    }
}

impl StepKind {
    fn from_number(number: i32) -> Self {
        match v1::StepKind::try_from(number) {
            Ok(v1::StepKind::Locked) => Self::Locked,
            Ok(v1::StepKind::Redeemed) => Self::Redeemed,
            Ok(v1::StepKind::Unlocked) => Self::Unlocked,
            Ok(v1::StepKind::Returned) => Self::Returned,
            Ok(v1::StepKind::Barred) => Self::Barred,
            Ok(v1::StepKind::Expired) => Self::Expired,
            Ok(v1::StepKind::Freed) => Self::Freed,
            Ok(v1::StepKind::Unspecified) | Err(_) => Self::Newer(number),
        }
    }
}
