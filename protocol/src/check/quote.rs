//! An order, and which coupons to quote for it.

use prost::Message;

use super::{Violation, Violations, quoted, rule};
use crate::id::CouponId;
use crate::limits::{
    AMOUNT_MAX_MINOR, LINE_CATEGORIES_MAX, ORDER_LEN_MAX, ORDER_LINES_MAX, QUOTE_COUPONS_MAX, TIME_MAX_MS,
};
use crate::v1::{Order, OrderLine, Quote};

/// What is wrong with a quote.
pub fn check_quote(quote: &Quote) -> Vec<Violation> {
    let mut found = Violations::default();
    match &quote.order {
        None => found.add("order", "missing", "give one"),
        Some(order) => check_order(&mut found, order),
    }
    coupon_ids(&mut found, quote);
    found.0
}

fn check_order(found: &mut Violations, order: &Order) {
    let len = order.encoded_len();
    if len > ORDER_LEN_MAX {
        let fix = format!("shorten texts or leave out categories: encoded it may take {ORDER_LEN_MAX} bytes");
        found.add("order", format!("{len} bytes"), fix);
    }
    if order.lines.is_empty() || order.lines.len() > ORDER_LINES_MAX {
        let fix = format!("give 1 to {ORDER_LINES_MAX} lines");
        found.add("order.lines", format!("{} lines", order.lines.len()), fix);
    }
    for checked in order.lines.iter().take(ORDER_LINES_MAX) {
        line(found, checked);
    }
    twice(found, "order.lines.line_id", order.lines.iter().map(|line| line.line_id.as_str()));
    rule::currency_code(found, "order.currency", &order.currency);
    let goods: u128 = order.lines.iter().map(|l| u128::from(l.unit_price_minor) * u128::from(l.quantity)).sum();
    let sum = goods + u128::from(order.shipping_minor);
    if sum > u128::from(AMOUNT_MAX_MINOR) {
        found.add("order", format!("{sum} minor units"), format!("let it sum up to at most {AMOUNT_MAX_MINOR}"));
    }
    optional(found, "order.platform", &order.platform);
    optional(found, "order.region", &order.region);
    found.range("order.at_ms", order.at_ms, 0..=TIME_MAX_MS);
}

fn line(found: &mut Violations, line: &OrderLine) {
    rule::name(found, "order.lines.line_id", &line.line_id);
    rule::name(found, "order.lines.product", &line.product);
    if line.categories.len() > LINE_CATEGORIES_MAX {
        let value = format!("{} categories", line.categories.len());
        found.add("order.lines.categories", value, format!("give at most {LINE_CATEGORIES_MAX}"));
    }
    for category in line.categories.iter().take(LINE_CATEGORIES_MAX) {
        rule::name(found, "order.lines.categories", category);
    }
    optional(found, "order.lines.shop", &line.shop);
    found.range("order.lines.unit_price_minor", line.unit_price_minor, 0..=AMOUNT_MAX_MINOR);
    if line.quantity == 0 {
        found.add("order.lines.quantity", 0, "give at least 1, or leave the line out");
    }
}

/// A name that may be absent.
fn optional(found: &mut Violations, field: &'static str, text: &str) {
    if !text.is_empty() {
        rule::name(found, field, text);
    }
}

fn twice<'a>(found: &mut Violations, field: &'static str, names: impl Iterator<Item = &'a str>) {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
        found.add(field, quoted(pair[0]), "give each line an id of its own");
    }
}

fn coupon_ids(found: &mut Violations, quote: &Quote) {
    let ids = &quote.coupon_ids;
    if ids.len() > QUOTE_COUPONS_MAX {
        let value = format!("{} coupons", ids.len());
        return found.add("coupon_ids", value, format!("give at most {QUOTE_COUPONS_MAX}"));
    }
    for id in ids.iter().filter(|id| CouponId::try_from_slice(id).is_err()) {
        found.add("coupon_ids", format!("{} bytes", id.len()), "give the 16 bytes of a coupon's id");
    }
    let mut sorted: Vec<_> = ids.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        found.add("coupon_ids", "a coupon twice", "give each coupon once");
    }
}
