//! Cases by hand: why a coupon does not apply, who wins, and large orders.

use scrip_protocol::limits::{AMOUNT_MAX_MINOR, COMBINATION_COUPONS_MAX, ORDER_LINES_MAX};

use super::*;

fn line(product: &str, unit_price_minor: u64) -> OrderLine {
    let categories = vec!["shoes".to_owned()];
    let product = product.to_owned();
    OrderLine { line_id: product.clone(), product, categories, unit_price_minor, quantity: 1, ..OrderLine::default() }
}

fn order(prices: &[u64], shipping_minor: u64) -> Order {
    let lines = prices.iter().enumerate().map(|(index, price)| line(&format!("p{index}"), *price)).collect();
    let (currency, platform, region) = ("EUR".to_owned(), "app".to_owned(), "FR".to_owned());
    Order { lines, currency, shipping_minor, platform, region, at_ms: 0 }
}

fn amount(amount_minor: u64) -> TemplateDefinition {
    let benefit = Some(Benefit::AmountOff(AmountOff { amount_minor }));
    TemplateDefinition { benefit, currency: "EUR".to_owned(), ..TemplateDefinition::default() }
}

fn percentage(basis_points: u32) -> TemplateDefinition {
    let benefit = Some(Benefit::PercentageOff(PercentageOff { basis_points, cap_minor: None }));
    TemplateDefinition { benefit, ..TemplateDefinition::default() }
}

fn stacking(definition: TemplateDefinition, stacks_with_itself: bool) -> TemplateDefinition {
    let stacking = Some(Stacking { group: "shop".to_owned(), stacks_with_itself });
    TemplateDefinition { stacking, ..definition }
}

fn held(definition: &TemplateDefinition, template: u32, seq: u16) -> Held<'_> {
    let template = TemplateId::try_new(template).expect("not 0");
    Held { template, definition, seq, valid_until_ms: 1_000 - i64::from(seq) }
}

/// Coupons of these templates, one each: the discount of the best, and who is in it.
fn check(definitions: &[TemplateDefinition], order: &Order, expect: (u64, &[u32])) {
    let held = |(index, definition)| held(definition, index as u32 + 1, 1);
    let usable: Vec<_> = definitions.iter().enumerate().filter_map(|one| usable(held(one), order).ok()).collect();
    let best = best(&usable, order);
    let combination = best.combination.expect("a combination");
    let templates: Vec<u32> = combination.parts.iter().map(|(index, _)| usable[*index].held.template.get()).collect();
    assert_eq!((combination.total(), templates.as_slice()), expect);
}

#[test]
fn reasons() {
    let check = |change: &dyn Fn(&mut TemplateDefinition), expect: QuoteReason, detail: &str| {
        let mut definition = amount(5);
        change(&mut definition);
        let unfit = usable(held(&definition, 1, 1), &order(&[10, 20], 0)).expect_err("does not apply");
        assert_eq!(unfit.reason, expect);
        assert!(unfit.detail.contains(detail) && unfit.detail.len() <= 120, "{unfit:?}");
    };
    let rules = |rules: Applicability| Some(rules);
    let only = |name: &str| Some(Selection { include: vec![name.to_owned()], exclude: Vec::new() });
    let never = |name: &str| Some(Selection { include: Vec::new(), exclude: vec![name.to_owned()] });
    check(&|d| d.benefit = None, QuoteReason::NoBenefit, "");
    check(&|d| d.currency = "JPY".to_owned(), QuoteReason::Currency, "JPY, not in EUR");
    let platforms = || Applicability { platforms: vec!["web".to_owned()], ..Applicability::default() };
    check(&|d| d.applicability = rules(platforms()), QuoteReason::Platform, "app");
    let regions = || Applicability { regions: vec!["DE".to_owned()], ..platforms() };
    check(&|d| d.applicability = rules(regions()), QuoteReason::Platform, "app");
    let regions = || Applicability { regions: vec!["DE".to_owned()], ..Applicability::default() };
    check(&|d| d.applicability = rules(regions()), QuoteReason::Region, "FR");
    let shops = || Applicability { shops: only("s"), ..Applicability::default() };
    check(&|d| d.applicability = rules(shops()), QuoteReason::NoApplicableLine, "");
    let categories = || Applicability { categories: never("shoes"), ..Applicability::default() };
    check(&|d| d.applicability = rules(categories()), QuoteReason::NoApplicableLine, "");
    let products = || Applicability { products: only("p1"), ..Applicability::default() };
    let threshold = |d: &mut TemplateDefinition| (d.applicability, d.threshold_minor) = (rules(products()), 21);
    check(&threshold, QuoteReason::Threshold, "sum up to 20; the threshold is 21");
    check(&|d| *d = percentage(333), QuoteReason::NothingToTakeOff, "");
    let shipping = || Some(Benefit::FreeShipping(FreeShipping::default()));
    check(&|d| d.benefit = shipping(), QuoteReason::NothingToTakeOff, "");
}

