//! The table of the module, row by row; and random lives of a coupon.

use proptest::prelude::*;
use scrip_protocol::{RequestId, TemplateId, UserId};

use super::*;
use crate::store::CouponRow;

const NOW: u64 = 1_000_000;
const IN_TIME: Validity = Validity { from_ms: 0, until_ms: i64::MAX };
const EARLY: Validity = Validity { from_ms: NOW as i64 + 1, until_ms: i64::MAX };
const LATE: Validity = Validity { from_ms: 0, until_ms: NOW as i64 };

const LOCK: Wish = Wish::Lock { ttl_ms: 100 };
const REDEEM: Wish = Wish::Redeem { amount_minor: 7 };
const WISHES: [Wish; 4] = [LOCK, REDEEM, Wish::Unlock, Wish::Return];

fn order(name: &str) -> OrderId {
    OrderId::try_new(name).expect("an order id")
}

fn fresh() -> CouponLog {
    let template = TemplateId::try_new(7).expect("not 0");
    CouponLog { row: CouponRow::new(UserId(1), template, 1, RequestId([1; 16]), 0), steps: Vec::new() }
}

/// A coupon after these wishes, a millisecond apart, the last one at `NOW - 1`; each must have written a step.
fn after(wishes: &[(&str, Wish)]) -> CouponLog {
    let mut log = fresh();
    for ((name, wish), at) in wishes.iter().zip(NOW - wishes.len() as u64..) {
        match decide(&log, IN_TIME, &order(name), *wish, at) {
            Verdict::Append(step) => log.steps.push(step),
            verdict => panic!("{name} {wish:?}: {verdict:?}"),
        }
    }
    log
}

/// A cell of the table: the step that is written, or why none is.
#[derive(Debug, PartialEq)]
enum Cell {
    Writes(StepKind),
    Done,
    Refused(Code),
}

use Cell::{Done, Refused, Writes};
use StepKind::{Barred, Locked, Redeemed, Returned, Unlocked};

fn cell(log: &CouponLog, validity: Validity, wish: Wish) -> Cell {
    match decide(log, validity, &order("own"), wish, NOW) {
        Verdict::Append(step) => {
            assert_eq!((step.number, step.at_ms), (log.next(), NOW));
            Writes(step.kind)
        }
        Verdict::Done => Done,
        Verdict::Refuse(code) => Refused(code),
    }
}

#[test]
fn the_table() {
    let other_locked = after(&[("other", LOCK)]);
    let over = Wish::Lock { ttl_ms: 1 };
    for (log, validity, expect) in [
        (fresh(), IN_TIME, [Writes(Locked), Writes(Redeemed), Writes(Barred), Refused(Code::CouponNotUsed)]),
        (
            fresh(),
            EARLY,
            [
                Refused(Code::CouponNotYetValid),
                Refused(Code::CouponNotYetValid),
                Writes(Barred),
                Refused(Code::CouponNotUsed),
            ],
        ),
        (
            fresh(),
            LATE,
            [Refused(Code::CouponExpired), Refused(Code::CouponExpired), Writes(Barred), Refused(Code::CouponNotUsed)],
        ),
        (after(&[("own", LOCK)]), LATE, [Done, Writes(Redeemed), Writes(Unlocked), Refused(Code::CouponLocked)]),
        (
            other_locked,
            IN_TIME,
            [Refused(Code::CouponLocked), Refused(Code::CouponLocked), Writes(Barred), Refused(Code::CouponNotUsed)],
        ),
        (after(&[("own", REDEEM)]), LATE, [Done, Done, Refused(Code::CouponUsed), Writes(Returned)]),
        (
            after(&[("other", REDEEM)]),
            IN_TIME,
            [Refused(Code::CouponUsed), Refused(Code::CouponUsed), Writes(Barred), Refused(Code::CouponNotUsed)],
        ),
        (
            after(&[("own", LOCK), ("own", Wish::Unlock)]),
            IN_TIME,
            [Refused(Code::OrderDone), Refused(Code::OrderDone), Done, Refused(Code::CouponNotUsed)],
        ),
        (
            after(&[("own", Wish::Unlock)]),
            IN_TIME,
            [Refused(Code::OrderDone), Refused(Code::OrderDone), Done, Refused(Code::CouponNotUsed)],
        ),
        (
            after(&[("own", REDEEM), ("own", Wish::Return)]),
            IN_TIME,
            [Refused(Code::OrderDone), Refused(Code::OrderDone), Done, Done],
        ),
        // Locks that are over.
        (
            after(&[("own", over)]),
            IN_TIME,
            [Writes(Locked), Writes(Redeemed), Writes(Unlocked), Refused(Code::CouponNotUsed)],
        ),
        (
            after(&[("own", over)]),
            LATE,
            [
                Refused(Code::CouponExpired),
                Refused(Code::CouponExpired),
                Writes(Unlocked),
                Refused(Code::CouponNotUsed),
            ],
        ),
        (
            after(&[("other", over)]),
            IN_TIME,
            [Writes(Locked), Writes(Redeemed), Writes(Barred), Refused(Code::CouponNotUsed)],
        ),
    ] {
        let found = WISHES.map(|wish| cell(&log, validity, wish));
        assert_eq!(found, expect, "{:?}", log.steps);
    }
}

