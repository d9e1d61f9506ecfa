//! How a coupon's row is shown to callers.

use scrip_protocol::v1::{Coupon, CouponStatus};

use super::Flow;
use crate::store::CouponRow;
use crate::template::Template;

impl Flow {
    /// A row as the caller sees it now, without its number.
    pub fn coupon(&self, template: &Template, row: &CouponRow, replayed: bool) -> Coupon {
        let now_ms = i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX);
        self.coupon_at(template, row, replayed, now_ms)
    }

    /// What people call the coupon: see [`scrip_protocol::number`]. Costs ten AES blocks where the id costs one, so claims
    /// and orders, which come by the hundred thousand a second, go without.
    pub fn number(&self, template: &Template, row: &CouponRow) -> String {
        let coupon = (row.user, row.template, row.seq);
        let number =
            self.coupon_ids.numbers().encode(coupon, row.claimed_at_ms, &template.record.definition.code_prefix);
        // Of a prefix that was checked when the template was created, it is always one.
        number.map(|number| number.to_string()).unwrap_or_default()
    }

    /// A row as it stands at a moment, in milliseconds since 1970-01-01 UTC; without its number.
    pub fn coupon_at(&self, template: &Template, row: &CouponRow, replayed: bool, now_ms: i64) -> Coupon {
        let (valid_from_ms, valid_until_ms) = template.validity_ms(row.claimed_at_ms);
        let status = status(row, now_ms, valid_until_ms);
        let locked_until_ms = match status {
            CouponStatus::Locked => i64::try_from(row.locked_until_ms).unwrap_or(i64::MAX),
            _ => 0,
        };
        Coupon {
            coupon_id: self.coupon_ids.encode(row.user, row.template, row.seq).to_bytes(),
            user_id: row.user.get(),
            template_id: row.template.get(),
            seq: u32::from(row.seq),
            request_id: row.request.to_bytes(),
            status: status.into(),
            claimed_at_ms: i64::try_from(row.claimed_at_ms).unwrap_or(i64::MAX),
            valid_from_ms,
            valid_until_ms,
            replayed,
            locked_until_ms,
            number: String::new(),
        }
    }
}

/// What the user can do with the coupon now, exactly and at once, whatever is written down: a lock that is over is none,
/// and unused past its end is expired.
fn status(row: &CouponRow, now_ms: i64, valid_until_ms: i64) -> CouponStatus {
    let is_over = now_ms >= i64::try_from(row.locked_until_ms).unwrap_or(i64::MAX);
    match row.status {
        CouponStatus::Used => CouponStatus::Used,
        CouponStatus::Locked if !is_over => CouponStatus::Locked,
        _ if now_ms >= valid_until_ms => CouponStatus::Expired,
        _ => CouponStatus::Unused,
    }
}
