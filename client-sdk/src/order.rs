//! What orders do with coupons, as callers see it.

use std::time::Duration;

use bytes::Bytes;
use scrip_protocol::v1;
use scrip_protocol::v1::request::Operation as Wire;
use scrip_protocol::{CouponId, OrderId, UserId};

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

/// One request of an order, on coupons of one user: it takes effect on all of them or on none, and may be sent any number of times.
/// [`Client`](crate::Client) has a method for each; as a value it goes into an [`OrderStream`](crate::OrderStream).
#[derive(Debug, Clone)]
pub struct OrderRequest(pub(crate) Wire);

impl OrderRequest {
    /// As [`Client::lock_coupons`](crate::Client::lock_coupons).
    pub fn lock(user: UserId, order_id: &OrderId, coupons: &[CouponId], ttl: Duration) -> Self {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let (user_id, order_id, coupon_ids) = parts(user, order_id, coupons);
        Self(Wire::LockCoupons(v1::LockCoupons { user_id, order_id, coupon_ids, ttl_ms }))
    }

    /// As [`Client::redeem_coupons`](crate::Client::redeem_coupons).
    pub fn redeem(user: UserId, order_id: &OrderId, coupons: &[Redemption]) -> Self {
        let redemption =
            |one: &Redemption| v1::Redemption { coupon_id: one.coupon_id.to_bytes(), amount_minor: one.amount_minor };
        let coupons = coupons.iter().map(redemption).collect();
        let (user_id, order_id) = (user.get(), order_id.to_string());
        Self(Wire::RedeemCoupons(v1::RedeemCoupons { user_id, order_id, coupons }))
    }

    /// As [`Client::unlock_coupons`](crate::Client::unlock_coupons).
    pub fn unlock(user: UserId, order_id: &OrderId, coupons: &[CouponId]) -> Self {
        let (user_id, order_id, coupon_ids) = parts(user, order_id, coupons);
        Self(Wire::UnlockCoupons(v1::UnlockCoupons { user_id, order_id, coupon_ids }))
    }

    /// As [`Client::return_coupons`](crate::Client::return_coupons).
    pub fn give_back(user: UserId, order_id: &OrderId, coupons: &[CouponId]) -> Self {
        let (user_id, order_id, coupon_ids) = parts(user, order_id, coupons);
        Self(Wire::ReturnCoupons(v1::ReturnCoupons { user_id, order_id, coupon_ids }))
    }
}

fn parts(user: UserId, order_id: &OrderId, coupons: &[CouponId]) -> (u64, String, Vec<Bytes>) {
    (user.get(), order_id.to_string(), coupons.iter().map(|coupon| coupon.to_bytes()).collect())
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
