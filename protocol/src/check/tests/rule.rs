use crate::limits::{AMOUNT_MAX_MINOR, DEFINITION_LEN_MAX};
use crate::v1::template_definition::Benefit;
use crate::v1::{AmountOff, Applicability, FreeShipping, Gift, PercentageOff, Selection, Stacking};

use super::check;

fn percentage(basis_points: u32, cap_minor: Option<u64>) -> Option<Benefit> {
    Some(Benefit::PercentageOff(PercentageOff { basis_points, cap_minor }))
}

fn amount(amount_minor: u64) -> Option<Benefit> {
    Some(Benefit::AmountOff(AmountOff { amount_minor }))
}

fn shipping(cap_minor: Option<u64>) -> Option<Benefit> {
    Some(Benefit::FreeShipping(FreeShipping { cap_minor }))
}

fn gift(product: &str) -> Option<Benefit> {
    Some(Benefit::Gift(Gift { product: product.into() }))
}

#[test]
fn benefits() {
    let yuan = || "CNY".to_owned();
    check(|d| (d.benefit, d.currency) = (amount(1), yuan()), &[]);
    check(|d| (d.benefit, d.currency) = (amount(AMOUNT_MAX_MINOR), yuan()), &[]);
    check(|d| (d.benefit, d.currency) = (amount(0), yuan()), &["amount_off.amount_minor"]);
    check(|d| (d.benefit, d.currency) = (amount(AMOUNT_MAX_MINOR + 1), yuan()), &["amount_off.amount_minor"]);
    check(|d| d.benefit = percentage(1, None), &[]);
    check(|d| d.benefit = percentage(10_000, None), &[]);
    check(|d| d.benefit = percentage(0, None), &["percentage_off.basis_points"]);
    check(|d| d.benefit = percentage(10_001, None), &["percentage_off.basis_points"]);
    check(|d| (d.benefit, d.currency) = (percentage(1, Some(1)), yuan()), &[]);
    check(|d| (d.benefit, d.currency) = (percentage(1, Some(0)), yuan()), &["percentage_off.cap_minor"]);
    check(|d| d.benefit = shipping(None), &[]);
    check(|d| (d.benefit, d.currency) = (shipping(Some(0)), yuan()), &["free_shipping.cap_minor"]);
    check(|d| d.benefit = gift("mug"), &[]);
    check(|d| d.benefit = gift(""), &["gift.product"]);
    check(|d| d.benefit = gift(&"m".repeat(65)), &["gift.product"]);
    check(|d| d.benefit = gift("m\tug"), &["gift.product"]);
}

#[test]
fn an_amount_needs_its_currency() {
    check(|d| d.benefit = amount(5), &["currency"]);
    check(|d| d.benefit = percentage(5, Some(5)), &["currency"]);
    check(|d| d.benefit = shipping(Some(5)), &["currency"]);
    check(|d| d.threshold_minor = 1, &["currency"]);
    check(|d| d.threshold_minor = AMOUNT_MAX_MINOR + 1, &["threshold_minor", "currency"]);
    check(|d| d.currency = "EUR".into(), &[]);
    for wrong in ["eur", "EU", "EURO", "EU1", "\u{C4}A"] {
        check(|d| d.currency = wrong.into(), &["currency"]);
    }
}

#[test]
fn a_budget_needs_something_that_spends_it() {
    check(|d| d.budget_minor = 5, &["budget_minor", "currency"]);
    let with = |benefit: Option<Benefit>, budget_minor, fields: &[&str]| {
        check(|d| (d.benefit, d.budget_minor, d.currency) = (benefit, budget_minor, "JPY".into()), fields);
    };
    with(gift("mug"), 5, &["budget_minor"]);
    with(shipping(None), 5, &[]);
    with(percentage(5, None), AMOUNT_MAX_MINOR, &[]);
    with(percentage(5, None), AMOUNT_MAX_MINOR + 1, &["budget_minor"]);
}

#[test]
fn applicability() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let selection =
        |include: &[&str], exclude: &[&str]| Some(Selection { include: list(include), exclude: list(exclude) });
    let with = |change: &dyn Fn(&mut Applicability), fields: &[&str]| {
        let mut rules = Applicability::default();
        change(&mut rules);
        let fields: Vec<_> = fields.iter().map(|field| format!("applicability.{field}")).collect();
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        check(|d| d.applicability = Some(rules), &fields);
    };
    with(&|_| {}, &[]);
    with(&|r| r.categories = selection(&["shoes"], &["boots"]), &[]);
    with(&|r| r.categories = selection(&["a", ""], &["b\n"]), &["categories.include", "categories.exclude"]);
    with(&|r| r.products = selection(&["a", "b", "a", "a"], &[]), &["products.include"]);
    with(&|r| r.products = selection(&["a", "b"], &["c", "b", "a"]), &["products.exclude", "products.exclude"]);
    with(&|r| r.shops = selection(&[], &["x", "x"]), &["shops.exclude"]);
    with(&|r| r.platforms = list(&["ios", "ios"]), &["platforms"]);
    with(&|r| r.regions = (0..200).map(|number| number.to_string()).collect(), &[]);
    with(&|r| r.regions = (0..201).map(|_| String::new()).collect(), &["regions"]);
}

#[test]
fn days() {
    check(|d| (d.per_user_limit, d.per_user_daily_limit) = (5, 5), &[]);
    check(|d| (d.per_user_limit, d.per_user_daily_limit) = (5, 6), &["per_user_daily_limit"]);
    check(|d| d.day_starts_at_utc_offset_minutes = -720, &[]);
    check(|d| d.day_starts_at_utc_offset_minutes = 840, &[]);
    check(|d| d.day_starts_at_utc_offset_minutes = -721, &["day_starts_at_utc_offset_minutes"]);
    check(|d| d.day_starts_at_utc_offset_minutes = 841, &["day_starts_at_utc_offset_minutes"]);
}

#[test]
fn groups_and_prefixes() {
    let group = |group: &str| Some(Stacking { group: group.into(), stacks_with_itself: true });
    check(|d| d.stacking = group("shop"), &[]);
    check(|d| d.stacking = group(""), &["stacking.group"]);
    check(|d| d.stacking = group("a\u{7}"), &["stacking.group"]);
    check(|d| d.code_prefix = "ABCZ2349".into(), &[]);
    for wrong in ["ABCDEFGHI", "abc", "A1", "A0", "A B", "\u{C4}"] {
        check(|d| d.code_prefix = wrong.into(), &["code_prefix"]);
    }
}

#[test]
fn a_definition_fits_into_a_page() {
    let list = || (0..200).map(|number| format!("{number:064}")).collect::<Vec<_>>();
    let selection = || Some(Selection { include: list(), exclude: Vec::new() });
    let two = || Applicability { categories: selection(), products: selection(), ..Applicability::default() };
    check(|d| d.applicability = Some(two()), &[]);
    let three = || Applicability { shops: selection(), ..two() };
    check(
        |d| {
            d.applicability = Some(three());
            assert!(prost::Message::encoded_len(d) > DEFINITION_LEN_MAX);
        },
        &[""],
    );
}