#[test]
fn a_bar_leaves_the_coupon_to_its_holder() {
    let log = after(&[("other", REDEEM), ("own", Wish::Unlock)]);
    assert_eq!(*log.hold(), Hold::Used { order: order("other") });
    let Verdict::Append(step) = decide(&log, IN_TIME, &order("other"), Wish::Return, NOW) else { panic!("returned") };
    assert_eq!((step.kind, step.amount_minor, step.hold), (Returned, 7, Hold::Unused));
}

#[test]
fn a_lock_ends_on_the_millisecond() {
    let log = after(&[("other", LOCK)]);
    let Hold::Locked { until_ms, .. } = *log.hold() else { panic!("locked") };
    assert_eq!(until_ms, NOW - 1 + 100);
    let at = |now_ms| decide(&log, IN_TIME, &order("own"), REDEEM, now_ms);
    assert_eq!(at(until_ms - 1), Verdict::Refuse(Code::CouponLocked));
    assert!(matches!(at(until_ms), Verdict::Append(_)));
}

#[test]
fn a_log_that_is_nearly_full_takes_only_the_end_of_what_was_begun() {
    let mut log = fresh();
    let mut taken = 0;
    while let Verdict::Append(step) = decide(&log, IN_TIME, &order(&format!("order {taken}")), REDEEM, NOW) {
        let name = step.order.clone().expect("an order");
        log.steps.push(step);
        let Verdict::Append(back) = decide(&log, IN_TIME, &name, Wish::Return, NOW) else { panic!("returned") };
        log.steps.push(back);
        taken += 1;
    }
    assert_eq!(decide(&log, IN_TIME, &order("own"), LOCK, NOW), Verdict::Refuse(Code::CouponWornOut));
    assert_eq!(decide(&log, IN_TIME, &order("own"), Wish::Unlock, NOW), Verdict::Refuse(Code::CouponWornOut));
    assert!(log.steps.len() <= usize::from(COUPON_STEPS_MAX) && log.next() + 2 > COUPON_STEPS_MAX - RESERVE);
}

#[test]
fn a_log_that_was_changed_is_noticed() {
    let log = after(&[("a", LOCK), ("a", REDEEM), ("b", Wish::Unlock), ("a", Wish::Return)]);
    assert_eq!(retrace(&log, IN_TIME), Ok(()));
    let number = |change: fn(&mut CouponLog)| {
        let mut changed = log.clone();
        change(&mut changed);
        retrace(&changed, IN_TIME).map_err(|(number, _)| number)
    };
    assert_eq!(number(|log| log.steps[1].order = Some(order("b"))), Err(2), "locked by another");
    assert_eq!(number(|log| drop(log.steps.remove(0))), Err(2), "a gap");
    assert_eq!(number(|log| log.steps[1].hold = Hold::Unused), Err(2), "a state that does not follow");
    assert_eq!(number(|log| log.steps[3].amount_minor = 8), Err(4), "more back than was taken off");
    assert_eq!(number(|log| log.steps.insert(3, Step { number: 4, ..log.steps[1].clone() })), Err(4), "used twice");
    assert_eq!(retrace(&log, LATE).map_err(|(number, _)| number), Ok(()), "in its time then");
    assert_eq!(retrace(&log, EARLY).map_err(|(number, _)| number), Err(1));
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        (1..20_u64).prop_map(|ttl_ms| Wish::Lock { ttl_ms }),
        (0..9_u64).prop_map(|amount_minor| Wish::Redeem { amount_minor }),
        Just(Wish::Unlock),
        Just(Wish::Return),
    ]
}

proptest! {
    /// What an order was told stays true, at most one order holds a coupon, and the log adds up to it.
    #[test]
    fn any_life(wishes in prop::collection::vec((0..4_u8, wish(), 0..12_u64), 1..60)) {
        let mut log = fresh();
        let mut now_ms = NOW;
        let mut using: Option<OrderId> = None;
        for (who, wish, later) in wishes {
            now_ms += later;
            let own = order(&who.to_string());
            let before = log.hold().at(now_ms).clone();
            match decide(&log, IN_TIME, &own, wish, now_ms) {
                Verdict::Append(step) => {
                    prop_assert_eq!(step.number as usize, log.steps.len() + 1);
                    match step.kind {
                        Redeemed => {
                            prop_assert!(using.is_none(), "used twice");
                            using = Some(own.clone());
                        }
                        Returned => prop_assert_eq!(using.take(), Some(own.clone())),
                        Locked => prop_assert_eq!(&before, &Hold::Unused),
                        Unlocked | Barred => {}
                        StepKind::Unspecified | StepKind::Expired | StepKind::Freed => {
                            prop_assert!(false, "a step that no order writes");
                        }
                    }
                    log.steps.push(step);
                    let again = decide(&log, IN_TIME, &own, wish, now_ms);
                    prop_assert_eq!(again, Verdict::Done, "sent twice");
                }
                Verdict::Done | Verdict::Refuse(_) => prop_assert_eq!(log.hold().at(now_ms), &before),
            }
            let used = match log.hold() {
                Hold::Used { order } => Some(order.clone()),
                Hold::Unused | Hold::Locked { .. } => None,
            };
            prop_assert_eq!(&used, &using);
        }
        prop_assert_eq!(retrace(&log, IN_TIME), Ok(()));
    }
}
