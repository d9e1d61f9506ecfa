use crate::limits::{TEMPLATE_NAME_LEN_MAX, TIME_MAX_MS, TOTAL_STOCK_MAX, VALIDITY_MAX_S};
use crate::v1::request::Operation;
use crate::v1::template_definition::Validity;
use crate::v1::{
    Claim, Coupon, FixedValidity, Hello, ListCoupons, Ping, RelativeValidity, Replenish, Request, Response,
    SetTemplateStatus, StockChange, Template, TemplateDefinition, response,
};

use super::*;

mod quote;
mod rule;

fn sound() -> TemplateDefinition {
    TemplateDefinition {
        name: "ten off".into(),
        total_stock: 1_000,
        per_user_limit: 1,
        claim_start_ms: 10,
        claim_end_ms: 20,
        validity: Some(Validity::Fixed(FixedValidity { from_ms: 10, until_ms: 30 })),
        ..TemplateDefinition::default()
    }
}

fn check(change: impl FnOnce(&mut TemplateDefinition), fields: &[&str]) {
    let mut definition = sound();
    change(&mut definition);
    let found: Vec<_> = check_definition(&definition).into_iter().map(|violation| violation.field).collect();
    let fields: Vec<_> = fields.iter().map(|field| format!("definition.{field}")).collect();
    let fields: Vec<_> = fields.iter().map(|field| field.trim_end_matches('.')).collect();
    assert_eq!(found, fields, "{definition:?}");
}

#[test]
fn definitions() {
    check(|_| {}, &[]);
    check(|d| d.name = String::new(), &["name"]);
    check(|d| d.name = " \u{3000}".into(), &["name"]);
    check(|d| d.name = "a\nb".into(), &["name"]);
    check(|d| d.name = "\u{1F381}".repeat(TEMPLATE_NAME_LEN_MAX), &[]);
    check(|d| d.name = "\u{1F381}".repeat(TEMPLATE_NAME_LEN_MAX + 1), &["name"]);
    check(|d| d.total_stock = 0, &[]);
    check(|d| d.total_stock = TOTAL_STOCK_MAX, &[]);
    check(|d| d.total_stock = TOTAL_STOCK_MAX + 1, &["total_stock"]);
    check(|d| d.per_user_limit = 0, &["per_user_limit"]);
    check(|d| d.per_user_limit = 1_000, &[]);
    check(|d| d.per_user_limit = 1_001, &["per_user_limit"]);
    check(|d| (d.claim_start_ms, d.claim_end_ms) = (0, 0), &[]);
    check(|d| d.claim_end_ms = 10, &["claim_end_ms"]);
    check(|d| d.claim_end_ms = -1, &["claim_end_ms"]);
    check(|d| d.claim_start_ms = -1, &["claim_start_ms"]);
    check(|d| d.claim_end_ms = TIME_MAX_MS + 1, &["claim_end_ms"]);
    check(|d| *d = TemplateDefinition::default(), &["name", "per_user_limit", "validity"]);
}

#[test]
fn validities() {
    let fixed = |from_ms, until_ms| Some(Validity::Fixed(FixedValidity { from_ms, until_ms }));
    let relative = |starts_after_s, lasts_s| Some(Validity::Relative(RelativeValidity { starts_after_s, lasts_s }));
    check(|d| d.validity = None, &["validity"]);
    check(|d| d.validity = fixed(0, 11), &[]);
    check(|d| d.validity = fixed(0, 0), &["fixed.until_ms"]);
    check(|d| d.validity = fixed(-3, -2), &["fixed.from_ms", "fixed.until_ms"]);
    check(|d| d.validity = fixed(30, 30), &["fixed.until_ms"]);
    check(|d| d.validity = fixed(30, 29), &["fixed.until_ms"]);
    check(|d| d.validity = fixed(0, 10), &["fixed.until_ms"]);
    check(|d| d.validity = fixed(-1, 30), &["fixed.from_ms"]);
    check(|d| d.validity = fixed(0, i64::MAX), &["fixed.until_ms"]);
    check(|d| d.validity = relative(0, 1), &[]);
    check(|d| d.validity = relative(VALIDITY_MAX_S, VALIDITY_MAX_S), &[]);
    check(|d| d.validity = relative(0, 0), &["relative.lasts_s"]);
    check(|d| d.validity = relative(u64::MAX, u64::MAX), &["relative.starts_after_s", "relative.lasts_s"]);
}

fn check_fields(request: Request, fields: &[&str]) {
    let found: Vec<_> = check_request(&request).into_iter().map(|violation| violation.field).collect();
    assert_eq!(found, fields, "{request:?}");
}

fn check_one(operation: Operation, fields: &[&str]) {
    check_fields(Request { id: 1, deadline_ms: 0, operation: Some(operation) }, fields);
}

