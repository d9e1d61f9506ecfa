//! Orders as files, and quotes as they are shown.

use scrip_client::{ApplicableCoupon, CombinedCoupon, InapplicableCoupon, Order, OrderLine, Quote};
use serde::Deserialize;
use serde_json::{Value, json};

/// Reads the order in the file with this path. Unknown keys are refused; what the values may be is the proxy's to say.
pub(super) fn read(path: &str) -> Result<Box<Order>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    parse(&text).map(Box::new)
}

fn parse(text: &str) -> Result<Order, String> {
    serde_json::from_str(text).map(File::into).map_err(|error| error.to_string())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    lines: Vec<FileLine>,
    currency: String,
    #[serde(default)]
    shipping_minor: u64,
    #[serde(default)]
    platform: String,
    #[serde(default)]
    region: String,
    at_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLine {
    line_id: String,
    product: String,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    shop: String,
    unit_price_minor: u64,
    quantity: u32,
}

impl From<File> for Order {
    fn from(file: File) -> Self {
        let File { lines, currency, shipping_minor, platform, region, at_ms } = file;
        let lines = lines.into_iter().map(OrderLine::from).collect();
        Self { lines, currency, shipping_minor, platform, region, at_ms }
    }
}

impl From<FileLine> for OrderLine {
    fn from(file: FileLine) -> Self {
        let FileLine { line_id, product, categories, shop, unit_price_minor, quantity } = file;
        Self { line_id, product, categories, shop, unit_price_minor, quantity }
    }
}

/// Totals first; then one row a coupon, each of which says what it is.
pub(super) fn shown(quote: &Quote) -> Value {
    let best = quote.best.as_ref();
    json!({
        "disposition": "applied",
        "quote": {
            "goods_minor": quote.goods_minor,
            "shipping_minor": quote.shipping_minor,
            "discount_minor": best.map_or(0, |best| best.discount_minor),
            "line_discounts_minor": best.map(|best| &best.line_discounts_minor),
            "shipping_discount_minor": best.map_or(0, |best| best.shipping_discount_minor),
            "payable_minor": best.map_or(quote.goods_minor + quote.shipping_minor, |best| best.payable_minor),
            "exhaustive": quote.is_exhaustive,
            "more_coupons": quote.has_more_coupons,
            "at_ms": quote.at_ms,
        },
        "best": best.map_or(&[][..], |best| &best.coupons).iter().map(combined).collect::<Value>(),
        "applicable": quote.applicable.iter().map(applicable).collect::<Value>(),
        "inapplicable": quote.inapplicable.iter().map(inapplicable).collect::<Value>(),
    })
}

fn combined(coupon: &CombinedCoupon) -> Value {
    json!({
        "as": "best",
        "coupon_id": coupon.coupon_id.to_string(),
        "template": coupon.template.get(),
        "discount_minor": coupon.discount_minor,
        "line_discounts_minor": coupon.line_discounts_minor,
        "shipping_discount_minor": coupon.shipping_discount_minor,
        "gift_product": coupon.gift_product,
    })
}

fn applicable(coupon: &ApplicableCoupon) -> Value {
    json!({
        "as": "applicable",
        "coupon_id": coupon.coupon_id.to_string(),
        "template": coupon.template.get(),
        "discount_minor": coupon.discount_minor,
        "gift_product": coupon.gift_product,
        "valid_until_ms": coupon.valid_until_ms,
    })
}

fn inapplicable(coupon: &InapplicableCoupon) -> Value {
    json!({
        "as": "inapplicable",
        "coupon_id": coupon.coupon_id.to_string(),
        "template": coupon.template.map(|template| template.get()),
        "reason": format!("{:?}", coupon.reason),
        "detail": coupon.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_good_order() {
        let order = parse(include_str!("../../examples/order.json")).expect("the example");
        let order = Some(scrip_protocol::v1::Order::from(&order));
        let quote = scrip_protocol::v1::Quote { order, ..Default::default() };
        assert_eq!(scrip_protocol::check::check_quote(&quote), []);
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        let check = |text: &str, part: &str| {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part) && error.contains("line "), "{error}");
        };
        check(r#"{"lines": [], "currency": "EUR", "price": 5}"#, "price");
        check(r#"{"lines": []}"#, "currency");
        let line =
            |rest: &str| format!(r#"{{"currency": "EUR", "lines": [{{"line_id": "1", "product": "p", {rest}}}]}}"#);
        check(&line(r#""unit_price_minor": 0.5, "quantity": 1"#), "0.5");
        check(&line(r#""unit_price_minor": 5, "quantity": -1"#), "-1");
        check(&line(r#""unit_price_minor": 5, "quantity": 1, "amount": 5"#), "amount");
    }
}
