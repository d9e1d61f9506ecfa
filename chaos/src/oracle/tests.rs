//! The oracle rejects hand-written bad histories and stores, each for the right reason.

use std::time::Duration;

use scrip_client::{Code, CouponId, RequestId, TemplateId, UserId};
use scrip_shard_config::{PrimaryId, SubStock};

use super::*;
use crate::history::{Request, RequestIndex, TemplateFact, Told};

const COUPON: Told = told_coupon(1, 1, false);
const REPLAY: Told = told_coupon(1, 1, true);
const SOLD_OUT: Told = Told::NotApplied(Code::SoldOut);
const LIMIT_REACHED: Told = Told::NotApplied(Code::LimitReached);
const OVERLOADED: Told = Told::NotApplied(Code::Overloaded);
const UNKNOWN: Told = Told::Unknown(Code::OutcomeUnknown);

const fn told_coupon(coupon: u8, seq: u32, replayed: bool) -> Told {
    Told::Coupon { coupon: CouponId([coupon; 16]), seq, replayed }
}

/// Template 7: 2 units on sub-stocks 0 and 3 of two primaries, one coupon a user; users 1 and 2 have one each, and
/// user 3 was told that it is sold out.
struct Case {
    history: History,
    view: StoresView,
    circumstances: Circumstances,
    now: Duration,
}

impl Case {
    fn good() -> Self {
        let template = template();
        let mut case = Self {
            history: History::default(),
            view: stores(),
            circumstances: Circumstances { demand_exceeds_stock: true, ..Circumstances::default() },
            now: Duration::ZERO,
        };
        case.history.created(TemplateFact { template, total_stock: 2, per_user_limit: 1 });
        for (user, told) in [(1, COUPON), (2, told_coupon(2, 1, false)), (3, SOLD_OUT)] {
            let request = case.request(user);
            case.sent(request, told);
        }
        case
    }

    /// The request of a user has the user's number as id.
    fn request(&mut self, user: u8) -> RequestIndex {
        let user_id = UserId(u64::from(user));
        self.history.request(Request { user: user_id, template: template(), id: RequestId([user; 16]) })
    }

    /// Sent and answered, one after the other.
    fn sent(&mut self, request: RequestIndex, told: Told) {
        let (sent_at, answered_at) = (self.tick(), self.tick());
        let send = self.history.sent(request, sent_at);
        self.history.answered(send, answered_at, told);
    }

    fn tick(&mut self) -> Duration {
        self.now += Duration::from_millis(1);
        self.now
    }
}

fn template() -> TemplateId {
    TemplateId::try_new(7).expect("not zero")
}

fn coupon(user: u8, primary: u16, sub_stock: u16) -> CouponRow {
    CouponRow {
        primary: PrimaryId(primary),
        home: PrimaryId(primary),
        user: UserId(u64::from(user)),
        template: template(),
        seq: 1,
        request: RequestId([user; 16]),
        sub_stock: SubStock(sub_stock),
        archived: false,
    }
}

fn stores() -> StoresView {
    let template = template();
    let sub_stock = |sub_stock| SubStockRow { template, sub_stock: SubStock(sub_stock), allotment: 1, epoch: 4 };
    let ledger = |primary, sub_stock, issued| LedgerRow {
        primary: PrimaryId(primary),
        template,
        sub_stock: SubStock(sub_stock),
        issued,
    };
    let stock = |sub_stock| StockRow { template, sub_stock: SubStock(sub_stock), epoch: 4, left: 0 };
    let server = |primary| ServerSettings {
        primary: PrimaryId(primary),
        version: "1".to_owned(),
        flush_log_at_commit: 1,
        doublewrite: true,
        binlog: false,
        sync_binlog: 0,
    };
    StoresView {
        templates: vec![TemplateRow { template, total_stock: 2, sold_out: true }],
        sub_stocks: vec![sub_stock(0), sub_stock(3)],
        coupons: vec![coupon(1, 0, 0), coupon(2, 1, 3)],
        steps: Vec::new(),
        packs: Vec::new(),
        code_batches: Vec::new(),
        code_uses: Vec::new(),
        ledgers: vec![ledger(0, 0, 1), ledger(0, 3, 0), ledger(1, 0, 0), ledger(1, 3, 1)],
        stock: vec![stock(0), stock(3)],
        servers: vec![server(0), server(1)],
    }
}

/// Nothing but `expect` is found after the change, each so many times.
fn check_case(change: impl FnOnce(&mut Case), expect: &[(Kind, u64)]) {
    let mut case = Case::good();
    change(&mut case);
    let verdict = check(&case.history, &case.view, case.circumstances);
    let found: Vec<(Kind, u64)> =
        verdict.violations().iter().map(|violation| (violation.kind, violation.count)).collect();
    assert_eq!(found, expect, "{:?}", verdict.violations());
}

#[test]
fn nothing_is_wrong_with_a_good_history() {
    check_case(|_| (), &[]);
    // Replays, refusals that were no decision, and doubt are all in order.
    check_case(|case| case.sent(RequestIndex(0), REPLAY), &[]);
    check_case(|case| case.sent(RequestIndex(0), OVERLOADED), &[]);
    check_case(|case| case.sent(RequestIndex(0), UNKNOWN), &[]);
    check_case(|case| case.sent(RequestIndex(2), UNKNOWN), &[]);
}

