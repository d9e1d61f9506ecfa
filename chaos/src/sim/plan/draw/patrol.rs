//! The patrol, with dice of its own, so that everything else about a seed without one stays what it was before there was any.

use super::BEGIN_MS;
use crate::history::Act;
use crate::sim::dice::Dice;
use crate::sim::fault::{FaultPlan, Moment, What, When};
use crate::sim::plan::{ClaimPlan, OrderPlan, PatrolPlan, Size, TemplatePlan};
use crate::sim::wire::{CallKind, Weather};

/// Runs of a thousand in which proxies patrol.
const SHARE: u32 = 300;
/// What orders go through that meet the patrol: they come back when their lock, or the coupon, is over.
const LIVES: [&[Act]; 6] = [
    &[Act::Lock, Act::Redeem],
    &[Act::Lock, Act::Redeem],
    &[Act::Lock, Act::Unlock],
    &[Act::Lock, Act::Redeem, Act::Return],
    &[Act::Redeem, Act::Return],
    &[Act::Unlock],
];
/// Calls at which a fault of these runs may strike. The patrol looks up logs.
const KINDS: [CallKind; 10] = [
    CallKind::Lease,
    CallKind::Walk,
    CallKind::Note,
    CallKind::Reminded,
    CallKind::Reminded,
    CallKind::Remind,
    CallKind::LookUp,
    CallKind::LookUp,
    CallKind::Record,
    CallKind::Commit,
];

/// Lets the coupons end in the middle of the run.
pub(super) fn patrol(
    dice: &mut Dice,
    claims: &[ClaimPlan],
    templates: &mut [TemplatePlan],
    span_ms: u64,
) -> Option<PatrolPlan> {
    if !dice.chance(SHARE) {
        return None;
    }
    templates.iter_mut().for_each(|template| template.lasts_s = dice.pick(&[1, 2, 4, 8]));
    let looks = (0..dice.within(0..=12)).map(|_| {
        let claim = dice.pick(claims);
        (BEGIN_MS + dice.within(0..=span_ms + 3_000), claim.user)
    });
    let mut looks: Vec<(u64, u64)> = looks.collect();
    looks.sort_unstable();
    let remind_before_ms = match dice.index(4) {
        0 => vec![700],
        1 => vec![2_500, 500],
        2 => vec![7_000],
        _ => vec![60_000],
    };
    Some(PatrolPlan {
        slice_rows: dice.pick(&[1, 2, 5, 100]),
        round_ms: dice.pick(&[300, 1_000]),
        remind_before_ms,
        looks,
    })
}

/// Orders beside those of every run: they come back about when the patrol does.
pub(super) fn orders(dice: &mut Dice, claims: &[ClaimPlan], templates: &[TemplatePlan]) -> Vec<OrderPlan> {
    let order = |dice: &mut Dice| {
        let claim = dice.pick(claims);
        let lasts_ms = templates[claim.template].lasts_s * 1_000;
        let ttl_ms = dice.pick(&[20, 100, 300]);
        let acts = dice.pick(&LIVES);
        // What it frees without a lock meets what expires, a second after the end at the latest by any clock.
        let waits_ms =
            if acts == [Act::Unlock] { lasts_ms + dice.within(0..=1_500) } else { dice.within(20..=lasts_ms) };
        OrderPlan {
            at_ms: claim.at_ms + waits_ms,
            user: claim.user,
            coupons_max: dice.pick(&[1, 1, 2]),
            acts: acts.to_vec(),
            ttl_ms,
            amount_minor: dice.within(1..=10),
            deadline_ms: 500,
            patience_ms: if dice.chance(250) { dice.within(1..=500) } else { 600 },
            sends_max: dice.pick(&[1, 3, 5]),
            doubled: dice.chance(100),
            pause_ms: ttl_ms + dice.within(0..=1_500),
        }
    };
    (0..dice.within(1..=16)).map(|_| order(dice)).collect()
}

/// Beside the faults of every run: around the calls of the patrol, and between it and its primary.
pub(super) fn faults(dice: &mut Dice, size: Size, span_ms: u64) -> Vec<FaultPlan> {
    (0..dice.within(0..=4))
        .map(|_| {
            let (primary, proxy) = (dice.index(usize::from(size.primaries)), dice.index(size.proxies));
            let at_ms = BEGIN_MS + dice.within(0..=span_ms + 4_000);
            let moment = Moment { kind: dice.pick(&KINDS), done: dice.chance(500) };
            let nth = When::Nth(moment, dice.within(1..=40) as u32);
            let when = if dice.chance(500) { When::At(at_ms) } else { nth };
            let (short_ms, long_ms) = (dice.pick(&[1, 20, 300]), dice.pick(&[400, 3_000, 7_000]));
            let what = match dice.index(9) {
                0 => What::KillProxy { proxy, down_ms: short_ms },
                // Past its lease, and then it goes on where it stood.
                1 | 2 => What::StopProxy { proxy, for_ms: long_ms },
                3 => What::CrashPrimary { primary, down_ms: short_ms },
                4 => What::FailOver { primary, down_ms: short_ms, copy: dice.index(3) },
                5 | 6 => {
                    What::SlowPrimary { primary, for_ms: long_ms, commit_ms: dice.within(50..=400), deadlocks: 100 }
                }
                _ => {
                    // Not all of it at once: the next calls must come through.
                    let weather = dice.pick(&[
                        Weather { late: 80, ..Weather::default() },
                        Weather { detach: 80, ..Weather::default() },
                        Weather { detach: 80, ..Weather::default() },
                        Weather { lose_answer: 80, ..Weather::default() },
                    ]);
                    What::Weather { proxy: None, place: 1 + primary, weather, for_ms: long_ms }
                }
            };
            FaultPlan { when, what }
        })
        .collect()
}
