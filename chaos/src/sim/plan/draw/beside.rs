//! Bulk jobs and codes, with dice of their own, so that everything else about a seed stays what it was before there were any.

use super::BEGIN_MS;
use crate::sim::dice::Dice;
use crate::sim::fault::{FaultPlan, Moment, What, When};
use crate::sim::plan::{ClaimPlan, CodeClaimPlan, CodesPlan, JobPlan, Size};
use crate::sim::wire::CallKind;

/// Runs of a thousand that have a job, and such that have codes.
const SHARE: u32 = 350;
/// Calls at which a fault of these runs may strike.
const KINDS: [CallKind; 5] =
    [CallKind::BulkMeta, CallKind::BulkList, CallKind::BulkNote, CallKind::BulkNote, CallKind::Use];

pub(super) fn jobs(dice: &mut Dice, claims: &[ClaimPlan], templates: usize, span_ms: u64) -> Vec<JobPlan> {
    if !dice.chance(SHARE) {
        return Vec::new();
    }
    // Users who claim without it too, and others.
    let mut users: Vec<u64> = (0..dice.within(1..=12))
        .map(|_| if dice.chance(400) { claims[dice.index(claims.len())].user } else { dice.within(0..=99_999_999) })
        .collect();
    users.sort_unstable();
    users.dedup();
    vec![JobPlan {
        at_ms: BEGIN_MS + dice.within(0..=span_ms / 2),
        template: dice.index(templates),
        users,
        rate_per_s: dice.pick(&[0, 2, 5, 10, 20]),
        doubled: dice.chance(200),
        paused: dice.chance(300).then(|| (dice.within(0..=1_000), dice.within(1..=2_000))),
        cancelled_ms: dice.chance(150).then(|| dice.within(0..=2_000)),
    }]
}

pub(super) fn codes(dice: &mut Dice, claims: &[ClaimPlan], templates: usize, span_ms: u64) -> Vec<CodesPlan> {
    if !dice.chance(SHARE) {
        return Vec::new();
    }
    let (count, uses) = (dice.within(1..=3) as u32, dice.within(1..=3) as u32);
    let rush = dice.chance(500);
    let mut by_code: Vec<CodeClaimPlan> = (0..dice.within(2..=14))
        .map(|_| {
            let deadline_ms = dice.pick(&[50, 200, 500, 500, 2_000]);
            CodeClaimPlan {
                at_ms: BEGIN_MS + if rush { dice.within(0..=40) } else { dice.within(0..=span_ms) },
                user: if dice.chance(400) {
                    claims[dice.index(claims.len())].user
                } else {
                    dice.within(0..=99_999_999)
                },
                index: dice.index(count as usize) as u32,
                deadline_ms,
                patience_ms: if dice.chance(200) { dice.within(1..=deadline_ms) } else { deadline_ms + 100 },
                sends_max: dice.pick(&[1, 2, 3, 5]),
                doubled: dice.chance(250),
            }
        })
        .collect();
    by_code.sort_by_key(|claim| (claim.user, claim.index, claim.at_ms));
    by_code.dedup_by_key(|claim| (claim.user, claim.index));
    by_code.sort_by_key(|claim| claim.at_ms);
    vec![CodesPlan { template: dice.index(templates), count, uses, claims: by_code }]
}

/// Beside the faults of every run: around the calls of jobs and codes, and fail-overs in the middle of a job.
pub(super) fn faults(
    dice: &mut Dice,
    (jobs, codes): (&[JobPlan], &[CodesPlan]),
    size: Size,
    span_ms: u64,
) -> Vec<FaultPlan> {
    if jobs.is_empty() && codes.is_empty() {
        return Vec::new();
    }
    let (primary, proxy) = (dice.index(usize::from(size.primaries)), dice.index(size.proxies));
    let mut faults = Vec::new();
    if dice.chance(400) {
        let moment = Moment { kind: dice.pick(&KINDS), done: dice.chance(500) };
        let what = match dice.index(3) {
            0 => What::KillProxy { proxy, down_ms: dice.pick(&[20, 300]) },
            1 => What::StopProxy { proxy, for_ms: dice.pick(&[400, 3_000, 9_000]) },
            _ => What::CrashPrimary { primary, down_ms: dice.pick(&[20, 300]) },
        };
        faults.push(FaultPlan { when: When::Nth(moment, dice.within(1..=6) as u32), what });
    }
    if dice.chance(600) {
        let from_ms = jobs.first().map_or(BEGIN_MS, |job| job.at_ms);
        let at_ms = from_ms + dice.within(20..=span_ms.min(1_500));
        let what = What::FailOver { primary, down_ms: dice.pick(&[1, 20, 300]), copy: dice.index(3) };
        faults.push(FaultPlan { when: When::At(at_ms), what });
    }
    faults
}
