//! The archive: hand-written coupons that were lost or doubled on their way to a file, and answers about what is closed.

use scrip_client::RequestId;

use super::*;
use crate::history::{Action, OperationTold};

const CLOSED: Told = Told::NotApplied(Code::TemplateClosed);

impl Case {
    fn closed(&mut self) {
        let (sent_at, answered_at) = (self.tick(), self.tick());
        let operation = self.history.operating(template(), Action::Close, sent_at);
        self.history.operated(operation, answered_at, OperationTold::Done);
    }

    /// The coupon of user 1 is in a file; that of user 2 is there still.
    fn archived(&mut self) {
        self.closed();
        self.view.coupons[0].archived = true;
    }
}

#[test]
fn files_and_tables_hold_each_coupon_once() {
    check_case(Case::archived, &[]);
    let in_both = |case: &mut Case| {
        case.archived();
        case.view.coupons.push(CouponRow { archived: false, ..case.view.coupons[0] });
    };
    let twice = [(Kind::Oversold, 1), (Kind::RequestTwice, 1), (Kind::LimitExceeded, 1), (Kind::SeqGap, 1)];
    check_case(in_both, &[&twice[..], &[(Kind::LedgerDiffers, 1)]].concat());
    let in_none = |case: &mut Case| {
        case.archived();
        case.view.coupons.remove(0);
    };
    check_case(in_none, &[(Kind::Missing, 1), (Kind::LedgerDiffers, 1)]);
    let another = |case: &mut Case| {
        case.archived();
        case.view.coupons[0].request = RequestId([9; 16]);
    };
    check_case(another, &[(Kind::NeverAsked, 1), (Kind::Missing, 1)]);
}

#[test]
fn only_what_is_closed_is_archived() {
    check_case(|case| case.view.coupons[0].archived = true, &[(Kind::ArchivedTooSoon, 1)]);
}

#[test]
fn what_is_archived_is_answered_as_before() {
    let again = |told| {
        move |case: &mut Case| {
            case.archived();
            case.sent(RequestIndex(0), told);
        }
    };
    check_case(again(REPLAY), &[]);
    check_case(again(CLOSED), &[(Kind::GrantedAndRefused, 1)]);
    check_case(again(told_coupon(9, 1, true)), &[(Kind::AnswersDiffer, 1)]);
}

#[test]
fn nobody_can_claim_what_is_closed() {
    let one_left = |case: &mut Case| {
        // Nobody was told that it is sold out.
        let known = case.history.clone();
        case.history = History::default();
        let more = known.templates().iter().map(|fact| TemplateFact { total_stock: 3, ..*fact });
        more.for_each(|fact| case.history.created(fact));
        for (user, told) in [(1, COUPON), (2, told_coupon(2, 1, false))] {
            let request = case.request(user);
            case.sent(request, told);
        }
        case.view.templates[0] = TemplateRow { total_stock: 3, sold_out: false, ..case.view.templates[0] };
        case.view.sub_stocks[0].allotment = 2;
    };
    check_case(one_left, &[(Kind::Unsold, 1)]);
    let closed = |case: &mut Case| {
        one_left(case);
        case.closed();
    };
    check_case(closed, &[]);
    check_case(|case| case.sent(RequestIndex(2), CLOSED), &[(Kind::PausedByNobody, 1)]);
}

#[test]
fn of_two_sends_at_once_the_end_may_refuse_one_and_doubt_ends_with_it() {
    let twins = |case: &mut Case| {
        case.history = without_user_2(&case.history);
        case.closed();
        let request = case.request(4);
        let (sent_at, refused_at, granted_at) = (case.tick(), case.tick(), case.tick());
        for (at, told) in [(refused_at, CLOSED), (granted_at, told_coupon(4, 1, false))] {
            let send = case.history.sent(request, sent_at);
            case.history.answered(send, at, told);
        }
        case.view.coupons[1] = coupon(4, 1, 3);
        // What user 3 was told is another matter.
        case.circumstances.replenished = true;
    };
    check_case(twins, &[]);
    let doubt = |case: &mut Case, told: &[Told]| {
        case.closed();
        case.circumstances.doubt_resolved = true;
        let request = case.request(4);
        told.iter().for_each(|told| case.sent(request, *told));
    };
    check_case(|case| doubt(case, &[UNKNOWN]), &[(Kind::Undecided, 1)]);
    check_case(|case| doubt(case, &[UNKNOWN, CLOSED]), &[]);
    check_case(|case| doubt(case, &[UNKNOWN, CLOSED, UNKNOWN]), &[(Kind::Undecided, 1)]);
}
