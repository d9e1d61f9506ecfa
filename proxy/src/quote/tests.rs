//! The best combination against brute force, and what holds of every combination.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use scrip_protocol::v1::template_definition::Benefit;
use scrip_protocol::v1::{AmountOff, Applicability, FreeShipping, Gift, PercentageOff, Selection, Stacking};

use super::*;

mod cases;

fn names(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(of, 0..=of.len()).prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn selection(of: &'static [&'static str]) -> impl Strategy<Value = Option<Selection>> {
    option::weighted(0.4, (names(of), names(of)).prop_map(|(include, exclude)| Selection { include, exclude }))
}

fn benefit() -> impl Strategy<Value = Benefit> {
    let cap = || option::of(1_u64..40);
    prop_oneof![
        3 => (1_u64..80).prop_map(|amount_minor| Benefit::AmountOff(AmountOff { amount_minor })),
        3 => (select(&[1, 333, 1_000, 3_333, 5_000, 9_999, 10_000][..]), cap())
            .prop_map(|(basis_points, cap_minor)| Benefit::PercentageOff(PercentageOff { basis_points, cap_minor })),
        1 => cap().prop_map(|cap_minor| Benefit::FreeShipping(FreeShipping { cap_minor })),
        1 => Just(Benefit::Gift(Gift { product: "mug".to_owned() })),
    ]
}

fn definition() -> impl Strategy<Value = TemplateDefinition> {
    let applicability = (selection(&["a", "b"]), selection(&["p", "q"]), selection(&["s", "t"]));
    let stacking = option::weighted(0.8, (select(&["x", "y"][..]), any::<bool>()));
    (benefit(), prop_oneof![3 => Just(0), 1 => 0_u64..120], applicability, stacking).prop_map(
        |(benefit, threshold_minor, (categories, products, shops), stacking)| TemplateDefinition {
            benefit: Some(benefit),
            currency: "EUR".to_owned(),
            threshold_minor,
            applicability: Some(Applicability { categories, products, shops, ..Applicability::default() }),
            stacking: stacking
                .map(|(group, stacks_with_itself)| Stacking { group: group.to_owned(), stacks_with_itself }),
            ..TemplateDefinition::default()
        },
    )
}

fn order() -> impl Strategy<Value = Order> {
    let line = (names(&["a", "b"]), select(&["p", "q"][..]), select(&["", "s", "t"][..]), 0_u64..40, 1_u32..4);
    let line = line.prop_map(|(categories, product, shop, unit_price_minor, quantity)| OrderLine {
        line_id: String::new(),
        product: product.to_owned(),
        categories,
        shop: shop.to_owned(),
        unit_price_minor,
        quantity,
    });
    (vec(line, 1..5), 0_u64..30).prop_map(|(lines, shipping_minor)| Order {
        lines,
        currency: "EUR".to_owned(),
        shipping_minor,
        ..Order::default()
    })
}

/// Some templates, and some coupons of them: which template, and the end of the validity.
type Purse = (Vec<TemplateDefinition>, Vec<(usize, i64)>);

fn purse() -> impl Strategy<Value = Purse> {
    (vec(definition(), 1..6), vec((0_usize..6, 0_i64..3), 0..8))
}

fn held<'a>((definitions, coupons): &'a Purse) -> Vec<Held<'a>> {
    let held = |(index, &(which, valid_until_ms)): (usize, &(usize, i64))| {
        let which = which % definitions.len();
        let template = TemplateId::try_new(which as u32 + 1).expect("not 0");
        Held { template, definition: &definitions[which], seq: index as u16 + 1, valid_until_ms }
    };
    coupons.iter().enumerate().map(held).collect()
}

/// Written anew from the words of the protocol, slowly and plainly.
mod plain {
    use super::*;

    pub(super) fn applies(definition: &TemplateDefinition, line: &OrderLine) -> bool {
        let rules = definition.applicability.clone().unwrap_or_default();
        let passes = |rule: Option<Selection>, names: Vec<String>| {
            let rule = rule.unwrap_or_default();
            let included = rule.include.is_empty() || names.iter().any(|name| rule.include.contains(name));
            included && names.iter().all(|name| !rule.exclude.contains(name))
        };
        let shop = Some(line.shop.clone()).filter(|shop| !shop.is_empty());
        passes(rules.categories, line.categories.clone())
            && passes(rules.products, vec![line.product.clone()])
            && passes(rules.shops, shop.into_iter().collect())
    }

    fn price(line: &OrderLine) -> u64 {
        line.unit_price_minor * u64::from(line.quantity)
    }

    pub(super) fn is_usable(definition: &TemplateDefinition, order: &Order) -> bool {
        let lines: Vec<_> = order.lines.iter().filter(|line| applies(definition, line)).collect();
        let sum: u64 = lines.iter().map(|line| price(line)).sum();
        !lines.is_empty() && sum >= definition.threshold_minor
    }

