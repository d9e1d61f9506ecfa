//! The rules of a template: what its coupons take off, for which orders, and beside which other coupons.
//!
//! Amounts are whole minor units of the template's currency (cents, fen, yen). Texts that name things are the caller's own: 1 to
//! 64 bytes, compared byte by byte.

use scrip_protocol::v1::{self, template_definition::Benefit as Wire};

/// The rules of a template. The default is a plain coupon: counted, limited, and never taking anything off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// What a coupon takes off. None: nothing.
    pub benefit: Option<Benefit>,
    /// Three upper-case letters, as in ISO 4217: coupons apply to orders in this currency only. Required as soon as there is
    /// an amount. None: orders in any currency.
    pub currency: Option<String>,
    /// The sum of the applicable lines that an order needs, before any coupon. 0: none.
    pub threshold_minor: u64,
    /// To which orders and lines coupons apply.
    pub applicability: Applicability,
    /// How many coupons one user may claim in one day. None: as many as the limit per user allows.
    pub daily_limit: Option<DailyLimit>,
    /// Beside which other coupons one can be used.
    pub stacking: Stacking,
    /// What all coupons may take off together, spent when one is redeemed. 0: no limit.
    pub budget_minor: u64,
    /// What exchange codes begin with: 1 to 8 of A-Z and 2-9. Empty: nothing.
    pub code_prefix: String,
}

/// What a coupon takes off an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Benefit {
    /// So much off the applicable lines, or their sum if that is less.
    AmountOff {
        /// At least 1.
        amount_minor: u64,
    },
    /// A part of the sum of the applicable lines, rounded down.
    PercentageOff {
        /// Hundredths of a percent: 1 to 10,000.
        basis_points: u32,
        /// At most so much: at least 1.
        cap_minor: Option<u64>,
    },
    /// The shipping of an order with at least one applicable line.
    FreeShipping {
        /// At most so much: at least 1.
        cap_minor: Option<u64>,
    },
    /// Something added to an order with at least one applicable line; nothing is taken off.
    Gift {
        /// Which product.
        product: String,
    },
}

/// To which orders and lines a coupon applies; each list at most 200 entries. The default: to all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applicability {
    /// Of a line: one of its categories is included, and none is excluded.
    pub categories: Selection,
    /// Of a line.
    pub products: Selection,
    /// Of a line.
    pub shops: Selection,
    /// Of the order. Empty: all.
    pub platforms: Vec<String>,
    /// Of the order. Empty: all.
    pub regions: Vec<String>,
}

/// Some of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Empty: everything.
    pub include: Vec<String>,
    /// Nothing that is included.
    pub exclude: Vec<String>,
}

/// A limit per user and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyLimit {
    /// At least 1, at most the limit per user.
    pub coupons: u32,
    /// A day runs from midnight to midnight of the clock that is so many minutes ahead of UTC: -720 to 840.
    pub utc_offset_minutes: i32,
}

/// Beside which coupons one can be used in the same order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Stacking {
    /// Beside none.
    #[default]
    Exclusive,
    /// Beside coupons of other templates of the same group.
    Group {
        /// Its name.
        name: String,
        /// Beside other coupons of its own template as well.
        with_itself: bool,
    },
}

impl Rules {
    pub(crate) fn into_wire(self, into: v1::TemplateDefinition) -> v1::TemplateDefinition {
        v1::TemplateDefinition {
            benefit: self.benefit.map(Wire::from),
            currency: self.currency.unwrap_or_default(),
            threshold_minor: self.threshold_minor,
            applicability: self.applicability.into_wire(),
            per_user_daily_limit: self.daily_limit.map_or(0, |limit| limit.coupons),
            day_starts_at_utc_offset_minutes: self.daily_limit.map_or(0, |limit| limit.utc_offset_minutes),
            stacking: self.stacking.into_wire(),
            budget_minor: self.budget_minor,
            code_prefix: self.code_prefix,
            ..into
        }
    }