#[test]
fn requests() {
    let ping = || Some(Operation::Ping(Ping::default()));
    let hello = |caller: &str, token: &str| Hello { caller: caller.into(), token: token.into(), ..Hello::default() };
    let replenish = |units| Replenish { template_id: 1, request_id: vec![7; 16].into(), units };

    check_fields(Request { id: 1, deadline_ms: 60_000, operation: ping() }, &[]);
    check_fields(Request { id: 0, deadline_ms: 60_001, operation: None }, &["id", "deadline_ms", "operation"]);
    check_one(Operation::Hello(hello("shop", "secret")), &[]);
    check_one(Operation::Hello(hello("", "")), &["caller", "token"]);
    check_one(Operation::Hello(hello("a\u{7}", &"t".repeat(257))), &["caller", "token"]);
    check_one(Operation::Claim(Claim::default()), &["template_id", "request_id"]);
    check_one(
        Operation::Claim(Claim { template_id: 1, request_id: vec![0; 15].into(), ..Claim::default() }),
        &["request_id"],
    );
    check_one(Operation::ListCoupons(ListCoupons::default()), &[]);
    check_one(
        Operation::ListCoupons(ListCoupons {
            status: 99,
            page_size: 501,
            cursor: vec![0; 129].into(),
            max_staleness_ms: 600_001,
            ..ListCoupons::default()
        }),
        &["status", "page_size", "cursor", "max_staleness_ms"],
    );
    check_one(Operation::CreateTemplate(Box::default()), &["request_id", "definition"]);
    check_one(Operation::SetTemplateStatus(SetTemplateStatus { template_id: 1, action: 0 }), &["action"]);
    check_one(
        Operation::SetTemplateStatus(SetTemplateStatus { template_id: 0, action: 9 }),
        &["template_id", "action"],
    );
    check_one(Operation::Replenish(replenish(-1)), &[]);
    check_one(Operation::Replenish(replenish(0)), &["units"]);
    check_one(Operation::Replenish(replenish(i64::MIN)), &["units"]);
}

fn check_answer(change: impl FnOnce(&mut Response), fields: &[&str]) {
    let mut response = Response { id: 1, code: 1, ..Response::default() };
    change(&mut response);
    let found: Vec<_> = check_response(&response).into_iter().map(|violation| violation.field).collect();
    assert_eq!(found, fields, "{response:?}");
}

#[test]
fn responses() {
    let template = || Template { template_id: 1, definition: Some(sound()), ..Template::default() };
    let crowded = || Template { definition: None, sub_stocks: vec![0; 1_025], ..template() };
    check_answer(|_| {}, &[]);
    check_answer(|r| r.code = 0, &["code"]);
    check_answer(|r| r.code = 59, &[]);
    check_answer(|r| r.detail = "d".repeat(1_024), &[]);
    check_answer(|r| r.detail = "d".repeat(1_025), &["detail"]);
    check_answer(|r| r.retry_after_ms = 60_001, &["retry_after_ms"]);
    let fields = ["coupon.coupon_id", "coupon.template_id", "coupon.request_id", "coupon.seq"];
    check_answer(|r| r.result = Some(response::Result::Coupon(Coupon::default())), &fields);
    check_answer(|r| r.result = Some(response::Result::Template(Box::new(template()))), &[]);
    let fields = ["template.definition", "template.sub_stocks"];
    check_answer(|r| r.result = Some(response::Result::Template(Box::new(crowded()))), &fields);
    let change = response::Result::StockChange(StockChange::default());
    check_answer(|r| r.result = Some(change), &["stock_change.template_id"]);
}

#[test]
fn page_sizes() {
    let check = |requested, expect| assert_eq!(page_size(requested), expect);
    check(0, 50);
    check(1, 1);
    check(500, 500);
    check(u32::MAX, 500);
}

#[test]
fn totals() {
    let check = |total, units, expect: Option<u64>| assert_eq!(check_total_after(total, units).ok(), expect);
    check(0, 1, Some(1));
    check(5, -5, Some(0));
    check(5, -6, None);
    check(TOTAL_STOCK_MAX - 1, 1, Some(TOTAL_STOCK_MAX));
    check(TOTAL_STOCK_MAX, 1, None);
    check(u64::MAX, i64::MAX, None);
    check(0, i64::MIN, None);
}

#[test]
fn texts_are_bounded_and_secrets_stay_out() {
    let token = "s3cret".repeat(100);
    let text = detail(&check_hello(&Hello { caller: "shop".into(), token: token.clone(), ..Hello::default() }));
    assert_eq!(text, "token is 600 bytes: give 1 to 256 bytes");

    let many = vec![Violation { field: "field", value: "\u{1F381}".repeat(64), fix: "none".into() }; 20];
    assert!((1_021..=1_024).contains(&detail(&many).len()));
    assert_eq!(quoted(&"\n".repeat(100)), format!("\"{}\"...", "\\n".repeat(64)));
}
