//! What an order may do with a coupon: pure, and the only place that decides it. The audit replays logs through it.
//!
//! Rows: what the log says of the order that asks. Columns: what it asks.
//!
//! | the coupon              | lock            | redeem          | unlock          | return          |
//! |-------------------------|-----------------|-----------------|-----------------|-----------------|
//! | unused, in its time     | **locked**      | **redeemed**    | **barred**      | not used        |
//! | not yet in its time     | not yet valid   | not yet valid   | **barred**      | not used        |
//! | past its time           | expired         | expired         | **barred**      | not used        |
//! | locked by this order    | done            | **redeemed**    | **unlocked**    | locked          |
//! | locked by another       | locked          | locked          | **barred**      | not used        |
//! | used by this order      | done            | done            | used            | **returned**    |
//! | used by another         | used            | used            | **barred**      | not used        |
//! | order unlocked, barred  | order done      | order done      | done            | not used        |
//! | order returned it       | order done      | order done      | done            | done            |
//!
//! Bold: a step is written. *Done*: it had been done before, and the answer is the same. A lock that is over counts as
//! unused, whether the patrol has written that down or not; the order that held it may lock or redeem again like any other,
//! as long as nobody else did. A lock holds the coupon past its end: what was locked in time is redeemed in time.

pub mod due;

use scrip_protocol::OrderId;
use scrip_protocol::limits::COUPON_STEPS_MAX;
use scrip_protocol::v1::{Code, StepKind};

use crate::store::steps::{CouponLog, Hold, Step};

/// Steps that are kept free, so that what an order has begun can always be brought to its end.
const RESERVE: u16 = 4;

/// What an order wants to do with a coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Hold it for so many milliseconds.
    Lock {
        /// How long.
        ttl_ms: u64,
    },
    /// Use it.
    Redeem {
        /// What it takes off.
        amount_minor: u64,
    },
    /// Free it.
    Unlock,
    /// Give it back.
    Return,
}

impl Wish {
    /// What it takes from a budget, in minor units.
    pub fn spends(self) -> u64 {
        match self {
            Wish::Redeem { amount_minor } => amount_minor,
            Wish::Lock { .. } | Wish::Unlock | Wish::Return => 0,
        }
    }
}

/// What a step takes from the budget of its template, in minor units; negative: it gives back.
pub fn spent(step: &Step) -> i64 {
    let amount = i64::try_from(step.amount_minor).unwrap_or(i64::MAX);
    match step.kind {
        StepKind::Redeemed => amount,
        StepKind::Returned => -amount,
        StepKind::Locked | StepKind::Unlocked | StepKind::Barred => 0,
        StepKind::Expired | StepKind::Freed | StepKind::Unspecified => 0,
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This step is to be written.
    Append(Step),
    /// It was done before.
    Done,
    /// It may not.
    Refuse(Code),
}

/// When a coupon can be used, in milliseconds since 1970-01-01 UTC: from, inclusive, and until, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From here.
    pub from_ms: i64,
    /// Until there.
    pub until_ms: i64,
}

impl Validity {
    fn refusal(self, now_ms: u64) -> Option<Code> {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        if now_ms < self.from_ms {
            return Some(Code::CouponNotYetValid);
        }
        (now_ms >= self.until_ms).then_some(Code::CouponExpired)
    }
}

/// Decides for one coupon at one time.
pub fn decide(log: &CouponLog, validity: Validity, order: &OrderId, wish: Wish, now_ms: u64) -> Verdict {
    let last_of_order = log.steps.iter().rev().find(|step| step.order.as_ref() == Some(order)).map(|step| step.kind);
    let left = match last_of_order {
        Some(StepKind::Unlocked | StepKind::Barred) => Some(StepKind::Unlocked),
        Some(StepKind::Returned) => Some(StepKind::Returned),
        // The last two have no order.
        Some(StepKind::Locked | StepKind::Redeemed | StepKind::Unspecified | StepKind::Expired | StepKind::Freed)
        | None => None,
    };
    let verdict = match wish {
        Wish::Lock { .. } | Wish::Redeem { .. } => take(log, validity, order, wish, left, now_ms),
        Wish::Unlock => unlock(log, order, left),
        Wish::Return => give_back(log, order, left, now_ms),
    };
    verdict.map_or_else(|verdict| verdict, |draft| append(log, order, draft, now_ms))
}

