//! From a seed to a plan.

mod beside;
mod order;
mod pack;
mod patrol;

use super::{Change, ChangePlan, ClaimPlan, LASTS_S, Plan, Size, TemplatePlan};
use crate::sim::dice::Dice;
use crate::sim::fault::{FaultPlan, Moment, What, When};
use crate::sim::wire::{CallKind, Weather};

/// Clients and faults begin when templates are published, at about this time.
const BEGIN_MS: u64 = 300;

pub(super) fn plan(seed: u64) -> Plan {
    let dice = &mut Dice::apart(seed, 1);
    let size = Size {
        proxies: dice.pick(&[1, 2, 2, 3]),
        primaries: dice.pick(&[1, 1, 2, 2, 3]),
        shards: dice.pick(&[1, 1, 2, 3]),
        sub_stocks_per_shard: dice.pick(&[1, 1, 2]),
        stripes: dice.pick(&[1, 2]),
        lanes: dice.pick(&[1, 1, 2]),
        batch_rows_max: dice.pick(&[1, 2, 8, 64]),
        recent_max: dice.pick(&[0, 4, 1_000]),
        move_after_ms: dice.pick(&[50, 300, 1_000, 5_000]),
    };
    let template = |dice: &mut Dice| TemplatePlan {
        total: if dice.chance(700) { dice.within(1..=8) } else { dice.within(5..=40) },
        limit: dice.pick(&[1, 1, 2, 3]),
        daily: 0,
        budget_minor: 0,
        lasts_s: LASTS_S,
    };
    let mut templates: Vec<TemplatePlan> = (0..dice.pick(&[1, 1, 1, 2])).map(|_| template(dice)).collect();
    days(&mut Dice::apart(seed, 4), &mut templates);
    let span_ms = dice.pick(&[400, 1_000, 2_000, 4_000, 8_000]);
    let claims = claims(dice, templates.len(), span_ms);
    let changes = changes(dice, templates.len(), span_ms);
    let count = if dice.chance(60) { 0 } else { dice.within(1..=6) };
    let mut faults: Vec<FaultPlan> = (0..count).map(|_| fault(dice, size, span_ms)).collect();
    let mut orders = order::orders(&mut Dice::apart(seed, 6), &claims, &mut templates, span_ms);
    let mut heal_at_ms = BEGIN_MS + span_ms + dice.within(0..=1_500);
    let packs = pack::packs(&mut Dice::apart(seed, 20), &claims, &mut templates, span_ms);
    faults.extend(order::faults(&mut Dice::apart(seed, 8), &orders, size, span_ms));
    let beside_dice = &mut Dice::apart(seed, 7);
    let jobs = beside::jobs(beside_dice, &claims, templates.len(), span_ms);
    let codes = beside::codes(beside_dice, &claims, templates.len(), span_ms);
    faults.extend(beside::faults(beside_dice, (&jobs, &codes), size, span_ms));
    let patrol_dice = &mut Dice::apart(seed, 21);
    let patrol = patrol::patrol(patrol_dice, &claims, &mut templates, span_ms);
    if patrol.is_some() {
        orders.extend(patrol::orders(patrol_dice, &claims, &templates));
        faults.extend(patrol::faults(patrol_dice, size, span_ms));
        heal_at_ms += patrol_dice.within(3_000..=8_000);
    }
    Plan { seed, size, templates, claims, orders, packs, jobs, codes, patrol, changes, faults, heal_at_ms }
}

/// With dice of their own, so that everything else about a seed stays what it was before there were days.
fn days(dice: &mut Dice, templates: &mut [TemplatePlan]) {
    for template in templates.iter_mut().filter(|template| template.limit > 1) {
        if dice.chance(600) {
            template.daily = dice.within(1..=u64::from(template.limit) - 1) as u32;
        }
    }
}

fn claims(dice: &mut Dice, templates: usize, span_ms: u64) -> Vec<ClaimPlan> {
    let users: Vec<u64> = (0..dice.within(2..=16)).map(|_| dice.within(0..=99_999_999)).collect();
    // All at once at times, so that batches form.
    let rush = dice.chance(400);
    let mut claims: Vec<ClaimPlan> = (0..dice.within(4..=48))
        .map(|_| {
            let at_ms = BEGIN_MS + if rush { dice.within(0..=60) } else { dice.within(0..=span_ms) };
            let deadline_ms = dice.pick(&[50, 200, 500, 500, 500, 2_000]);
            let patience_ms = if dice.chance(150) { dice.within(1..=deadline_ms) } else { deadline_ms + 100 };
            let doubled = dice.chance(100);
            ClaimPlan {
                at_ms,
                user: dice.pick(&users),
                template: dice.index(templates),
                deadline_ms,
                patience_ms,
                sends_max: dice.pick(&[1, 2, 3, 5]),
                doubled,
                promises: !doubled && dice.chance(800),
                asks: dice.chance(200),
            }
        })
        .collect();
    claims.sort_by_key(|claim| claim.at_ms);
    claims
}