#[test]
fn promise_1_no_oversell() {
    let add_third = |case: &mut Case| {
        let request = case.request(4);
        case.view.coupons.push(coupon(4, 0, 0));
        case.view.ledgers[0].issued = 2;
        request
    };
    // Sent before anybody was told "sold out".
    check_case(
        |case| {
            let request = add_third(case);
            let send = case.history.sent(request, Duration::ZERO);
            case.history.answered(send, Duration::ZERO, told_coupon(4, 1, false));
        },
        &[(Kind::Oversold, 1), (Kind::AllotmentExceeded, 1)],
    );
    check_case(|case| case.view.sub_stocks[0].allotment = 2, &[(Kind::AllotmentsDiffer, 1)]);
    check_case(|case| case.view.stock[1].left = 1, &[(Kind::StockAboveRest, 1)]);
    // Units of an earlier epoch are fenced.
    check_case(|case| (case.view.stock[1].left, case.view.stock[1].epoch) = (1, 3), &[]);
}

#[test]
fn promise_2_no_undersell() {
    let one_left = |case: &mut Case| {
        case.view.templates[0].total_stock = 3;
        case.view.sub_stocks[0].allotment = 2;
    };
    check_case(one_left, &[(Kind::SoldOutTooSoon, 2), (Kind::Unsold, 1)]);
    check_case(
        |case| {
            one_left(case);
            case.view.templates[0].sold_out = false;
            case.history = History::default();
            case.view.coupons.clear();
            case.view.ledgers.clear();
        },
        &[(Kind::Unsold, 1)],
    );
    // Had the last unit been left for the user who was told "sold out", it would have been too soon.
    let late = |case: &mut Case| {
        let request = case.request(4);
        case.sent(request, told_coupon(4, 1, false));
        case.view.coupons[1] = coupon(4, 1, 3);
        case.history = without_user_2(&case.history);
    };
    check_case(late, &[(Kind::SoldAfterSoldOut, 1)]);
    check_case(
        |case| {
            late(case);
            case.circumstances.replenished = true;
        },
        &[],
    );
}

/// User 2 was refused instead.
fn without_user_2(history: &History) -> History {
    let mut copy = History::default();
    history.templates().iter().for_each(|fact| copy.created(*fact));
    history.requests().iter().for_each(|request| _ = copy.request(*request));
    for sent in history.sends() {
        let send = copy.sent(sent.request, Duration::from_micros(sent.sent_at_us));
        let told = if sent.request == RequestIndex(1) { OVERLOADED } else { sent.told };
        copy.answered(send, Duration::from_micros(sent.answered_at_us), told);
    }
    copy
}

#[test]
fn promise_3_exactly_once() {
    let second_coupon = |case: &mut Case| {
        case.view.coupons[1] = CouponRow { request: RequestId([1; 16]), ..coupon(2, 1, 3) };
    };
    check_case(second_coupon, &[(Kind::RequestTwice, 1), (Kind::NeverAsked, 1), (Kind::Missing, 2)]);
    check_case(|case| case.sent(RequestIndex(0), told_coupon(9, 1, true)), &[(Kind::AnswersDiffer, 1)]);
    check_case(|case| case.sent(RequestIndex(0), SOLD_OUT), &[(Kind::GrantedAndRefused, 1)]);
    check_case(|case| case.sent(RequestIndex(1), LIMIT_REACHED), &[(Kind::GrantedAndRefused, 1)]);
    check_case(|case| case.view.coupons[1].user = UserId(5), &[(Kind::NeverAsked, 1), (Kind::Missing, 1)]);
}

#[test]
fn promise_4_the_limit_per_user() {
    let second_coupon = |case: &mut Case| {
        let id = RequestId([8; 16]);
        let request = case.history.request(Request { user: UserId(1), template: template(), id });
        let send = case.history.sent(request, Duration::ZERO);
        case.history.answered(send, Duration::ZERO, told_coupon(8, 2, false));
        case.history = without_user_2(&case.history);
        case.view.coupons[1] = CouponRow { request: id, seq: 2, ..coupon(1, 1, 3) };
    };
    check_case(second_coupon, &[(Kind::LimitExceeded, 1)]);
    check_case(
        |case| {
            case.history = without_user_2(&case.history);
            case.view.coupons[1].seq = 2;
        },
        &[(Kind::SeqGap, 1), (Kind::AppliedAfterAll, 1)],
    );
    check_case(|case| case.view.coupons[0].home = PrimaryId(1), &[(Kind::Misplaced, 1)]);
}

#[test]
fn promise_5_acknowledged_is_durable() {
    check_case(|case| _ = case.view.coupons.remove(0), &[(Kind::Missing, 1), (Kind::LedgerDiffers, 1)]);
    check_case(|case| case.view.coupons[0].seq = 2, &[(Kind::SeqGap, 1), (Kind::Missing, 1)]);
    check_case(|case| case.view.servers[1].flush_log_at_commit = 2, &[(Kind::NotDurable, 1)]);
    check_case(|case| case.view.servers[1].doublewrite = false, &[(Kind::NotDurable, 1)]);
    check_case(|case| case.view.servers[1].binlog = true, &[(Kind::NotDurable, 1)]);
}

#[test]
fn promise_6_not_applied_means_not_applied() {
    check_case(|case| case.history = without_user_2(&case.history), &[(Kind::AppliedAfterAll, 1)]);
    // In doubt is no promise.
    check_case(
        |case| {
            case.history = without_user_2(&case.history);
            case.sent(RequestIndex(1), UNKNOWN);
        },
        &[],
    );
}

mod archive;
mod beside;
mod bulk;
mod codes;
mod deeds;
mod events;
mod packs;
