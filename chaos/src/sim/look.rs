//! Users who look at their coupons: a status is exact at the moment of the read, whether the patrol came by or not.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::UserId;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{Coupon, CouponStatus, ListCoupons};
use scrip_proxy::operation::Operation;
use tokio::time::{Instant, sleep};

use super::fleet::{Asked, CLOCK_AHEAD_MAX_MS, Heard};
use super::stage::Stage;
use super::world::EPOCH_MS;

const DEADLINE_MS: u64 = 1_000;

/// Looks once at all coupons of a user.
pub async fn look(stage: Arc<Stage>, (at_ms, user): (u64, u64), begun: Instant) {
    sleep(Duration::from_millis(at_ms).saturating_sub(begun.elapsed())).await;
    let list = ListCoupons { user_id: user, ..ListCoupons::default() };
    let asked_ms = EPOCH_MS + stage.sim.world().at_ms();
    let asked = Asked::Operation(Operation::ListCoupons(list));
    let heard = stage.ask(stage.any_proxy(), asked, DEADLINE_MS, DEADLINE_MS).await;
    let Heard::Answer(response) = heard else { return };
    let Some(Answer::CouponPage(page)) = response.result else { return };
    let mut world = stage.sim.world();
    let answered_ms = EPOCH_MS + world.at_ms();
    for coupon in page.coupons {
        let (status, seq, template) = (coupon.status(), coupon.seq, coupon.template_id);
        world.note(format_args!("user {} sees coupon {seq} of template {template}: {status:?}", UserId(user)));
        if !is_true(&coupon, asked_ms, answered_ms) {
            world.find(format!("user {user} sees coupon {seq} of template {template} at {answered_ms}: {coupon:?}"));
        }
    }
}

/// At some moment between the two, by some clock that is not behind and not too far ahead.
fn is_true(coupon: &Coupon, asked_ms: u64, answered_ms: u64) -> bool {
    let ms = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let (first_ms, last_ms) = (ms(asked_ms), ms(answered_ms + CLOCK_AHEAD_MAX_MS));
    match coupon.status() {
        CouponStatus::Unused => first_ms < coupon.valid_until_ms,
        CouponStatus::Expired => last_ms >= coupon.valid_until_ms,
        CouponStatus::Locked => first_ms < coupon.locked_until_ms,
        CouponStatus::Used => true,
        CouponStatus::Unspecified => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_true_at_its_time_only() {
        let check = |status: CouponStatus, asked_ms, answered_ms, expect| {
            let coupon =
                Coupon { status: status.into(), valid_until_ms: 10_000, locked_until_ms: 7_000, ..Coupon::default() };
            assert_eq!(is_true(&coupon, asked_ms, answered_ms), expect, "{status:?} {asked_ms} {answered_ms}");
        };
        check(CouponStatus::Unused, 9_999, 10_500, true);
        check(CouponStatus::Unused, 10_000, 10_001, false);
        check(CouponStatus::Expired, 8_000, 8_999, false);
        check(CouponStatus::Expired, 8_000, 9_000, true);
        check(CouponStatus::Locked, 6_999, 7_500, true);
        check(CouponStatus::Locked, 7_000, 7_001, false);
    }
}