fn changes(dice: &mut Dice, templates: usize, span_ms: u64) -> Vec<ChangePlan> {
    let count = if dice.chance(300) { dice.within(1..=3) } else { 0 };
    (0..count)
        .map(|_| ChangePlan {
            at_ms: BEGIN_MS + dice.within(0..=span_ms),
            template: dice.index(templates),
            change: match dice.index(5) {
                0 | 1 => Change::Stock(dice.within(1..=6) as i64),
                2 | 3 => Change::Stock(-(dice.within(1..=6) as i64)),
                _ => Change::Pause(dice.within(10..=800)),
            },
        })
        .collect()
}

/// Calls at which a fault may strike.
const KINDS: [CallKind; 15] = [
    CallKind::Run,
    CallKind::Deduct,
    CallKind::Deduct,
    CallKind::Release,
    CallKind::Install,
    CallKind::Install,
    CallKind::Record,
    CallKind::Record,
    CallKind::Commit,
    CallKind::LookUp,
    CallKind::Fences,
    CallKind::Advance,
    CallKind::MarkSettled,
    CallKind::MoveRest,
    CallKind::ChangeStock,
];

fn fault(dice: &mut Dice, size: Size, span_ms: u64) -> FaultPlan {
    let when = match dice.chance(500) {
        true => When::At(BEGIN_MS - 100 + dice.within(0..=span_ms)),
        false => {
            let nth = if dice.chance(600) { dice.within(2..=8) } else { dice.within(2..=40) };
            When::Nth(Moment { kind: dice.pick(&KINDS), done: dice.chance(500) }, nth as u32)
        }
    };
    let (shard, primary) = (dice.index(usize::from(size.shards)), dice.index(usize::from(size.primaries)));
    let proxy = dice.index(size.proxies);
    let short_ms = dice.pick(&[20, 100, 300, 600]);
    let long_ms = dice.pick(&[100, 400, 1_000, 3_000, 6_000]);
    let what = match dice.index(21) {
        0 | 1 => What::KillProxy { proxy, down_ms: short_ms },
        2 | 3 => What::StopProxy { proxy, for_ms: long_ms },
        4 => What::EmptyShard { shard, down_ms: short_ms },
        5 | 6 => What::OldShard { shard, down_ms: short_ms, copy: dice.index(4) },
        7 => What::FreezeShard { shard, for_ms: long_ms },
        8 => What::SplitShard { shard, for_ms: long_ms, proxies: dice.within(1..=7), second_stays: dice.chance(500) },
        9 => What::FullShard { shard, for_ms: long_ms },
        10 => What::CrashPrimary { primary, down_ms: short_ms },
        11 => What::FreezePrimary { primary, for_ms: long_ms },
        12 => What::FailOver { primary, down_ms: short_ms, copy: dice.index(4) },
        13 => What::FullPrimary { primary, for_ms: long_ms },
        14 => What::SlowPrimary { primary, for_ms: long_ms, commit_ms: dice.within(5..=400), deadlocks: 200 },
        15 if dice.chance(500) => What::CrashMeta { down_ms: short_ms },
        15 => What::FreezeMeta { for_ms: long_ms },
        _ => weather(dice, size, long_ms),
    };
    FaultPlan { when, what }
}

fn weather(dice: &mut Dice, size: Size, for_ms: u64) -> What {
    let chance = |dice: &mut Dice| dice.pick(&[0, 0, 50, 300]);
    let weather = Weather {
        slow_ms: dice.pick(&[0, 0, 10, 60, 400, 1_500]),
        lose_request: chance(dice),
        lose_answer: chance(dice),
        late: chance(dice),
        detach: chance(dice),
        refuse: dice.pick(&[0, 0, 0, 200, 1_000]),
        twice: dice.pick(&[0, 0, 500]),
    };
    let places = 1 + usize::from(size.primaries) + usize::from(size.shards);
    let proxy = if dice.chance(500) { None } else { Some(dice.index(size.proxies)) };
    What::Weather { proxy, place: dice.index(places), weather, for_ms }
}
