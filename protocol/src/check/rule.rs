//! The rules of a definition: benefit, amounts, applicability, days, stacking.

use super::{Violations, quoted};
use crate::limits::{AMOUNT_MAX_MINOR, BASIS_POINTS_MAX, CODE_PREFIX_LEN_MAX, RULE_LIST_LEN_MAX, RULE_TEXT_LEN_MAX};
use crate::v1::template_definition::Benefit;
use crate::v1::{Selection, TemplateDefinition};

/// The least and the most that a clock is ahead of UTC, in minutes.
const UTC_OFFSET_MINUTES: std::ops::RangeInclusive<i32> = -720..=840;

pub(super) fn rules(found: &mut Violations, definition: &TemplateDefinition) {
    benefit(found, definition.benefit.as_ref());
    found.range("definition.threshold_minor", definition.threshold_minor, 0..=AMOUNT_MAX_MINOR);
    applicability(found, definition);
    days(found, definition);
    if let Some(stacking) = &definition.stacking {
        name(found, "definition.stacking.group", &stacking.group);
    }
    budget(found, definition);
    currency(found, definition);
    code_prefix(found, &definition.code_prefix);
}

fn benefit(found: &mut Violations, benefit: Option<&Benefit>) {
    let cap = |found: &mut Violations, field, cap: Option<u64>| {
        if let Some(cap) = cap {
            found.range(field, cap, 1..=AMOUNT_MAX_MINOR);
        }
    };
    match benefit {
        None => {}
        Some(Benefit::AmountOff(off)) => {
            found.range("definition.amount_off.amount_minor", off.amount_minor, 1..=AMOUNT_MAX_MINOR);
        }
        Some(Benefit::PercentageOff(off)) => {
            found.range("definition.percentage_off.basis_points", off.basis_points, 1..=BASIS_POINTS_MAX);
            cap(found, "definition.percentage_off.cap_minor", off.cap_minor);
        }
        Some(Benefit::FreeShipping(free)) => cap(found, "definition.free_shipping.cap_minor", free.cap_minor),
        Some(Benefit::Gift(gift)) => name(found, "definition.gift.product", &gift.product),
    }
}

fn applicability(found: &mut Violations, definition: &TemplateDefinition) {
    let Some(rules) = &definition.applicability else { return };
    selection(
        found,
        rules.categories.as_ref(),
        ["definition.applicability.categories.include", "definition.applicability.categories.exclude"],
    );
    selection(
        found,
        rules.products.as_ref(),
        ["definition.applicability.products.include", "definition.applicability.products.exclude"],
    );
    selection(
        found,
        rules.shops.as_ref(),
        ["definition.applicability.shops.include", "definition.applicability.shops.exclude"],
    );
    names(found, "definition.applicability.platforms", &rules.platforms);
    names(found, "definition.applicability.regions", &rules.regions);
}

fn selection(found: &mut Violations, selection: Option<&Selection>, [include, exclude]: [&'static str; 2]) {
    let Some(selection) = selection else { return };
    names(found, include, &selection.include);
    names(found, exclude, &selection.exclude);
    let mut included: Vec<&String> = selection.include.iter().collect();
    included.sort_unstable();
    for both in selection.exclude.iter().filter(|name| included.binary_search(name).is_ok()) {
        found.add(exclude, quoted(both), "include it or exclude it, not both");
    }
}

/// A list of names: each as it must be, and none twice.
fn names(found: &mut Violations, field: &'static str, list: &[String]) {
    if list.len() > RULE_LIST_LEN_MAX {
        let value = format!("{} entries", list.len());
        return found.add(field, value, format!("give at most {RULE_LIST_LEN_MAX} entries"));
    }
    for entry in list {
        name(found, field, entry);
    }
    let mut sorted: Vec<&String> = list.iter().collect();
    sorted.sort_unstable();
    let mut twice: Vec<&String> = sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice.dedup();
    for entry in twice {
        found.add(field, quoted(entry), "give each entry once");
    }
}

/// The caller's name of something.
pub(super) fn name(found: &mut Violations, field: &'static str, text: &str) {
    if text.is_empty() || text.len() > RULE_TEXT_LEN_MAX {
        let value = format!("{} ({} bytes)", quoted(text), text.len());
        found.add(field, value, format!("give 1 to {RULE_TEXT_LEN_MAX} bytes"));
    }
    if text.chars().any(char::is_control) {
        found.add(field, quoted(text), "leave out control characters");
    }
}

fn days(found: &mut Violations, definition: &TemplateDefinition) {
    let (daily, limit) = (definition.per_user_daily_limit, definition.per_user_limit);
    if daily > limit {
        let fix = format!("give at most per_user_limit ({limit}), or 0 for no limit a day");
        found.add("definition.per_user_daily_limit", daily, fix);
    }
    let offset = definition.day_starts_at_utc_offset_minutes;
    found.range("definition.day_starts_at_utc_offset_minutes", offset, UTC_OFFSET_MINUTES);
}

fn budget(found: &mut Violations, definition: &TemplateDefinition) {
    let (field, budget) = ("definition.budget_minor", definition.budget_minor);
    found.range(field, budget, 0..=AMOUNT_MAX_MINOR);
    if budget > 0 && matches!(definition.benefit, None | Some(Benefit::Gift(_))) {
        found.add(field, budget, "give 0, or a benefit that takes money off: nothing else spends it");
    }
}

fn currency(found: &mut Violations, definition: &TemplateDefinition) {
    let (field, currency) = ("definition.currency", &definition.currency);
    if currency.is_empty() && has_amount(definition) {
        found.add(field, "missing", "give the currency of the amounts: three upper-case letters, as in ISO 4217");
    }
    if !currency.is_empty() {
        currency_code(found, field, currency);
    }
}

/// Three upper-case letters.
pub(super) fn currency_code(found: &mut Violations, field: &'static str, currency: &str) {
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        found.add(field, quoted(currency), "give three upper-case letters, as in ISO 4217");
    }
}

/// Whether the definition says an amount of money anywhere.
fn has_amount(definition: &TemplateDefinition) -> bool {
    let in_benefit = match &definition.benefit {
        Some(Benefit::AmountOff(_)) => true,
        Some(Benefit::PercentageOff(off)) => off.cap_minor.is_some(),
        Some(Benefit::FreeShipping(free)) => free.cap_minor.is_some(),
        Some(Benefit::Gift(_)) | None => false,
    };
    in_benefit || definition.threshold_minor > 0 || definition.budget_minor > 0
}

fn code_prefix(found: &mut Violations, prefix: &str) {
    let is_allowed = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'9').contains(&byte);
    if prefix.len() > CODE_PREFIX_LEN_MAX || !prefix.bytes().all(is_allowed) {
        let fix = format!("give at most {CODE_PREFIX_LEN_MAX} of A-Z and 2-9, or nothing");
        found.add("definition.code_prefix", quoted(prefix), fix);
    }
}
