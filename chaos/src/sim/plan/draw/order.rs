//! Orders and budgets, with dice of their own, so that everything else about a seed stays what it was before there were any.

use super::BEGIN_MS;
use crate::history::Act;
use crate::sim::dice::Dice;
use crate::sim::fault::{FaultPlan, What, When};
use crate::sim::plan::{ClaimPlan, OrderPlan, Size, TemplatePlan};
use crate::sim::wire::Weather;

/// What orders go through. That an order frees what it may not hold is on purpose: it must be done with it then.
const LIVES: [&[Act]; 8] = [
    &[Act::Lock, Act::Redeem],
    &[Act::Lock, Act::Redeem],
    &[Act::Lock, Act::Redeem, Act::Return],
    &[Act::Redeem, Act::Return],
    &[Act::Redeem],
    &[Act::Lock, Act::Unlock],
    &[Act::Lock, Act::Unlock, Act::Redeem],
    &[Act::Unlock, Act::Lock],
];

pub(super) fn orders(
    dice: &mut Dice,
    claims: &[ClaimPlan],
    templates: &mut [TemplatePlan],
    span_ms: u64,
) -> Vec<OrderPlan> {
    for template in templates {
        if dice.chance(400) {
            template.budget_minor = dice.within(1..=40);
        }
    }
    let users: Vec<u64> = claims.iter().map(|claim| claim.user).collect();
    // Few users at times, so that orders meet.
    let users = if dice.chance(500) { &users[..users.len().min(3)] } else { &users };
    let count = if dice.chance(250) { 0 } else { dice.within(1..=16) };
    let mut orders: Vec<OrderPlan> = (0..count).map(|_| order(dice, users, span_ms)).collect();
    orders.sort_by_key(|order| order.at_ms);
    orders
}

/// Answers of a primary that are lost while orders write: what became of their steps is in doubt.
pub(super) fn faults(dice: &mut Dice, orders: &[OrderPlan], size: Size, span_ms: u64) -> Option<FaultPlan> {
    if orders.is_empty() || !dice.chance(250) {
        return None;
    }
    let weather = Weather { lose_answer: dice.pick(&[100, 300]), ..Weather::default() };
    // Meta comes first, then the primaries.
    let place = 1 + dice.index(usize::from(size.primaries));
    let what = What::Weather { proxy: None, place, weather, for_ms: dice.pick(&[300, 1_000]) };
    Some(FaultPlan { when: When::At(BEGIN_MS + dice.within(0..=span_ms)), what })
}

fn order(dice: &mut Dice, users: &[u64], span_ms: u64) -> OrderPlan {
    let deadline_ms = dice.pick(&[50, 200, 500, 500, 500, 2_000]);
    OrderPlan {
        at_ms: BEGIN_MS + dice.within(0..=span_ms),
        user: dice.pick(users),
        coupons_max: dice.pick(&[1, 1, 2, 3]),
        acts: dice.pick(&LIVES).to_vec(),
        ttl_ms: dice.pick(&[20, 100, 1_000, 60_000]),
        amount_minor: dice.within(1..=10),
        deadline_ms,
        patience_ms: if dice.chance(250) { dice.within(1..=deadline_ms) } else { deadline_ms + 100 },
        sends_max: dice.pick(&[1, 2, 3, 5]),
        doubled: dice.chance(100),
        pause_ms: 0,
    }
}
