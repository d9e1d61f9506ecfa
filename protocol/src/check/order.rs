//! What an order does with coupons.

use bytes::Bytes;

use super::{Violation, Violations, quoted};
use crate::id::{CouponId, OrderId};
use crate::limits::{AMOUNT_MAX_MINOR, LOCK_TTL_MAX_MS, ORDER_COUPONS_MAX, ORDER_ID_LEN_MAX};
use crate::v1::{GetCoupon, LockCoupons, RedeemCoupons, ReturnCoupons, UnlockCoupons};

/// What is wrong with a lock.
pub fn check_lock_coupons(lock: &LockCoupons) -> Vec<Violation> {
    let mut found = Violations::default();
    order(&mut found, &lock.order_id, lock.coupon_ids.iter());
    found.range("ttl_ms", lock.ttl_ms, 1..=LOCK_TTL_MAX_MS);
    found.0
}

/// What is wrong with a redemption.
pub fn check_redeem_coupons(redeem: &RedeemCoupons) -> Vec<Violation> {
    let mut found = Violations::default();
    order(&mut found, &redeem.order_id, redeem.coupons.iter().map(|coupon| &coupon.coupon_id));
    for coupon in &redeem.coupons {
        found.range("amount_minor", coupon.amount_minor, 0..=AMOUNT_MAX_MINOR);
    }
    found.0
}

/// What is wrong with the end of a lock.
pub fn check_unlock_coupons(unlock: &UnlockCoupons) -> Vec<Violation> {
    let mut found = Violations::default();
    order(&mut found, &unlock.order_id, unlock.coupon_ids.iter());
    found.0
}

/// What is wrong with a return.
pub fn check_return_coupons(back: &ReturnCoupons) -> Vec<Violation> {
    let mut found = Violations::default();
    order(&mut found, &back.order_id, back.coupon_ids.iter());
    found.0
}

/// What is wrong with a question for a coupon.
pub fn check_get_coupon(get: &GetCoupon) -> Vec<Violation> {
    let mut found = Violations::default();
    coupon_id(&mut found, &get.coupon_id);
    found.0
}

fn order<'a>(found: &mut Violations, order_id: &str, coupon_ids: impl ExactSizeIterator<Item = &'a Bytes> + Clone) {
    if OrderId::try_new(order_id).is_err() {
        let fix = format!("give 1 to {ORDER_ID_LEN_MAX} bytes, none of them a control character");
        found.add("order_id", quoted(order_id), fix);
    }
    if !(1..=ORDER_COUPONS_MAX).contains(&coupon_ids.len()) {
        found.add("coupon_ids", format!("{} coupons", coupon_ids.len()), format!("give 1 to {ORDER_COUPONS_MAX}"));
    }
    coupon_ids.clone().for_each(|id| coupon_id(found, id));
    let mut sorted: Vec<&Bytes> = coupon_ids.collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        found.add("coupon_ids", format!("{} twice", hex::encode(pair[0])), "name each coupon once");
    }
}

fn coupon_id(found: &mut Violations, id: &[u8]) {
    if CouponId::try_from_slice(id).is_err() {
        found.add("coupon_id", format!("{} bytes", id.len()), "give the 16 bytes of a coupon's coupon_id");
    }
}
