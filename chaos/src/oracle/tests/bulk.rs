//! Bulk jobs: hand-written results that do not fit, each for the right reason.

use scrip_client::{BulkJobId, BulkOutcome, Code, CouponId, RequestId, UserId};
use scrip_shard_config::PrimaryId;

use super::super::derived;
use super::*;
use crate::history::{BulkFact, LostCommits};

const JOB: RequestId = RequestId([0x10; 16]);
const ISSUED: BulkOutcome = BulkOutcome::Issued(CouponId([5; 16]));
const FULL: BulkOutcome = BulkOutcome::Refused(Code::LimitReached);
const NONE_LEFT: BulkOutcome = BulkOutcome::Refused(Code::SoldOut);

fn job_id(id: u32) -> BulkJobId {
    BulkJobId::try_new(id).expect("not zero")
}

/// The unit of user 2 went to user 5 of the list; user 1 has a coupon, and user 6 came too late.
fn issue(case: &mut Case, results: &[(u64, BulkOutcome)]) {
    case.history = without_user_2(&case.history);
    let list = [1, 5, 6].map(UserId).to_vec();
    case.history.job(BulkFact { request: JOB, template: template(), users: list, told: Vec::new(), results: None });
    case.history.job_told(JOB, job_id(3));
    case.history.job_ended(JOB, results.iter().map(|(user, outcome)| (UserId(*user), *outcome)).collect());
    case.view.coupons[1] = CouponRow { request: derived::of_job(JOB, UserId(5)), ..coupon(5, 1, 3) };
}

const GOOD: [(u64, BulkOutcome); 3] = [(1, FULL), (5, ISSUED), (6, NONE_LEFT)];

#[test]
fn nothing_is_wrong_with_a_good_job() {
    check_case(|case| issue(case, &GOOD), &[]);
    let told_again = |case: &mut Case| {
        issue(case, &GOOD);
        case.history.job_told(JOB, job_id(3));
    };
    check_case(told_again, &[]);
}

#[test]
fn one_request_is_one_job() {
    let twice = |case: &mut Case| {
        issue(case, &GOOD);
        case.history.job_told(JOB, job_id(4));
    };
    check_case(twice, &[(Kind::JobTwice, 1)]);
}

#[test]
fn the_results_are_those_of_the_list() {
    check_case(|case| issue(case, &GOOD[..2]), &[(Kind::JobListDiffers, 1)]);
    let stranger = [&GOOD[..], &[(7, NONE_LEFT)]].concat();
    check_case(|case| issue(case, &stranger), &[(Kind::JobListDiffers, 1)]);
    let twice = [&GOOD[..], &[(6, NONE_LEFT)]].concat();
    check_case(|case| issue(case, &twice), &[(Kind::JobListDiffers, 1)]);
}

#[test]
fn the_results_are_what_the_stores_say() {
    for wrong in [
        [(1, FULL), (5, NONE_LEFT), (6, NONE_LEFT)],
        [(1, FULL), (5, BulkOutcome::Pending), (6, NONE_LEFT)],
        [(1, FULL), (5, ISSUED), (6, ISSUED)],
        // The limit of somebody who has no coupon is not reached.
        [(1, FULL), (5, ISSUED), (6, FULL)],
    ] {
        check_case(|case| issue(case, &wrong), &[(Kind::JobResultDiffers, 1)]);
    }
    // What a fail-over may have taken is excused, and nothing else.
    let lost = |tails| {
        move |case: &mut Case| {
            issue(case, &[(1, FULL), (5, ISSUED), (6, ISSUED)]);
            case.history.lost(LostCommits { primary: PrimaryId(0), tails: vec![tails], from_us: 0, until_us: 0 });
        }
    };
    check_case(lost(6..=6), &[]);
    check_case(lost(7..=7), &[(Kind::JobResultDiffers, 1)]);
}

#[test]
fn a_coupon_of_a_job_is_of_somebody_on_its_list() {
    let stranger = |case: &mut Case| {
        issue(case, &GOOD);
        case.view.coupons[0] = CouponRow { request: derived::of_job(JOB, UserId(1_001)), ..coupon(1, 0, 0) };
    };
    check_case(stranger, &[(Kind::NeverAsked, 1), (Kind::Missing, 1)]);
}
