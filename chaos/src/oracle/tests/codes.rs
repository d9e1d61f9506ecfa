//! Exchange codes: hand-written uses, coupons and answers that do not fit, each for the right reason.

use scrip_client::{Code, CodeBatchId, RequestId, UserId};
use scrip_shard_config::PrimaryId;

use super::super::derived;
use super::*;
use crate::history::{CodeRef, LostCommits};

const BATCH: RequestId = RequestId([0x20; 16]);
const USED_UP: Told = Told::NotApplied(Code::CodeUsedUp);

fn batch() -> CodeBatchId {
    CodeBatchId::try_new(9).expect("not zero")
}

fn code(index: u32) -> CodeRef {
    CodeRef { batch: batch(), index }
}

fn code_use(index: u32, use_no: u32, user: u64) -> CodeUseRow {
    let (primary, home) = (PrimaryId(0), PrimaryId(0));
    CodeUseRow { primary, home, code: code(index), use_no, user: UserId(user) }
}

impl Case {
    /// One claim by code, sent once for each answer.
    fn by_code(&mut self, user: u8, index: u32, told: &[Told]) -> RequestIndex {
        let placeholder = RequestId([0x30 + user; 16]);
        let request = self.history.request_by_code(UserId(u64::from(user)), template(), code(index), placeholder);
        told.iter().for_each(|told| self.sent(request, *told));
        request
    }

    /// Both units went by code 0, which has two uses, to users 1 and 2; user 3 was told that it is used up.
    fn codes() -> impl FnOnce(&mut Self) {
        |case| {
            let (tick, circumstances) = (case.now, Circumstances { doubt_resolved: true, ..case.circumstances });
            let view = std::mem::take(&mut case.view);
            *case = Case { history: History::default(), view, circumstances, now: tick };
            case.history.created(TemplateFact { template: template(), total_stock: 2, per_user_limit: 1 });
            case.by_code(1, 0, &[COUPON, REPLAY]);
            case.by_code(2, 0, &[UNKNOWN, told_coupon(2, 1, true)]);
            case.by_code(3, 0, &[USED_UP]);
            let (batch, request, template) = (batch(), BATCH, template());
            case.view.code_batches = vec![CodeBatchRow { batch, request, template, count: 2, uses: 2 }];
            case.view.code_uses = vec![code_use(0, 1, 1), code_use(0, 2, 2)];
            for (row, use_no) in case.view.coupons.iter_mut().zip(1..) {
                row.request = derived::of_use(BATCH, 0, use_no);
            }
        }
    }
}

/// Nothing but `expect` is found after the change of good codes.
fn check_codes(change: impl FnOnce(&mut Case), expect: &[(Kind, u64)]) {
    let change = |case: &mut Case| {
        Case::codes()(case);
        change(case);
    };
    check_case(change, expect);
}

fn lost(case: &mut Case, tail: u16) {
    let tails = vec![tail..=tail];
    case.history.lost(LostCommits { primary: PrimaryId(0), tails, from_us: 0, until_us: u64::MAX });
}

#[test]
fn nothing_is_wrong_with_good_codes() {
    check_codes(|_| (), &[]);
    // A use whose user was told why there is no coupon of it.
    let refused = |case: &mut Case| {
        case.by_code(1, 1, &[LIMIT_REACHED]);
        case.view.code_uses.push(code_use(1, 1, 1));
    };
    check_codes(refused, &[]);
}

#[test]
fn uses_are_dense_and_no_more_than_there_are() {
    let third = |case: &mut Case| {
        case.by_code(4, 0, &[LIMIT_REACHED]);
        case.view.code_uses.push(code_use(0, 3, 4));
    };
    check_codes(third, &[(Kind::UsesDiffer, 1)]);
    let gap = |case: &mut Case| {
        case.by_code(4, 1, &[LIMIT_REACHED]);
        case.view.code_uses.push(code_use(1, 2, 4));
    };
    check_codes(gap, &[(Kind::UsesDiffer, 1)]);
    let twice = |case: &mut Case| {
        case.by_code(4, 1, &[LIMIT_REACHED]);
        case.view.code_uses.extend([code_use(1, 1, 4), code_use(1, 2, 4)]);
    };
    check_codes(twice, &[(Kind::UsesDiffer, 1)]);
    let no_such_code = |case: &mut Case| {
        case.by_code(4, 2, &[LIMIT_REACHED]);
        case.view.code_uses.push(code_use(2, 1, 4));
    };
    check_codes(no_such_code, &[(Kind::UsesDiffer, 1)]);
    check_codes(|case| case.view.code_uses[0].home = PrimaryId(1), &[(Kind::UsesDiffer, 1)]);
}

#[test]
fn every_use_was_asked_for_and_has_its_coupon() {
    check_codes(|case| case.view.code_uses.push(code_use(1, 1, 4)), &[(Kind::UseByNobody, 1)]);
    let idle = |case: &mut Case| {
        case.by_code(4, 1, &[OVERLOADED]);
        case.view.code_uses.push(code_use(1, 1, 4));
    };
    check_codes(idle, &[(Kind::UseWithoutCoupon, 1)]);
    // While things break, it may wait for its user.
    let waits = |case: &mut Case| {
        idle(case);
        case.circumstances.doubt_resolved = false;
    };
    check_codes(waits, &[]);
}

#[test]
fn every_coupon_of_a_code_has_its_use() {
    let without = |case: &mut Case| case.view.code_uses.truncate(1);
    let expect = [(Kind::CouponWithoutUse, 1), (Kind::UsedUpTooSoon, 1)];
    check_codes(without, &expect);
    let of_another = |case: &mut Case| case.view.code_uses[1].user = UserId(3);
    check_codes(of_another, &[(Kind::AppliedAfterAll, 1), (Kind::CouponWithoutUse, 1)]);
    // The uses of a code may be lost where the code lives, which is not where its users live.
    let lost_with_home = |case: &mut Case| {
        without(case);
        lost(case, 9);
    };
    check_codes(lost_with_home, &[]);
    let lost_elsewhere = |case: &mut Case| {
        without(case);
        lost(case, 8);
    };
    check_codes(lost_elsewhere, &expect);
}

#[test]
fn one_user_has_one_coupon_of_a_code() {
    let another = |case: &mut Case| {
        let again = RequestIndex(0);
        case.sent(again, told_coupon(7, 1, false));
    };
    check_codes(another, &[(Kind::AnswersDiffer, 1)]);
    let both = |case: &mut Case| case.sent(RequestIndex(1), USED_UP);
    check_codes(both, &[(Kind::GrantedAndRefused, 1)]);
    let applied = |case: &mut Case| {
        let view = std::mem::take(&mut case.view.coupons);
        case.by_code(4, 1, &[USED_UP]);
        case.view.code_uses.push(code_use(1, 1, 4));
        case.view.coupons = vec![view[0], CouponRow { request: derived::of_use(BATCH, 1, 1), ..coupon(4, 1, 3) }];
    };
    // The unit of user 2 went to user 4.
    let expect = [Kind::Missing, Kind::AppliedAfterAll, Kind::UseWithoutCoupon, Kind::UsedUpTooSoon];
    check_codes(applied, &expect.map(|kind| (kind, 1)));
}

#[test]
fn used_up_is_said_of_what_is_used_up() {
    check_codes(|case| _ = case.by_code(4, 1, &[USED_UP]), &[(Kind::UsedUpTooSoon, 1)]);
}