/// Does the log tell a life that the rules allow? Each step must be the one that they decided on those before it, at its
/// own time.
///
/// # Errors
/// The number of the first step that is not, and why.
pub fn retrace(log: &CouponLog, validity: Validity) -> Result<(), (u16, String)> {
    let mut so_far = CouponLog { row: log.row, steps: Vec::with_capacity(log.steps.len()) };
    for step in &log.steps {
        let verdict = match (&step.order, wish_of(step)) {
            (Some(order), Some(wish)) => decide(&so_far, validity, order, wish, step.at_ms),
            (None, None) => due::due(&so_far, validity, step.at_ms).map_or(Verdict::Done, Verdict::Append),
            (Some(_), None) | (None, Some(_)) => return Err((step.number, "a step of no kind".to_owned())),
        };
        match verdict {
            Verdict::Append(decided) if decided == *step => so_far.steps.push(decided),
            Verdict::Append(decided) => {
                let Step { number, kind, .. } = decided;
                let found =
                    format!("{} to be number {number}, {}, with what follows from it", step.number, kind.as_str_name());
                return Err((step.number, found));
            }
            Verdict::Done => return Err((step.number, "no step: it had been done before".to_owned())),
            Verdict::Refuse(code) => return Err((step.number, format!("no step: {}", code.as_str_name()))),
        }
    }
    Ok(())
}

fn wish_of(step: &Step) -> Option<Wish> {
    Some(match (step.kind, &step.hold) {
        (StepKind::Locked, Hold::Locked { until_ms, .. }) => Wish::Lock { ttl_ms: until_ms.saturating_sub(step.at_ms) },
        (StepKind::Redeemed, _) => Wish::Redeem { amount_minor: step.amount_minor },
        (StepKind::Unlocked | StepKind::Barred, _) => Wish::Unlock,
        (StepKind::Returned, _) => Wish::Return,
        (StepKind::Locked | StepKind::Unspecified | StepKind::Expired | StepKind::Freed, _) => return None,
    })
}

/// A step without its number: kind, hold after it, amount.
type Draft = (StepKind, Hold, u64);

fn take(
    log: &CouponLog,
    validity: Validity,
    order: &OrderId,
    wish: Wish,
    left: Option<StepKind>,
    now_ms: u64,
) -> Result<Draft, Verdict> {
    let refuse = |code| Err(Verdict::Refuse(code));
    let is_lock = matches!(wish, Wish::Lock { .. });
    if left.is_some() {
        return refuse(Code::OrderDone);
    }
    match log.hold().at(now_ms) {
        Hold::Used { order: holder } if holder == order => return Err(Verdict::Done),
        Hold::Used { .. } => return refuse(Code::CouponUsed),
        Hold::Locked { order: holder, .. } if holder != order => return refuse(Code::CouponLocked),
        Hold::Locked { .. } if is_lock => return Err(Verdict::Done),
        Hold::Locked { .. } => {}
        Hold::Unused => {
            if let Some(code) = validity.refusal(now_ms) {
                return refuse(code);
            }
            if log.next() > COUPON_STEPS_MAX - RESERVE {
                return refuse(Code::CouponWornOut);
            }
        }
    }
    let order = order.clone();
    Ok(match wish {
        Wish::Lock { ttl_ms } => (StepKind::Locked, Hold::Locked { order, until_ms: now_ms.saturating_add(ttl_ms) }, 0),
        Wish::Redeem { amount_minor } => (StepKind::Redeemed, Hold::Used { order }, amount_minor),
        Wish::Unlock | Wish::Return => return refuse(Code::InvalidTransition),
    })
}

/// The hold as written down decides: the end of a lock that is over is written all the same, so that the order is done.
fn unlock(log: &CouponLog, order: &OrderId, left: Option<StepKind>) -> Result<Draft, Verdict> {
    if left.is_some() {
        return Err(Verdict::Done);
    }
    match log.hold() {
        Hold::Locked { order: holder, .. } if holder == order => Ok((StepKind::Unlocked, Hold::Unused, 0)),
        Hold::Used { order: holder } if holder == order => Err(Verdict::Refuse(Code::CouponUsed)),
        _ if log.next() > COUPON_STEPS_MAX - RESERVE => Err(Verdict::Refuse(Code::CouponWornOut)),
        hold => Ok((StepKind::Barred, hold.clone(), 0)),
    }
}

fn give_back(log: &CouponLog, order: &OrderId, left: Option<StepKind>, now_ms: u64) -> Result<Draft, Verdict> {
    if left == Some(StepKind::Returned) {
        return Err(Verdict::Done);
    }
    match log.hold().at(now_ms) {
        Hold::Used { order: holder } if holder == order => {
            let redeemed = log.steps.iter().rev().find(|step| step.kind == StepKind::Redeemed);
            Ok((StepKind::Returned, Hold::Unused, redeemed.map_or(0, |step| step.amount_minor)))
        }
        Hold::Locked { order: holder, .. } if holder == order => Err(Verdict::Refuse(Code::CouponLocked)),
        _ => Err(Verdict::Refuse(Code::CouponNotUsed)),
    }
}

fn append(log: &CouponLog, order: &OrderId, (kind, hold, amount_minor): Draft, now_ms: u64) -> Verdict {
    Verdict::Append(Step { number: log.next(), kind, order: Some(order.clone()), hold, amount_minor, at_ms: now_ms })
}

#[cfg(test)]
mod tests;
