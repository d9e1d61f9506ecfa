//! What time has done to a coupon and nobody has written down yet: for the patrol, and for the audit that retraces it.
//!
//! Such a step has no order and changes no decision: a lock that is over counts as unused without it, and a coupon past
//! its end as expired. It is only written while there is room for what an order has begun.

use scrip_protocol::limits::COUPON_STEPS_MAX;
use scrip_protocol::v1::StepKind;

use super::{RESERVE, Validity};
use crate::store::steps::{CouponLog, Hold, Step};

/// The step that is due at that time. A coupon expires once for each time that it becomes unused.
pub fn due(log: &CouponLog, validity: Validity, now_ms: u64) -> Option<Step> {
    let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let kind = match log.hold() {
        Hold::Locked { until_ms, .. } if now_ms >= *until_ms => StepKind::Freed,
        Hold::Unused if now >= validity.until_ms && !has_expired(log) => StepKind::Expired,
        Hold::Locked { .. } | Hold::Unused | Hold::Used { .. } => return None,
    };
    let number = log.next();
    (number < COUPON_STEPS_MAX - RESERVE).then_some(Step {
        number,
        kind,
        order: None,
        hold: Hold::Unused,
        amount_minor: 0,
        at_ms: now_ms,
    })
}

/// Since it became unused.
fn has_expired(log: &CouponLog) -> bool {
    let unused = log.steps.iter().rev().take_while(|step| step.hold == Hold::Unused);
    unused.into_iter().any(|step| step.kind == StepKind::Expired)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scrip_protocol::{OrderId, RequestId, TemplateId, UserId};

    use super::*;
    use crate::order::rules::{Verdict, Wish, decide, retrace};
    use crate::store::CouponRow;

    fn fresh() -> CouponLog {
        let template = TemplateId::try_new(7).expect("not 0");
        CouponLog { row: CouponRow::new(UserId(1), template, 1, RequestId([1; 16]), 0), steps: Vec::new() }
    }

    fn order(number: u8) -> OrderId {
        OrderId::try_new(&number.to_string()).expect("an order id")
    }

    /// What came of it, but for the number and the wording of a step that frees nothing any more.
    fn meaning(verdict: Verdict) -> (Option<Hold>, Option<scrip_protocol::v1::Code>) {
        match verdict {
            Verdict::Append(step) => (Some(step.hold), None),
            Verdict::Done => (None, None),
            Verdict::Refuse(code) => (None, Some(code)),
        }
    }

    fn wish() -> impl Strategy<Value = Wish> {
        prop_oneof![
            (1_u64..40).prop_map(|ttl_ms| Wish::Lock { ttl_ms }),
            Just(Wish::Redeem { amount_minor: 7 }),
            Just(Wish::Unlock),
            Just(Wish::Return),
        ]
    }

    proptest! {
        /// Of two coupons with the same life the patrol comes to one, whenever it likes: all are told the same, and both
        /// logs retrace.
        #[test]
        fn the_patrol_changes_no_decision(
            life in prop::collection::vec((1_u64..30, 0_u8..3, wish(), any::<bool>()), 1..60),
            until_ms in 1_i64..600,
        ) {
            let validity = Validity { from_ms: 0, until_ms };
            let (mut plain, mut patrolled, mut now_ms) = (fresh(), fresh(), 0);
            for (pause, number, wish, comes) in life {
                now_ms += pause;
                if comes {
                    while let Some(step) = due(&patrolled, validity, now_ms) {
                        patrolled.steps.push(step);
                    }
                    prop_assert_eq!(due(&patrolled, validity, now_ms), None);
                }
                let order = order(number);
                let told = [&mut plain, &mut patrolled].map(|log| {
                    let verdict = decide(log, validity, &order, wish, now_ms);
                    if let Verdict::Append(step) = &verdict {
                        log.steps.push(step.clone());
                    }
                    let (hold, code) = meaning(verdict);
                    (hold.map(|hold| hold.at(now_ms).clone()), code, log.hold().at(now_ms).clone())
                });
                prop_assert_eq!(&told[0], &told[1]);
            }
            prop_assert_eq!(retrace(&plain, validity), Ok(()));
            prop_assert_eq!(retrace(&patrolled, validity), Ok(()));
        }
    }

    #[test]
    fn a_coupon_expires_once_for_each_time_that_it_becomes_unused() {
        let validity = Validity { from_ms: 0, until_ms: 100 };
        let mut log = fresh();
        let push = |log: &mut CouponLog, wish, now_ms| match decide(log, validity, &order(1), wish, now_ms) {
            Verdict::Append(step) => log.steps.push(step),
            verdict => panic!("{verdict:?}"),
        };
        assert_eq!(due(&log, validity, 99), None);
        push(&mut log, Wish::Redeem { amount_minor: 1 }, 99);
        assert_eq!(due(&log, validity, 200), None, "what was used does not expire");
        push(&mut log, Wish::Return, 200);
        let expired = due(&log, validity, 200).expect("past its end");
        assert_eq!((expired.kind, expired.number, &expired.order), (StepKind::Expired, 3, &None));
        log.steps.push(expired);
        assert_eq!(due(&log, validity, 300), None);
        let barred = decide(&log, validity, &order(2), Wish::Unlock, 300);
        assert!(matches!(&barred, Verdict::Append(step) if step.kind == StepKind::Barred));
        if let Verdict::Append(step) = barred {
            log.steps.push(step);
        }
        assert_eq!(due(&log, validity, 400), None, "it is still the same stay");
    }

    #[test]
    fn a_lock_is_freed_and_then_the_coupon_expires() {
        let validity = Validity { from_ms: 0, until_ms: 100 };
        let mut log = fresh();
        if let Verdict::Append(step) = decide(&log, validity, &order(1), Wish::Lock { ttl_ms: 50 }, 90) {
            log.steps.push(step);
        }
        assert_eq!(due(&log, validity, 139), None, "a lock holds it past its end");
        for kind in [StepKind::Freed, StepKind::Expired] {
            let step = due(&log, validity, 140).expect("due");
            assert_eq!(step.kind, kind);
            log.steps.push(step);
        }
        assert_eq!(due(&log, validity, 140), None);
    }
}
