//! What an operator defines.

use prost::Message;

use super::{Violation, Violations, quoted, rule};
use crate::limits::{
    DEFINITION_LEN_MAX, PER_USER_LIMIT_MAX, TEMPLATE_NAME_LEN_MAX, TIME_MAX_MS, TOTAL_STOCK_MAX, VALIDITY_MAX_S,
};
use crate::v1::template_definition::Validity;
use crate::v1::{FixedValidity, RelativeValidity, TemplateDefinition};

/// What is wrong with a definition; empty: nothing.
pub fn check_definition(definition: &TemplateDefinition) -> Vec<Violation> {
    let mut found = Violations::default();
    name(&mut found, &definition.name);
    found.range("definition.total_stock", definition.total_stock, 0..=TOTAL_STOCK_MAX);
    found.range("definition.per_user_limit", definition.per_user_limit, 1..=PER_USER_LIMIT_MAX);
    window(&mut found, definition);
    match &definition.validity {
        None => found.add("definition.validity", "missing", "give fixed or relative"),
        Some(Validity::Fixed(validity)) => fixed(&mut found, validity, definition.claim_start_ms),
        Some(Validity::Relative(validity)) => relative(&mut found, *validity),
    }
    rule::rules(&mut found, definition);
    let len = definition.encoded_len();
    if len > DEFINITION_LEN_MAX {
        let fix = format!("shorten the lists: encoded it may take {DEFINITION_LEN_MAX} bytes");
        found.add("definition", format!("{len} bytes"), fix);
    }
    found.0
}

/// The total of a template after a change of its stock by `units`.
///
/// # Errors
/// A total below 0 or above [`TOTAL_STOCK_MAX`], as a violation of `units`.
pub fn check_total_after(total_stock: u64, units: i64) -> Result<u64, Violation> {
    match total_stock.checked_add_signed(units) {
        Some(total) if total <= TOTAL_STOCK_MAX => Ok(total),
        _ => {
            let room = TOTAL_STOCK_MAX.saturating_sub(total_stock);
            let fix = format!("the total is {total_stock}: give -{total_stock} to {room}");
            Err(Violation { field: "units", value: units.to_string(), fix })
        }
    }
}

fn name(found: &mut Violations, name: &str) {
    let field = "definition.name";
    let len = name.chars().count();
    if name.trim().is_empty() {
        found.add(field, quoted(name), "give a name that can be seen");
    }
    if len > TEMPLATE_NAME_LEN_MAX {
        let value = format!("{} ({len} characters)", quoted(name));
        found.add(field, value, format!("give at most {TEMPLATE_NAME_LEN_MAX} characters"));
    }
    if name.chars().any(char::is_control) {
        found.add(field, quoted(name), "leave out control characters");
    }
}

fn window(found: &mut Violations, definition: &TemplateDefinition) {
    let (start, end) = (definition.claim_start_ms, definition.claim_end_ms);
    found.range("definition.claim_start_ms", start, 0..=TIME_MAX_MS);
    found.range("definition.claim_end_ms", end, 0..=TIME_MAX_MS);
    if end > 0 && start >= end {
        found.add(
            "definition.claim_end_ms",
            end,
            format!("give a time after claim_start_ms ({start}), or 0 for no end"),
        );
    }
}

fn fixed(found: &mut Violations, validity: &FixedValidity, claim_start_ms: i64) {
    let FixedValidity { from_ms, until_ms } = *validity;
    found.range("definition.fixed.from_ms", from_ms, 0..=TIME_MAX_MS);
    if until_ms <= from_ms.max(claim_start_ms).max(0) {
        let fix = format!("give a time after from_ms ({from_ms}) and after claim_start_ms ({claim_start_ms})");
        found.add("definition.fixed.until_ms", until_ms, fix);
    } else {
        found.range("definition.fixed.until_ms", until_ms, 1..=TIME_MAX_MS);
    }
}

fn relative(found: &mut Violations, validity: RelativeValidity) {
    found.range("definition.relative.starts_after_s", validity.starts_after_s, 0..=VALIDITY_MAX_S);
    found.range("definition.relative.lasts_s", validity.lasts_s, 1..=VALIDITY_MAX_S);
}
