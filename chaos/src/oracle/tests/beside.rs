//! Bad histories of what stands beside the claims: questions, operators, and fail-overs that lack commits.

use std::time::Duration;

use scrip_client::{Code, CouponId, RequestId, UserId};
use scrip_shard_config::PrimaryId;

use super::*;
use crate::history::{Action, Found, LostCommits, OperationTold};

const FOUND: Found = Found::Coupon { coupon: CouponId([1; 16]), seq: 1 };
const PAUSED: Told = Told::NotApplied(Code::TemplatePaused);
const FULL_DAY: Told = Told::NotApplied(Code::DailyLimitReached);

impl Case {
    fn asked(&mut self, request: RequestIndex, found: Found) {
        let (asked_at, answered_at) = (self.tick(), self.tick());
        let ask = self.history.asked(request, asked_at);
        self.history.found(ask, answered_at, found);
    }

    fn operated(&mut self, action: Action, told: OperationTold) {
        let (sent_at, answered_at) = (self.tick(), self.tick());
        let operation = self.history.operating(template(), action, sent_at);
        self.history.operated(operation, answered_at, told);
    }

    /// The coupon of user 1, who lives on the primary 0, is in no store; its unit was sold again before "sold out" was said.
    fn coupon_of_user_1_is_gone(&mut self) {
        let request = self.request(4);
        let send = self.history.sent(request, Duration::ZERO);
        self.history.answered(send, Duration::from_millis(1), told_coupon(4, 1, false));
        self.view.coupons[0] = coupon(4, 0, 0);
    }

    fn lost(&mut self, from_us: u64, until_us: u64) {
        let tails = vec![0..=1, 3..=9];
        self.history.lost(LostCommits { primary: PrimaryId(0), tails, from_us, until_us });
    }
}

fn stock(id: u8, units: i64) -> Action {
    Action::Stock { units, id: RequestId([id; 16]) }
}

fn changed(units: i64, total_stock: u64) -> OperationTold {
    OperationTold::Changed { units, total_stock }
}

#[test]
fn questions_are_answered_as_the_claims_were() {
    check_case(|case| case.asked(RequestIndex(0), FOUND), &[]);
    check_case(|case| case.asked(RequestIndex(2), Found::NotFound), &[]);
    check_case(|case| case.asked(RequestIndex(0), Found::Failed(Code::PrimaryUnavailable)), &[]);
    check_case(|case| case.asked(RequestIndex(0), Found::NotFound), &[(Kind::Forgotten, 1)]);
    check_case(|case| case.asked(RequestIndex(1), FOUND), &[(Kind::AnswersDiffer, 1)]);
    // Nobody had been told of it, and it is not there.
    check_case(|case| case.asked(RequestIndex(2), FOUND), &[(Kind::Missing, 1)]);
    check_case(
        |case| {
            case.asked(RequestIndex(0), FOUND);
            case.sent(RequestIndex(0), PAUSED);
            case.operated(Action::Pause, OperationTold::Done);
        },
        &[(Kind::GrantedAndRefused, 1), (Kind::PausedByNobody, 1)],
    );
    // It was not found before it was told.
    check_case(
        |case| {
            let ask = case.history.asked(RequestIndex(0), Duration::ZERO);
            case.history.found(ask, Duration::from_secs(1), Found::NotFound);
        },
        &[],
    );
}

#[test]
fn doubt_ends() {
    let in_doubt = |case: &mut Case| {
        case.circumstances.doubt_resolved = true;
        let request = case.request(4);
        case.sent(request, UNKNOWN);
        request
    };
    check_case(|case| _ = in_doubt(case), &[(Kind::Undecided, 1)]);
    check_case(
        |case| {
            in_doubt(case);
            case.circumstances.doubt_resolved = false;
        },
        &[],
    );
    check_case(
        |case| {
            let request = in_doubt(case);
            case.sent(request, SOLD_OUT);
        },
        &[],
    );
    // A question is no decision: the claim may be under way still.
    check_case(
        |case| {
            let request = in_doubt(case);
            case.asked(request, Found::NotFound);
        },
        &[(Kind::Undecided, 1)],
    );
}

#[test]
fn a_decision_stays() {
    // User 2 is in doubt, then told a refusal by the rules; and the coupon is there.
    let refused = |case: &mut Case, told| {
        case.history = without_user_2(&case.history);
        case.sent(RequestIndex(1), UNKNOWN);
        case.sent(RequestIndex(1), told);
    };
    check_case(|case| refused(case, LIMIT_REACHED), &[(Kind::AppliedAfterAll, 1)]);
    check_case(|case| refused(case, SOLD_OUT), &[(Kind::AppliedAfterAll, 1)]);
    // More stock, and the one in doubt may go on.
    check_case(
        |case| {
            refused(case, SOLD_OUT);
            case.circumstances.replenished = true;
        },
        &[],
    );
    // Sent again afterwards.
    check_case(
        |case| {
            refused(case, SOLD_OUT);
            case.sent(RequestIndex(1), UNKNOWN);
        },
        &[],
    );
}

#[test]
fn totals_are_what_operators_were_told() {
    let grown = |case: &mut Case| {
        case.operated(stock(1, 3), changed(3, 5));
        case.operated(stock(1, 3), changed(3, 5));
        case.operated(stock(2, -9), changed(-3, 2));
    };
    check_case(grown, &[]);
    check_case(|case| case.operated(stock(1, 3), changed(3, 5)), &[(Kind::TotalDiffers, 1)]);
    check_case(|case| case.operated(stock(1, 3), OperationTold::NotApplied(Code::NotReady)), &[]);
    check_case(|case| case.operated(stock(1, 3), OperationTold::Unknown(Code::OutcomeUnknown)), &[]);
    check_case(
        |case| {
            grown(case);
            case.operated(stock(2, -9), changed(-4, 1));
        },
        &[(Kind::ChangesDiffer, 1)],
    );
}