    /// One unit after the other, each to the line that is furthest behind its exact part.
    fn split(amount: u64, left: &mut [u64], on: &[bool]) -> Vec<u64> {
        let weight = |index: usize| if on[index] { i128::from(left[index]) } else { 0 };
        let weights: Vec<i128> = (0..left.len()).map(weight).collect();
        let sum: i128 = weights.iter().sum();
        let mut parts = vec![0_u64; left.len()];
        for _ in 0..amount {
            let behind = |index: usize| i128::from(amount) * weights[index] - i128::from(parts[index]) * sum;
            let furthest = (0..left.len()).rev().max_by_key(|&index| behind(index)).expect("a line");
            parts[furthest] += 1;
        }
        left.iter_mut().zip(&parts).for_each(|(left, part)| *left -= part);
        parts
    }

    /// What the coupons take off, in the order in which they are given; of each the lines and the shipping.
    pub(super) fn apply(set: &[Held<'_>], order: &Order) -> Vec<(Vec<u64>, u64)> {
        let mut left: Vec<u64> = order.lines.iter().map(price).collect();
        let mut shipping = order.shipping_minor;
        let mut parts = Vec::new();
        for held in set {
            let on: Vec<bool> = order.lines.iter().map(|line| applies(held.definition, line)).collect();
            let sum: u64 = left.iter().zip(&on).filter(|(_, on)| **on).map(|(left, _)| left).sum();
            let (off, free) = match held.definition.benefit.as_ref().expect("a benefit") {
                Benefit::AmountOff(off) => (off.amount_minor.min(sum), 0),
                Benefit::PercentageOff(off) => {
                    ((sum * u64::from(off.basis_points) / 10_000).min(off.cap_minor.unwrap_or(sum)), 0)
                }
                Benefit::FreeShipping(free) => (0, shipping.min(free.cap_minor.unwrap_or(shipping))),
                Benefit::Gift(_) => (0, 0),
            };
            shipping -= free;
            parts.push((split(off, &mut left, &on), free));
        }
        parts
    }

    fn is_gift(held: &Held<'_>) -> bool {
        matches!(held.definition.benefit, Some(Benefit::Gift(_)))
    }

    pub(super) fn are_permitted(set: &[Held<'_>]) -> bool {
        let pairs =
            set.iter().enumerate().flat_map(|(index, one)| set[index + 1..].iter().map(move |other| (one, other)));
        pairs.into_iter().all(|(one, other)| match (&one.definition.stacking, &other.definition.stacking) {
            (Some(a), Some(b)) => a.group == b.group && (one.template != other.template || a.stacks_with_itself),
            _ => false,
        })
    }

    pub(super) fn rank(held: &Held<'_>) -> (u8, TemplateId, i64, u16) {
        let kind = match held.definition.benefit.as_ref().expect("a benefit") {
            Benefit::AmountOff(_) => 0,
            Benefit::PercentageOff(_) => 1,
            Benefit::FreeShipping(_) => 2,
            Benefit::Gift(_) => 3,
        };
        (kind, held.template, held.valid_until_ms, held.seq)
    }

    /// The worth of the best permitted set of all: discount, gifts, and how few coupons.
    pub(super) fn best(usable: &[Held<'_>], order: &Order) -> (u64, usize, i64) {
        let mut best = (0, 0, 0);
        for bits in 1_u32..1 << usable.len() {
            let mut set: Vec<_> =
                (0..usable.len()).filter(|index| bits >> index & 1 == 1).map(|index| usable[index]).collect();
            set.sort_by_key(rank);
            if !are_permitted(&set) {
                continue;
            }
            let total = apply(&set, order).iter().map(|(lines, shipping)| lines.iter().sum::<u64>() + shipping).sum();
            let gifts = set.iter().filter(|held| is_gift(held)).count();
            best = best.max((total, gifts, -(set.len() as i64)));
        }
        best
    }
}

fn check(purse: &Purse, order: &Order) -> Result<(), TestCaseError> {
    let mut fit = Vec::new();
    for one in held(purse) {
        match usable(one, order) {
            Ok(usable) => {
                prop_assert!(plain::is_usable(one.definition, order));
                let alone = plain::apply(&[one], order);
                prop_assert_eq!((&usable.alone.lines, usable.alone.shipping), (&alone[0].0, alone[0].1));
                fit.push(usable);
            }
            Err(unfit) => {
                let nothing = unfit.reason == QuoteReason::NothingToTakeOff;
                prop_assert!(nothing || !plain::is_usable(one.definition, order), "{:?}", unfit);
            }
        }
    }
    let Best { combination, exhaustive } = best(&fit, order);
    prop_assert!(exhaustive);
    let all: Vec<Held<'_>> = fit.iter().map(|usable| usable.held).collect();
    let Some(combination) = combination else {
        prop_assert!(all.is_empty());
        return Ok(());
    };
    let set: Vec<Held<'_>> = combination.parts.iter().map(|(index, _)| all[*index]).collect();
    prop_assert!(plain::are_permitted(&set), "{:?}", set);
    prop_assert!(set.is_sorted_by_key(plain::rank), "{:?}", set);
    let plainly = plain::apply(&set, order);
    let parts: Vec<_> = combination.parts.iter().map(|(_, taken)| (taken.lines.clone(), taken.shipping)).collect();
    prop_assert_eq!(parts, plainly);
    let gifts = combination.parts.iter().filter(|(_, taken)| taken.gift).count();
    let worth = (combination.total(), gifts, -(combination.parts.len() as i64));
    prop_assert_eq!(worth, plain::best(&all, order));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_permitted_is_better(purse in purse(), order in order()) {
        check(&purse, &order)?;
    }
}
