//! The whole answer to a quote.

use std::sync::Arc;

use bytes::Bytes;
use scrip_protocol::v1::template_definition::Benefit;
use scrip_protocol::v1::{
    self, ApplicableCoupon, CombinedCoupon, Coupon, CouponStatus, InapplicableCoupon, Order, QuoteReason, QuoteResult,
};

use super::{Best, Combination, Held, Left, Unfit, Usable, best, usable};
use crate::template::Template;

/// The coupons in question.
#[derive(Debug, Default)]
pub struct Purse {
    /// The user's, as they stand at the moment of the quote.
    pub coupons: Vec<(Coupon, Arc<Template>)>,
    /// Ids that are none of the user's.
    pub not_held: Vec<Bytes>,
    /// The user has more unused coupons than these.
    pub more: bool,
}

/// Quotes an order that passed its check. `at_ms`: the moment of the quote, in milliseconds since 1970-01-01 UTC.
pub fn answer(order: &Order, at_ms: i64, purse: &Purse) -> QuoteResult {
    let mut inapplicable: Vec<InapplicableCoupon> = purse.not_held.iter().map(not_held).collect();
    let (mut coupons, mut fit) = (Vec::new(), Vec::new());
    for (coupon, template) in &purse.coupons {
        match standing(coupon, at_ms).and_then(|()| usable(held(coupon, template), order)) {
            Ok(usable) => {
                coupons.push(coupon);
                fit.push(usable);
            }
            Err(unfit) => inapplicable.push(refused(coupon.coupon_id.clone(), coupon.template_id, unfit)),
        }
    }
    let all = Left::all_of(order);
    let Best { combination, exhaustive } = best(&fit, order);
    QuoteResult {
        applicable: coupons.iter().zip(&fit).map(|(coupon, usable)| applicable(coupon, usable)).collect(),
        inapplicable,
        best: combination.map(|combination| combined(&combination, &coupons, &fit, &all)),
        exhaustive,
        more_coupons: purse.more,
        goods_minor: all.lines.iter().sum(),
        shipping_minor: all.shipping,
        at_ms,
    }
}

fn not_held(id: &Bytes) -> InapplicableCoupon {
    let detail = "the user has no coupon with this id".to_owned();
    refused(id.clone(), 0, Unfit { reason: QuoteReason::NotHeld, detail })
}

fn refused(coupon_id: Bytes, template_id: u32, unfit: Unfit) -> InapplicableCoupon {
    InapplicableCoupon { coupon_id, template_id, reason: unfit.reason.into(), detail: unfit.detail }
}

/// Whether the coupon can be used at that moment, whatever the order.
fn standing(coupon: &Coupon, at_ms: i64) -> Result<(), Unfit> {
    let (reason, detail) = match coupon.status() {
        CouponStatus::Unused if at_ms < coupon.valid_from_ms => {
            (QuoteReason::NotYetValid, format!("it can be used from {} ms on", coupon.valid_from_ms))
        }
        CouponStatus::Unused => return Ok(()),
        CouponStatus::Used => (QuoteReason::Used, "it was used".to_owned()),
        CouponStatus::Locked => (QuoteReason::Locked, format!("it is locked until {} ms", coupon.locked_until_ms)),
        CouponStatus::Expired => (QuoteReason::Expired, format!("it ended at {} ms", coupon.valid_until_ms)),
        CouponStatus::Unspecified => (QuoteReason::NotHeld, "its status is none that this proxy knows".to_owned()),
    };
    Err(Unfit { reason, detail })
}

fn held<'a>(coupon: &Coupon, template: &'a Template) -> Held<'a> {
    Held {
        template: template.record.template,
        definition: &template.record.definition,
        seq: u16::try_from(coupon.seq).unwrap_or(u16::MAX),
        valid_until_ms: coupon.valid_until_ms,
    }
}

fn applicable(coupon: &Coupon, usable: &Usable<'_>) -> ApplicableCoupon {
    ApplicableCoupon {
        coupon_id: coupon.coupon_id.clone(),
        template_id: coupon.template_id,
        discount_minor: usable.alone.total(),
        gift_product: gift(usable),
        valid_until_ms: coupon.valid_until_ms,
    }
}

fn combined(combination: &Combination, coupons: &[&Coupon], fit: &[Usable<'_>], all: &Left) -> v1::Combination {
    let mut sum = v1::Combination { line_discounts_minor: vec![0; all.lines.len()], ..v1::Combination::default() };
    for (index, taken) in &combination.parts {
        for (sum, part) in sum.line_discounts_minor.iter_mut().zip(&taken.lines) {
            *sum += part;
        }
        sum.shipping_discount_minor += taken.shipping;
        sum.coupons.push(CombinedCoupon {
            coupon_id: coupons[*index].coupon_id.clone(),
            template_id: coupons[*index].template_id,
            discount_minor: taken.total(),
            line_discounts_minor: taken.lines.clone(),
            shipping_discount_minor: taken.shipping,
            gift_product: gift(&fit[*index]),
        });
    }
    sum.discount_minor = combination.total();
    sum.payable_minor = all.lines.iter().sum::<u64>() + all.shipping - sum.discount_minor;
    sum
}

fn gift(usable: &Usable<'_>) -> String {
    match &usable.held.definition.benefit {
        Some(Benefit::Gift(gift)) => gift.product.clone(),
        Some(Benefit::AmountOff(_) | Benefit::PercentageOff(_) | Benefit::FreeShipping(_)) | None => String::new(),
    }
}
