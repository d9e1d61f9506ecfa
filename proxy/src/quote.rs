//! Quotes: what coupons take off an order. Pure: no I/O, no clock, whole numbers only.
//!
//! - `fit`: does a coupon apply to an order, and to which of its lines; if not, why.
//! - `take`: what a benefit takes off what is left of an order, split over the lines.
//! - `combine`: the best permitted combination.
//! - `answer`: all of it, for a user's coupons.
//!
//! The rules are those of `quote.proto` and `rule.proto`. Invariants: no line is discounted below zero; the parts of a discount
//! sum up to it exactly; a combination holds only what its stacking rules permit, and never more than
//! [`COMBINATION_COUPONS_MAX`](scrip_protocol::limits::COMBINATION_COUPONS_MAX) coupons.

mod answer;
mod combine;
mod fit;
mod take;
#[cfg(test)]
mod tests;

use scrip_protocol::TemplateId;
use scrip_protocol::v1::{Order, OrderLine, QuoteReason, TemplateDefinition};

pub use answer::{Purse, answer};
pub use combine::{Best, Combination};
pub use take::Taken;

/// One of the user's coupons.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Its template.
    pub template: TemplateId,
    /// What the template says.
    pub definition: &'a TemplateDefinition,
    /// The user's seq-th coupon of the template.
    pub seq: u16,
    /// The end of its validity, exclusive, in milliseconds since 1970-01-01 UTC.
    pub valid_until_ms: i64,
}

/// Why a coupon does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// For programs.
    pub reason: QuoteReason,
    /// For people, at most 120 bytes.
    pub detail: String,
}

/// A coupon that applies, and what it takes off alone.
#[derive(Debug, Clone)]
pub struct Usable<'a> {
    /// The coupon.
    pub held: Held<'a>,
    /// Indexes of the lines to which it applies.
    pub lines: Vec<usize>,
    /// What it takes off if it is the only one.
    pub alone: Taken,
}

/// The amounts of an order that are not taken off yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Of each line, in minor units.
    pub lines: Vec<u64>,
    /// In minor units.
    pub shipping: u64,
}

impl Left {
    /// All of an order that passed its check.
    pub fn all_of(order: &Order) -> Self {
        Self { lines: order.lines.iter().map(amount).collect(), shipping: order.shipping_minor }
    }
}

fn amount(line: &OrderLine) -> u64 {
    line.unit_price_minor.saturating_mul(u64::from(line.quantity))
}

/// Whether a coupon applies to an order as far as order and rules decide it, and what it takes off alone.
///
/// # Errors
/// Why it does not.
pub fn usable<'a>(held: Held<'a>, order: &Order) -> Result<Usable<'a>, Unfit> {
    let lines = fit::applicable_lines(held.definition, order)?;
    let alone = take::take(held.definition, &lines, &mut Left::all_of(order));
    if alone.is_nothing() {
        let detail = "it would take less than a minor unit off".to_owned();
        return Err(Unfit { reason: QuoteReason::NothingToTakeOff, detail });
    }
    Ok(Usable { held, lines, alone })
}

/// The best permitted combination.
pub fn best(usable: &[Usable<'_>], order: &Order) -> Best {
    combine::best(usable, &Left::all_of(order))
}