#[test]
fn a_long_name_does_not_make_a_long_detail() {
    let platforms = Some(Applicability { platforms: vec!["web".to_owned()], ..Applicability::default() });
    let definition = TemplateDefinition { applicability: platforms, ..amount(5) };
    for platform in ["\u{200b}".repeat(21), "\u{1F381}".repeat(16), "\"".repeat(64)] {
        let unfit =
            usable(held(&definition, 1, 1), &Order { platform, ..order(&[9], 0) }).expect_err("another platform");
        assert!(unfit.detail.len() <= 120, "{unfit:?}");
    }
}

#[test]
fn exclusive_against_stacked() {
    let order = order(&[1_000], 0);
    let (ten, five) = (stacking(percentage(1_000), false), stacking(percentage(500), false));
    check(&[amount(140), ten.clone(), five.clone()], &order, (145, &[2, 3]));
    check(&[amount(150), ten, five], &order, (150, &[1]));
}

#[test]
fn amounts_come_before_percentages() {
    let order = order(&[1_000], 0);
    check(&[stacking(percentage(1_000), false), stacking(amount(100), false)], &order, (190, &[2, 1]));
}

#[test]
fn what_takes_nothing_off_beside_the_others_stays_out() {
    let order = order(&[100], 0);
    check(&[stacking(amount(100), false), stacking(percentage(5_000), false)], &order, (100, &[1]));
}

#[test]
fn gifts_join_and_break_ties() {
    let gift = TemplateDefinition { benefit: Some(Benefit::Gift(Gift::default())), ..TemplateDefinition::default() };
    let order = order(&[100], 0);
    check(&[stacking(gift.clone(), false), stacking(amount(10), false), amount(10)], &order, (10, &[2, 1]));
    check(&[gift.clone(), amount(1)], &order, (1, &[2]));
    check(&[gift], &order, (0, &[1]));
}

#[test]
fn of_one_template_those_that_end_first() {
    let order = order(&[1_000], 0);
    for (stacks_with_itself, expect) in [(false, &[3][..]), (true, &[3, 2, 1][..])] {
        let definition = stacking(amount(10), stacks_with_itself);
        let usable: Vec<_> = (1..=3).filter_map(|seq| usable(held(&definition, 1, seq), &order).ok()).collect();
        let combination = best(&usable, &order).combination.expect("a combination");
        let seqs: Vec<u16> = combination.parts.iter().map(|(index, _)| usable[*index].held.seq).collect();
        assert_eq!(seqs, expect);
    }
}

#[test]
fn the_largest_order_does_not_overflow() {
    let prices = [AMOUNT_MAX_MINOR / ORDER_LINES_MAX as u64; ORDER_LINES_MAX];
    let order = order(&prices, 0);
    let definitions: Vec<_> = (0..20).map(|_| stacking(percentage(10), false)).collect();
    let held = |(index, definition)| held(definition, index as u32 + 1, 1);
    let usable: Vec<_> = definitions.iter().enumerate().filter_map(|one| usable(held(one), &order).ok()).collect();
    let combination = best(&usable, &order).combination.expect("a combination");
    assert_eq!(combination.parts.len(), COMBINATION_COUPONS_MAX);
    check(&[amount(AMOUNT_MAX_MINOR)], &order, (AMOUNT_MAX_MINOR, &[1]));
}

/// Percentages of the same lines: each finds less than the one before it, so that the bound cuts nothing off, and every set
/// is tried. All of 12 are seen, and of more the search says that it was cut; what it found first is all of them.
#[test]
fn a_search_that_is_cut_says_so() {
    let order = order(&[9_973; ORDER_LINES_MAX], 0);
    let fifth = stacking(percentage(2_000), false);
    for (count, exhaustive) in [(12, true), (13, false), (COMBINATION_COUPONS_MAX as u32, false)] {
        let usable: Vec<_> =
            (1..=count).filter_map(|template| usable(held(&fifth, template, 1), &order).ok()).collect();
        let best = best(&usable, &order);
        assert_eq!(best.exhaustive, exhaustive, "{count} coupons");
        assert_eq!(best.combination.map(|combination| combination.parts.len()), Some(count as usize));
    }
}
