//! Does a coupon apply to an order, and to which of its lines?

use scrip_protocol::limits::QUOTE_DETAIL_LEN_MAX;
use scrip_protocol::v1::{Applicability, Order, OrderLine, QuoteReason, Selection, TemplateDefinition};

use super::{Unfit, amount};

/// The lines to which a template's coupons apply: at least one, and they reach the threshold.
pub(super) fn applicable_lines(definition: &TemplateDefinition, order: &Order) -> Result<Vec<usize>, Unfit> {
    if definition.benefit.is_none() {
        return Err(unfit(QuoteReason::NoBenefit, "the template takes nothing off"));
    }
    if !definition.currency.is_empty() && definition.currency != order.currency {
        let detail = format!("it applies to orders in {}, not in {}", definition.currency, order.currency);
        return Err(unfit(QuoteReason::Currency, detail));
    }
    let rules = definition.applicability.as_ref();
    let named = |list: fn(&Applicability) -> &Vec<String>| rules.map_or(&[][..], |rules| list(rules).as_slice());
    if !allows(named(|rules| &rules.platforms), &order.platform) {
        let detail = format!("it does not apply on the platform {:?}", order.platform);
        return Err(unfit(QuoteReason::Platform, detail));
    }
    if !allows(named(|rules| &rules.regions), &order.region) {
        let detail = format!("it does not apply in the region {:?}", order.region);
        return Err(unfit(QuoteReason::Region, detail));
    }
    let applies = |line: &OrderLine| rules.is_none_or(|rules| applies_to(rules, line));
    let indexes: Vec<usize> = (0..order.lines.len()).filter(|&index| applies(&order.lines[index])).collect();
    if indexes.is_empty() {
        return Err(unfit(QuoteReason::NoApplicableLine, "it applies to none of the lines"));
    }
    let sum = indexes.iter().fold(0, |sum: u64, &index| sum.saturating_add(amount(&order.lines[index])));
    if sum < definition.threshold_minor {
        let detail = format!("its lines sum up to {sum}; the threshold is {}", definition.threshold_minor);
        return Err(unfit(QuoteReason::Threshold, detail));
    }
    Ok(indexes)
}

/// An empty list allows all, also an order that does not say.
fn allows(list: &[String], value: &str) -> bool {
    list.is_empty() || list.iter().any(|allowed| allowed == value)
}

fn applies_to(rules: &Applicability, line: &OrderLine) -> bool {
    let one = std::slice::from_ref;
    // A line without shop has none that could be included or excluded.
    let shop = if line.shop.is_empty() { &[][..] } else { one(&line.shop) };
    selects(rules.categories.as_ref(), &line.categories)
        && selects(rules.products.as_ref(), one(&line.product))
        && selects(rules.shops.as_ref(), shop)
}

/// One of the names is included, or nothing is; and none is excluded.
fn selects(selection: Option<&Selection>, names: &[String]) -> bool {
    let Some(Selection { include, exclude }) = selection else { return true };
    let included = include.is_empty() || names.iter().any(|name| include.contains(name));
    included && !names.iter().any(|name| exclude.contains(name))
}

fn unfit(reason: QuoteReason, detail: impl Into<String>) -> Unfit {
    let mut detail = detail.into();
    detail.truncate(detail.floor_char_boundary(QUOTE_DETAIL_LEN_MAX));
    Unfit { reason, detail }
}
