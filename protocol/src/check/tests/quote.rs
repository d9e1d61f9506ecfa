use crate::limits::AMOUNT_MAX_MINOR;
use crate::v1::{Order, OrderLine, Quote};

use super::super::check_quote;

fn line(line_id: &str) -> OrderLine {
    let (line_id, product) = (line_id.to_owned(), "p-1".to_owned());
    OrderLine { line_id, product, unit_price_minor: 500, quantity: 2, ..OrderLine::default() }
}

fn sound() -> Quote {
    let order = Order { lines: vec![line("1"), line("2")], currency: "EUR".to_owned(), ..Order::default() };
    Quote { user_id: 0, order: Some(order), coupon_ids: Vec::new() }
}

fn check(change: impl FnOnce(&mut Quote, &mut Order), fields: &[&str]) {
    let mut quote = sound();
    let mut order = quote.order.take().expect("an order");
    change(&mut quote, &mut order);
    quote.order = Some(order);
    let found: Vec<_> = check_quote(&quote).into_iter().map(|violation| violation.field).collect();
    assert_eq!(found, fields, "{quote:?}");
}

#[test]
fn orders() {
    check(|_, _| {}, &[]);
    assert_eq!(check_quote(&Quote::default()).len(), 1, "an order is missing");
    check(|_, o| *o = Order::default(), &["order.lines", "order.currency"]);
    check(|_, o| o.currency = "eur".to_owned(), &["order.currency"]);
    check(|_, o| (o.platform, o.region) = ("app".to_owned(), "FR".to_owned()), &[]);
    check(|_, o| (o.platform, o.region) = ("\n".to_owned(), "r".repeat(65)), &["order.platform", "order.region"]);
    check(|_, o| o.at_ms = -1, &["order.at_ms"]);
    check(|_, o| o.lines = (0..100).map(|number| line(&number.to_string())).collect(), &[]);
    check(|_, o| o.lines = (0..101).map(|number| line(&number.to_string())).collect(), &["order.lines"]);
    check(|_, o| o.shipping_minor = AMOUNT_MAX_MINOR - 2_000, &[]);
    check(|_, o| o.shipping_minor = AMOUNT_MAX_MINOR - 1_999, &["order"]);
    check(|_, o| o.shipping_minor = u64::MAX, &["order"]);
    let long = || (0..20).map(|number| format!("{number:064}")).collect::<Vec<_>>();
    let lines = |count: usize| (0..count).map(|number| OrderLine { categories: long(), ..line(&number.to_string()) });
    check(|_, o| o.lines = lines(20).collect(), &[]);
    check(|_, o| o.lines = lines(30).collect(), &["order"]);
}

#[test]
fn lines() {
    let check = |change: &dyn Fn(&mut OrderLine), fields: &[&str]| {
        let fields: Vec<_> = fields.iter().map(|field| format!("order.lines.{field}")).collect();
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        check(|_, order| change(&mut order.lines[0]), &fields);
    };
    check(&|l| (l.shop, l.categories) = ("s-1".to_owned(), vec!["shoes".to_owned()]), &[]);
    check(&|l| *l = OrderLine::default(), &["line_id", "product", "quantity"]);
    check(&|l| l.line_id = "2".to_owned(), &["line_id"]);
    check(&|l| l.shop = "s".repeat(65), &["shop"]);
    check(&|l| l.categories = vec![String::new()], &["categories"]);
    check(&|l| l.categories = vec!["a".to_owned(); 21], &["categories"]);
    check(&|l| l.unit_price_minor = 0, &[]);
    check(&|l| (l.unit_price_minor, l.quantity) = (1, u32::MAX), &[]);
}

#[test]
fn coupon_ids() {
    let ids = |numbers: std::ops::Range<u8>| numbers.map(|number| vec![number; 16].into()).collect();
    check(|q, _| q.coupon_ids = ids(0..100), &[]);
    check(|q, _| q.coupon_ids = ids(0..101), &["coupon_ids"]);
    check(|q, _| q.coupon_ids = vec![vec![1; 15].into()], &["coupon_ids"]);
    check(|q, _| q.coupon_ids = vec![vec![1; 16].into(), vec![1; 16].into()], &["coupon_ids"]);
}
