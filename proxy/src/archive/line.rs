//! The lines of an archive file: JSON, one a line. What reads them is `scrip archive` in the client.
//!
//! - The first line: [`Head`], which says what the file is.
//! - A line for each coupon, with its whole log: [`Body`].
//! - The last line: [`Tail`], which says what was before it: a file without it, or with another digest, is not whole.

use scrip_protocol::OrderId;
use scrip_protocol::v1::{Coupon, CouponStatus, StepKind};
use serde::Serialize;

use crate::store::archive::WholeCoupon;
use crate::store::steps::{Hold, Step};

/// The version of the form; raised when a field changes its meaning or goes away.
const FORM: u32 = 1;

#[derive(Debug, Serialize)]
pub(super) struct Head<'a> {
    scrip_archive: u32,
    primary: &'a str,
    at_ms: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Body {
    coupon: String,
    number: String,
    user: u64,
    template: u32,
    seq: u16,
    request: String,
    sub_stock: u16,
    /// `used` or `expired`.
    status: &'static str,
    claimed_at_ms: u64,
    valid_from_ms: i64,
    valid_until_ms: i64,
    steps: Vec<StepLine>,
}

#[derive(Debug, Serialize)]
struct StepLine {
    step: u16,
    kind: &'static str,
    /// None: time did it.
    order: Option<String>,
    /// After the step.
    state: &'static str,
    holder: Option<String>,
    locked_until_ms: u64,
    amount_minor: u64,
    at_ms: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Tail {
    pub(super) coupons: usize,
    pub(super) steps: usize,
    /// Of all bytes before this line, uncompressed.
    pub(super) sha256: String,
}

/// The first line.
pub(super) fn head(primary: &str, at_ms: u64) -> Head<'_> {
    Head { scrip_archive: FORM, primary, at_ms }
}

/// The line of a coupon. `shown`: as its user saw it last.
pub(super) fn body(coupon: &WholeCoupon, shown: Coupon) -> Body {
    let row = &coupon.row;
    Body {
        coupon: hex::encode(&shown.coupon_id),
        number: shown.number,
        user: row.user.get(),
        template: row.template.get(),
        seq: row.seq,
        request: row.request.to_string(),
        sub_stock: coupon.sub_stock.0,
        status: if row.status == CouponStatus::Used { "used" } else { "expired" },
        claimed_at_ms: row.claimed_at_ms,
        valid_from_ms: shown.valid_from_ms,
        valid_until_ms: shown.valid_until_ms,
        steps: coupon.steps.iter().map(step).collect(),
    }
}

fn step(step: &Step) -> StepLine {
    let (state, holder, locked_until_ms) = match &step.hold {
        Hold::Unused => ("unused", None, 0),
        Hold::Locked { order, until_ms } => ("locked", Some(order), *until_ms),
        Hold::Used { order } => ("used", Some(order), 0),
    };
    StepLine {
        step: step.number,
        kind: kind(step.kind),
        order: step.order.as_ref().map(OrderId::to_string),
        state,
        holder: holder.map(OrderId::to_string),
        locked_until_ms,
        amount_minor: step.amount_minor,
        at_ms: step.at_ms,
    }
}

fn kind(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Unspecified => "none",
        StepKind::Locked => "locked",
        StepKind::Redeemed => "redeemed",
        StepKind::Unlocked => "unlocked",
        StepKind::Returned => "returned",
        StepKind::Barred => "barred",
        StepKind::Expired => "expired",
        StepKind::Freed => "freed",
    }
}

#[cfg(test)]
mod tests {
    use scrip_protocol::{RequestId, TemplateId, UserId};
    use scrip_shard_config::SubStock;

    use super::*;
    use crate::store::CouponRow;

    fn show(line: &impl Serialize) -> String {
        serde_json::to_string(line).expect("JSON")
    }

    #[test]
    fn lines_stay_as_they_are() {
        let template = TemplateId::try_new(7).expect("not 0");
        let order = OrderId::try_new("order-1").expect("an order id");
        let hold = Hold::Used { order: order.clone() };
        let row = CouponRow::new(UserId(42), template, 1, RequestId([7; 16]), 1_000).held(&hold);
        let step =
            Step { number: 1, kind: StepKind::Redeemed, order: Some(order), hold, amount_minor: 500, at_ms: 2_000 };
        let coupon = WholeCoupon { row, sub_stock: SubStock(3), steps: vec![step] };
        let shown = Coupon {
            coupon_id: vec![1; 16].into(),
            number: "TEN-1".to_owned(),
            valid_from_ms: 1_000,
            valid_until_ms: 3_000,
            ..Coupon::default()
        };
        assert_eq!(show(&head("p01", 9)), r#"{"scrip_archive":1,"primary":"p01","at_ms":9}"#);
        assert_eq!(
            show(&body(&coupon, shown)),
            concat!(
                r#"{"coupon":"01010101010101010101010101010101","number":"TEN-1","user":42,"template":7,"seq":1,"#,
                r#""request":"07070707070707070707070707070707","sub_stock":3,"status":"used","claimed_at_ms":1000,"#,
                r#""valid_from_ms":1000,"valid_until_ms":3000,"steps":[{"step":1,"kind":"redeemed","order":"order-1","#,
                r#""state":"used","holder":"order-1","locked_until_ms":0,"amount_minor":500,"at_ms":2000}]}"#
            )
        );
        let tail = Tail { coupons: 1, steps: 1, sha256: "00".to_owned() };
        assert_eq!(show(&tail), r#"{"coupons":1,"steps":1,"sha256":"00"}"#);
    }
}