#[test]
fn refused_as_paused_only_when_somebody_paused() {
    let claimed = |case: &mut Case| {
        let request = case.request(4);
        case.sent(request, PAUSED);
    };
    check_case(claimed, &[(Kind::PausedByNobody, 1)]);
    check_case(
        |case| {
            case.operated(Action::Pause, OperationTold::Unknown(Code::OutcomeUnknown));
            claimed(case);
        },
        &[],
    );
}

#[test]
fn a_fail_over_excuses_what_it_may_have_taken_and_nothing_else() {
    check_case(Case::coupon_of_user_1_is_gone, &[(Kind::Missing, 1)]);
    check_case(
        |case| {
            case.coupon_of_user_1_is_gone();
            case.lost(0, 5_000);
            assert_eq!(check(&case.history, &case.view, case.circumstances).counts.excused, 1);
        },
        &[],
    );
    // Acknowledged before the window, or sent after it.
    for (from_us, until_us) in [(2_001, 9_000), (0, 500)] {
        check_case(
            |case| {
                case.coupon_of_user_1_is_gone();
                case.lost(from_us, until_us);
            },
            &[(Kind::Missing, 1)],
        );
    }
    // The user's coupons are elsewhere.
    check_case(
        |case| {
            case.view.coupons[1] = coupon(5, 1, 3);
            let request = case.request(5);
            let send = case.history.sent(request, Duration::ZERO);
            case.history.answered(send, Duration::ZERO, told_coupon(5, 1, false));
            case.lost(0, 9_000);
        },
        &[(Kind::Missing, 1)],
    );
    // Issued anew, under another number; found missing meanwhile; and a limit that was reached is so no more.
    check_case(
        |case| {
            case.lost(0, 9_000);
            case.asked(RequestIndex(0), Found::NotFound);
            let id = RequestId([8; 16]);
            let other = case.history.request(Request { user: UserId(1), template: template(), id });
            let sent = case.history.sent(other, Duration::from_millis(3));
            case.history.answered(sent, Duration::from_millis(4), LIMIT_REACHED);
            case.sent(other, told_coupon(1, 1, false));
            case.view.coupons[0].request = id;
            case.circumstances.replenished = true;
        },
        &[],
    );
    // It never excuses a coupon too many.
    check_case(
        |case| {
            case.lost(0, u64::MAX);
            case.view.ledgers[0].issued = 2;
            case.view.coupons.push(coupon(4, 0, 0));
            let request = case.request(4);
            let send = case.history.sent(request, Duration::ZERO);
            case.history.answered(send, Duration::ZERO, told_coupon(4, 1, false));
        },
        &[(Kind::Oversold, 1), (Kind::AllotmentExceeded, 1)],
    );
}

#[test]
fn what_a_fail_over_takes_of_what_is_sold_out_stays_unsold() {
    let taken = |from_us, until_us, is_home: bool| {
        move |case: &mut Case| {
            // User 3 is told that it is sold out between 5 and 6 ms; then the coupon of user 1 goes.
            case.view.coupons.remove(0);
            case.view.ledgers[0].issued = 0;
            let tails = vec![if is_home { 1..=1 } else { 4..=9 }];
            case.history.lost(LostCommits { primary: PrimaryId(0), tails, from_us, until_us });
        }
    };
    check_case(taken(0, 9_000, true), &[]);
    let wrong = [(Kind::SoldOutTooSoon, 2), (Kind::Unsold, 1)];
    // It was lost before it was sold out, and so should have been sold again.
    check_case(taken(0, 5_000, true), &wrong);
    // Nobody there can have lost it.
    check_case(taken(0, 9_000, false), &[&wrong[..], &[(Kind::Missing, 1)]].concat());
    // One user cannot have lost two.
    let two = |case: &mut Case| {
        taken(0, 9_000, true)(case);
        case.view.templates[0].total_stock = 3;
        case.view.sub_stocks[0].allotment = 2;
    };
    check_case(two, &wrong);
    // It can be sold again.
    let open = |case: &mut Case| {
        taken(0, 9_000, true)(case);
        case.view.templates[0].sold_out = false;
    };
    check_case(open, &[(Kind::Unsold, 1)]);
}

#[test]
fn of_two_sends_at_once_a_pause_or_a_full_day_may_refuse_one() {
    let twins = |case: &mut Case, refused| {
        case.operated(Action::Pause, OperationTold::Done);
        let (first, second) = (case.tick(), case.tick());
        let [one, other] = [first, second].map(|at| case.history.sent(RequestIndex(1), at));
        case.history.answered(one, case.now, told_coupon(2, 1, false));
        case.history.answered(other, Duration::from_secs(1), refused);
    };
    for refused in [PAUSED, FULL_DAY] {
        check_case(
            |case| {
                case.history = only_user_1(&case.history);
                twins(case, refused);
                // What user 3 was told is another matter.
                case.circumstances.replenished = true;
            },
            &[],
        );
        // The coupon was known when it was sent again.
        check_case(|case| twins(case, refused), &[(Kind::GrantedAndRefused, 1)]);
    }
}

/// User 2 has not been answered yet.
fn only_user_1(history: &History) -> History {
    let mut copy = History::default();
    history.templates().iter().for_each(|fact| copy.created(*fact));
    history.requests().iter().for_each(|request| _ = copy.request(*request));
    for sent in history.sends().iter().filter(|sent| sent.request != RequestIndex(1)) {
        let send = copy.sent(sent.request, Duration::from_micros(sent.sent_at_us));
        copy.answered(send, Duration::from_micros(sent.answered_at_us), sent.told);
    }
    copy
}
