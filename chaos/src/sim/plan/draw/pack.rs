//! Packs, with dice of their own, so that what is drawn of everything else about a seed stays what it was before there were any.

use super::BEGIN_MS;
use crate::sim::dice::Dice;
use crate::sim::plan::{ClaimPlan, LASTS_S, PackPlan, TemplatePlan};

/// May add a template: packs are of several.
pub(super) fn packs(
    dice: &mut Dice,
    claims: &[ClaimPlan],
    templates: &mut Vec<TemplatePlan>,
    span_ms: u64,
) -> Vec<PackPlan> {
    if dice.chance(600) {
        return Vec::new();
    }
    while templates.len() < dice.pick(&[1, 2, 2, 3]) {
        let (total, limit) = (dice.within(1..=30), dice.pick(&[1, 2, 2, 3]));
        templates.push(TemplatePlan { total, limit, daily: 0, budget_minor: 0, lasts_s: LASTS_S });
    }
    let users: Vec<u64> = claims.iter().map(|claim| claim.user).collect();
    let mut packs: Vec<PackPlan> = (0..dice.within(1..=24)).map(|_| pack(dice, &users, templates, span_ms)).collect();
    packs.sort_by_key(|pack| pack.at_ms);
    packs
}

fn pack(dice: &mut Dice, users: &[u64], templates: &[TemplatePlan], span_ms: u64) -> PackPlan {
    let deadline_ms = dice.pick(&[50, 200, 500, 500, 500, 2_000]);
    let mut items = Vec::new();
    for (index, template) in templates.iter().enumerate() {
        let count = dice.pick(&[1, 1, 2, 3]).min(template.limit as u8);
        if items.is_empty() || dice.chance(700) {
            items.insert(dice.index(items.len() + 1), (index, count));
        }
    }
    PackPlan {
        at_ms: BEGIN_MS + if dice.chance(500) { dice.within(0..=60) } else { dice.within(0..=span_ms) },
        // Users with claims of their own, or new ones.
        user: if dice.chance(500) { dice.pick(users) } else { dice.within(0..=99_999_999) },
        items,
        deadline_ms,
        patience_ms: if dice.chance(150) { dice.within(1..=deadline_ms) } else { deadline_ms + 100 },
        sends_max: dice.pick(&[1, 2, 3, 5]),
        doubled: dice.chance(150),
    }
}
