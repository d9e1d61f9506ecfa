//! Quotes as callers see them: an [`Order`] in, what the user's coupons take off out.
//!
//! Amounts are whole minor units of the order's currency.

mod order;

use bytes::Bytes;
use scrip_protocol::v1;
use scrip_protocol::{CouponId, TemplateId};

use crate::reply::Malformed;

pub use order::{Order, OrderLine};

/// What coupons take off an order. It changes nothing, and promises nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Coupons that apply, each as if it were the only one.
    pub applicable: Vec<ApplicableCoupon>,
    /// Coupons that do not.
    pub inapplicable: Vec<InapplicableCoupon>,
    /// Those that together take off the most. None: none applies.
    pub best: Option<Combination>,
    /// Nothing that is permitted is better than `best`. False: there was too much to search.
    pub is_exhaustive: bool,
    /// The user has more unused coupons than were considered.
    pub has_more_coupons: bool,
    /// All lines, before any coupon, in minor units.
    pub goods_minor: u64,
    /// In minor units.
    pub shipping_minor: u64,
    /// The moment that was judged, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
}

/// A coupon that applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicableCoupon {
    /// Which.
    pub coupon_id: CouponId,
    /// Of which template.
    pub template: TemplateId,
    /// What it takes off alone, in minor units.
    pub discount_minor: u64,
    /// The product that it adds.
    pub gift_product: Option<String>,
    /// Exclusive, in milliseconds since 1970-01-01 UTC.
    pub valid_until_ms: i64,
}

/// A coupon that does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InapplicableCoupon {
    /// Which.
    pub coupon_id: CouponId,
    /// Of which template; none: the user has no such coupon.
    pub template: Option<TemplateId>,
    /// Why, for programs.
    pub reason: QuoteReason,
    /// Why, for people.
    pub detail: String,
}

/// Why a coupon does not apply: the first of these that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuoteReason {
    /// The user has no coupon with this id.
    NotHeld,
    /// It was used.
    Used,
    /// It is locked for an order.
    Locked,
    /// Its validity is over at the moment.
    Expired,
    /// Its validity begins after the moment.
    NotYetValid,
    /// Its template takes nothing off.
    NoBenefit,
    /// The order is in another currency.
    Currency,
    /// Not on this platform.
    Platform,
    /// Not in this region.
    Region,
    /// It applies to none of the lines.
    NoApplicableLine,
    /// Its lines sum up to less than the threshold.
    Threshold,
    /// What it would take off is less than a minor unit.
    NothingToTakeOff,
    /// A reason that this version does not know.
    Newer(i32),
}

/// Coupons that can be used together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// In the order in which they apply.
    pub coupons: Vec<CombinedCoupon>,
    /// What all of them take off, in minor units.
    pub discount_minor: u64,
    /// The same, of each line of the order, in its order.
    pub line_discounts_minor: Vec<u64>,
    /// The same, of the shipping.
    pub shipping_discount_minor: u64,
    /// What remains of goods and shipping.
    pub payable_minor: u64,
}

/// A coupon of a combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CombinedCoupon {
    /// Which.
    pub coupon_id: CouponId,
    /// Of which template.
    pub template: TemplateId,
    /// What it takes off after those before it, in minor units.
    pub discount_minor: u64,
    /// The same, of each line of the order, in its order.
    pub line_discounts_minor: Vec<u64>,
    /// The same, of the shipping.
    pub shipping_discount_minor: u64,
    /// The product that it adds.
    pub gift_product: Option<String>,
}

fn coupon_id(bytes: &Bytes) -> Result<CouponId, Malformed> {
    CouponId::try_from_slice(bytes).map_err(|_| Malformed("a coupon id"))
}

fn template_id(number: u32) -> Result<TemplateId, Malformed> {
    TemplateId::try_new(number).map_err(|_| Malformed("a template id"))
}

fn gift(product: String) -> Option<String> {
    (!product.is_empty()).then_some(product)
}

impl Quote {
    pub(crate) fn from_wire(wire: v1::QuoteResult) -> Result<Self, Malformed> {
        Ok(Self {
            applicable: wire.applicable.into_iter().map(ApplicableCoupon::from_wire).collect::<Result<_, _>>()?,
            inapplicable: wire.inapplicable.into_iter().map(InapplicableCoupon::from_wire).collect::<Result<_, _>>()?,
            best: wire.best.map(Combination::from_wire).transpose()?,
            is_exhaustive: wire.exhaustive,
            has_more_coupons: wire.more_coupons,
            goods_minor: wire.goods_minor,
            shipping_minor: wire.shipping_minor,
            at_ms: wire.at_ms,
        })
    }
}

impl ApplicableCoupon {
    fn from_wire(wire: v1::ApplicableCoupon) -> Result<Self, Malformed> {
        Ok(Self {
            coupon_id: coupon_id(&wire.coupon_id)?,
            template: template_id(wire.template_id)?,
            discount_minor: wire.discount_minor,
            gift_product: gift(wire.gift_product),
            valid_until_ms: wire.valid_until_ms,
        })
    }
}

impl InapplicableCoupon {
    fn from_wire(wire: v1::InapplicableCoupon) -> Result<Self, Malformed> {
        Ok(Self {
            coupon_id: coupon_id(&wire.coupon_id)?,
            template: TemplateId::try_new(wire.template_id).ok(),
            reason: QuoteReason::from_number(wire.reason),
            detail: wire.detail,
        })
    }
}

impl Combination {
    fn from_wire(wire: v1::Combination) -> Result<Self, Malformed> {
        Ok(Self {
            coupons: wire.coupons.into_iter().map(CombinedCoupon::from_wire).collect::<Result<_, _>>()?,
            discount_minor: wire.discount_minor,
            line_discounts_minor: wire.line_discounts_minor,
            shipping_discount_minor: wire.shipping_discount_minor,
            payable_minor: wire.payable_minor,
        })
    }
}

impl CombinedCoupon {
    fn from_wire(wire: v1::CombinedCoupon) -> Result<Self, Malformed> {
        Ok(Self {
            coupon_id: coupon_id(&wire.coupon_id)?,
            template: template_id(wire.template_id)?,
            discount_minor: wire.discount_minor,
            line_discounts_minor: wire.line_discounts_minor,
            shipping_discount_minor: wire.shipping_discount_minor,
            gift_product: gift(wire.gift_product),
        })
    }
}

impl QuoteReason {
    fn from_number(number: i32) -> Self {
        use v1::QuoteReason as Wire;
        match Wire::try_from(number) {
            Ok(Wire::NotHeld) => Self::NotHeld,
            Ok(Wire::Used) => Self::Used,
            Ok(Wire::Locked) => Self::Locked,
            Ok(Wire::Expired) => Self::Expired,
            Ok(Wire::NotYetValid) => Self::NotYetValid,
            Ok(Wire::NoBenefit) => Self::NoBenefit,
            Ok(Wire::Currency) => Self::Currency,
            Ok(Wire::Platform) => Self::Platform,
            Ok(Wire::Region) => Self::Region,
            Ok(Wire::NoApplicableLine) => Self::NoApplicableLine,
            Ok(Wire::Threshold) => Self::Threshold,
            Ok(Wire::NothingToTakeOff) => Self::NothingToTakeOff,
            Ok(Wire::Unspecified) | Err(_) => Self::Newer(number),
        }
    }
}
