//! Orders: hand-written logs and answers that do not fit, each for the right reason.

use scrip_client::{Code, OrderId, UserId};
use scrip_protocol::v1::StepKind;

use super::*;
use crate::history::{Act, Deed, DeedTold, LostCommits};

const LOCKED: DeedTold = DeedTold::NotApplied(Code::CouponLocked);
const IN_DOUBT: DeedTold = DeedTold::Unknown(Code::OutcomeUnknown);

fn order(id: &str) -> OrderId {
    OrderId::try_new(id).expect("an order id")
}

fn step(number: u16, kind: StepKind, of: &str) -> StepRow {
    StepRow { user: UserId(1), template: template(), seq: 1, number, kind, order: Some(order(of)) }
}

impl Case {
    /// A deed of user 1 on coupon 1, sent once for each answer.
    fn deed(&mut self, of: &str, act: Act, told: &[DeedTold]) {
        self.deed_on(of, act, &[1], told);
    }

    fn deed_on(&mut self, of: &str, act: Act, coupons: &[u16], told: &[DeedTold]) {
        let coupons = coupons.iter().map(|seq| (template(), *seq)).collect();
        let deed = self.history.deed(Deed { user: UserId(1), order: order(of), act, coupons });
        for told in told {
            let (sent_at, answered_at) = (self.tick(), self.tick());
            let send = self.history.deed_sent(deed, sent_at);
            self.history.deed_answered(send, answered_at, *told);
        }
    }

    fn steps(&mut self, steps: &[(u16, StepKind, &str)]) {
        self.view.steps.extend(steps.iter().map(|(number, kind, of)| step(*number, *kind, of)));
    }
}

#[test]
fn nothing_is_wrong_with_good_orders() {
    let life = |case: &mut Case| {
        case.deed("a", Act::Lock, &[IN_DOUBT, DeedTold::Done]);
        case.deed("b", Act::Lock, &[LOCKED]);
        case.deed("a", Act::Redeem, &[DeedTold::Nothing, DeedTold::Done]);
        case.deed("a", Act::Return, &[DeedTold::Done]);
        case.deed("b", Act::Unlock, &[DeedTold::Done]);
        case.deed("c", Act::Redeem, &[DeedTold::Done]);
        case.steps(&[
            (1, StepKind::Locked, "a"),
            (2, StepKind::Redeemed, "a"),
            (3, StepKind::Returned, "a"),
            (4, StepKind::Barred, "b"),
            (5, StepKind::Redeemed, "c"),
        ]);
    };
    check_case(life, &[]);
    // What is in doubt may be there or not.
    check_case(|case| case.deed("a", Act::Redeem, &[IN_DOUBT]), &[]);
    let doubt = |case: &mut Case| {
        case.deed("a", Act::Redeem, &[IN_DOUBT, LOCKED]);
        case.steps(&[(1, StepKind::Redeemed, "a")]);
    };
    check_case(doubt, &[]);
}

#[test]
fn the_numbers_of_steps_have_no_gap() {
    let gap = |case: &mut Case| {
        case.deed("a", Act::Redeem, &[DeedTold::Done]);
        case.steps(&[(2, StepKind::Redeemed, "a")]);
    };
    check_case(gap, &[(Kind::StepGap, 1)]);
}

#[test]
fn one_order_at_a_time_uses_a_coupon() {
    let twice = |case: &mut Case| {
        case.deed("a", Act::Redeem, &[DeedTold::Done]);
        case.deed("b", Act::Redeem, &[DeedTold::Done]);
        case.steps(&[(1, StepKind::Redeemed, "a"), (2, StepKind::Redeemed, "b")]);
    };
    check_case(twice, &[(Kind::UsedTwice, 1)]);
}

#[test]
fn who_was_told_done_has_a_step() {
    check_case(|case| case.deed("a", Act::Redeem, &[DeedTold::Done]), &[(Kind::StepMissing, 1)]);
    let of_another = |case: &mut Case| {
        case.deed("a", Act::Redeem, &[DeedTold::Done]);
        case.deed("b", Act::Redeem, &[IN_DOUBT]);
        case.steps(&[(1, StepKind::Redeemed, "b")]);
    };
    check_case(of_another, &[(Kind::StepMissing, 1)]);
    // A fail-over that was announced excuses what it may have taken, and nothing of other users.
    let lost = |tails| {
        move |case: &mut Case| {
            case.deed("a", Act::Redeem, &[DeedTold::Done]);
            let until_us = u64::try_from(case.now.as_micros()).expect("a short time");
            case.history.lost(LostCommits { primary: PrimaryId(0), tails: vec![tails], from_us: until_us, until_us });
        }
    };
    check_case(lost(0..=9_999), &[]);
    check_case(lost(2..=9_999), &[(Kind::StepMissing, 1)]);
}

#[test]
fn who_was_told_not_applied_has_none() {
    let after_all = |case: &mut Case| {
        case.deed("a", Act::Redeem, &[LOCKED, DeedTold::NotApplied(Code::PrimaryUnavailable)]);
        case.steps(&[(1, StepKind::Redeemed, "a")]);
    };
    check_case(after_all, &[(Kind::StepAfterAll, 1)]);
}

#[test]
fn all_coupons_of_an_order_or_none() {
    let half = |case: &mut Case| {
        case.deed_on("a", Act::Lock, &[1, 2], &[IN_DOUBT]);
        case.steps(&[(1, StepKind::Locked, "a")]);
    };
    check_case(half, &[(Kind::OrderHalfDone, 1)]);
}

#[test]
fn every_step_was_asked_for() {
    check_case(|case| case.steps(&[(1, StepKind::Locked, "a")]), &[(Kind::StepByNobody, 1)]);
    let other_act = |case: &mut Case| {
        case.deed("a", Act::Lock, &[DeedTold::Done]);
        case.steps(&[(1, StepKind::Locked, "a"), (2, StepKind::Redeemed, "a")]);
    };
    check_case(other_act, &[(Kind::StepByNobody, 1)]);
}