    /// Takes the rules out of a definition.
    pub(crate) fn take(wire: &mut v1::TemplateDefinition) -> Self {
        let utc_offset_minutes = wire.day_starts_at_utc_offset_minutes;
        let daily_limit = |coupons| DailyLimit { coupons, utc_offset_minutes };
        let currency = std::mem::take(&mut wire.currency);
        Self {
            benefit: wire.benefit.take().map(Benefit::from),
            currency: (!currency.is_empty()).then_some(currency),
            threshold_minor: wire.threshold_minor,
            applicability: wire.applicability.take().map(Applicability::from).unwrap_or_default(),
            daily_limit: (wire.per_user_daily_limit > 0).then(|| daily_limit(wire.per_user_daily_limit)),
            stacking: Stacking::from(wire.stacking.take()),
            budget_minor: wire.budget_minor,
            code_prefix: std::mem::take(&mut wire.code_prefix),
        }
    }
}

impl From<Benefit> for Wire {
    fn from(benefit: Benefit) -> Self {
        match benefit {
            Benefit::AmountOff { amount_minor } => Self::AmountOff(v1::AmountOff { amount_minor }),
            Benefit::PercentageOff { basis_points, cap_minor } => {
                Self::PercentageOff(v1::PercentageOff { basis_points, cap_minor })
            }
            Benefit::FreeShipping { cap_minor } => Self::FreeShipping(v1::FreeShipping { cap_minor }),
            Benefit::Gift { product } => Self::Gift(v1::Gift { product }),
        }
    }
}

impl From<Wire> for Benefit {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::AmountOff(off) => Self::AmountOff { amount_minor: off.amount_minor },
            Wire::PercentageOff(off) => {
                Self::PercentageOff { basis_points: off.basis_points, cap_minor: off.cap_minor }
            }
            Wire::FreeShipping(free) => Self::FreeShipping { cap_minor: free.cap_minor },
            Wire::Gift(gift) => Self::Gift { product: gift.product },
        }
    }
}

impl Applicability {
    /// What applies to all is not sent at all.
    fn into_wire(self) -> Option<v1::Applicability> {
        (self != Self::default()).then(|| v1::Applicability {
            categories: self.categories.into_wire(),
            products: self.products.into_wire(),
            shops: self.shops.into_wire(),
            platforms: self.platforms,
            regions: self.regions,
        })
    }
}

impl From<v1::Applicability> for Applicability {
    fn from(wire: v1::Applicability) -> Self {
        let selection = |wire: Option<v1::Selection>| wire.map(Selection::from).unwrap_or_default();
        Self {
            categories: selection(wire.categories),
            products: selection(wire.products),
            shops: selection(wire.shops),
            platforms: wire.platforms,
            regions: wire.regions,
        }
    }
}

impl Selection {
    fn into_wire(self) -> Option<v1::Selection> {
        (self != Self::default()).then_some(v1::Selection { include: self.include, exclude: self.exclude })
    }
}

impl From<v1::Selection> for Selection {
    fn from(wire: v1::Selection) -> Self {
        Self { include: wire.include, exclude: wire.exclude }
    }
}

impl Stacking {
    fn into_wire(self) -> Option<v1::Stacking> {
        match self {
            Self::Exclusive => None,
            Self::Group { name, with_itself } => Some(v1::Stacking { group: name, stacks_with_itself: with_itself }),
        }
    }
}

impl From<Option<v1::Stacking>> for Stacking {
    fn from(wire: Option<v1::Stacking>) -> Self {
        match wire {
            None => Self::Exclusive,
            Some(stacking) => Self::Group { name: stacking.group, with_itself: stacking.stacks_with_itself },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Rules)) {
        let mut rules = Rules::default();
        change(&mut rules);
        let mut wire = rules.clone().into_wire(v1::TemplateDefinition::default());
        assert_eq!(Rules::take(&mut wire), rules);
    }

    #[test]
    fn what_goes_out_comes_back() {
        check(|_| {});
        check(|rules| rules.benefit = Some(Benefit::AmountOff { amount_minor: 5 }));
        check(|rules| rules.benefit = Some(Benefit::PercentageOff { basis_points: 5, cap_minor: None }));
        check(|rules| rules.benefit = Some(Benefit::FreeShipping { cap_minor: Some(5) }));
        check(|rules| rules.benefit = Some(Benefit::Gift { product: "mug".to_owned() }));
        check(|rules| rules.applicability.regions = vec!["FR".to_owned()]);
        check(|rules| rules.stacking = Stacking::Group { name: "shop".to_owned(), with_itself: false });
    }
}
