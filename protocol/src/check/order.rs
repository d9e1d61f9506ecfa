//! What an order does with coupons.

use bytes::Bytes;

use super::{Violation, Violations, quoted};
use crate::id::{CouponId, OrderId};
use crate::limits::{AMOUNT_MAX_MINOR, LOCK_TTL_MAX_MS, ORDER_COUPONS_MAX, ORDER_ID_LEN_MAX};
use crate::number::CouponNumber;
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
    found.max_staleness_ms(get.max_staleness_ms);
    if get.number.is_empty() {
        coupon_id(&mut found, &get.coupon_id);
        return found.0;
    }
    if let Err(error) = get.number.parse::<CouponNumber>() {
        found.add("number", quoted(&get.number), error.to_string());
    }
    if !get.coupon_id.is_empty() {
        found.add("coupon_id", format!("{} bytes", get.coupon_id.len()), "leave it out: the number says which coupon");
    }
    if get.user_id != 0 {
        found.add("user_id", get.user_id, "leave it out: the number says whose coupon");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coupon_is_named_by_user_and_id_or_by_its_number() {
        let check = |user_id, id_len, number: &str, fields: &[&str]| {
            let (coupon_id, number) = (vec![7; id_len].into(), number.to_owned());
            let get = GetCoupon { user_id, coupon_id, number, max_staleness_ms: 600_000 };
            let found = check_get_coupon(&get);
            assert_eq!(found.iter().map(|violation| violation.field).collect::<Vec<_>>(), fields, "{get:?}");
        };
        let number = "TEA-20260131-ABCD-EFGH-JKLM-NPQ9-U";
        check(1, 16, "", &[]);
        check(0, 0, "", &["coupon_id"]);
        check(0, 0, number, &[]);
        check(0, 0, "TEA-20260131-ABCD-EFGH-JKLM-NPQ9-V", &["number"]);
        check(1, 16, "TEA", &["number", "coupon_id", "user_id"]);
    }
}
