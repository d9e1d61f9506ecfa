use std::collections::BTreeSet;

use super::compare::{Evidence, compare};
use super::meta::{DailyLimit, SubStock, Template};
use super::scan::{AboveDailyLimit, AboveLimit, Coupons, ForeignTail, Group, Ledger, Misplaced};
use super::*;

/// 10 units over sub-stocks 0 and 3, 2 stripes, at most 2 a user.
pub(super) fn template() -> Template {
    Template {
        per_user_limit: 2,
        validity: None,
        budget_minor: 0,
        daily_limit: Some(DailyLimit { coupons: 1, shift_ms: 0 }),
        has_ledgers: true,
        is_closed: false,
        total_stock: 10,
        sold_out: false,
        revision: 5,
        sub_stocks: BTreeSet::from([0, 3]),
        stripes: 2,
        withdrawal_pending: false,
    }
}

/// Template 7.
fn meta() -> MetaView {
    let sub_stock = SubStock { allotment: 5, epoch: 4 };
    MetaView {
        grants: BTreeMap::new(),
        templates: BTreeMap::from([(7, template())]),
        sub_stocks: BTreeMap::from([((7, 0), sub_stock), ((7, 3), sub_stock)]),
        jobs: BTreeMap::new(),
        batches: BTreeMap::new(),
    }
}

fn scan(first: u64, second: u64) -> Scan {
    let mut scan = Scan::default();
    for (sub_stock, count) in [(0, first), (3, second)] {
        scan.coupons.insert((7, sub_stock), Coupons { count, seq_max: 2 });
        scan.ledgers.insert((7, sub_stock), Ledger { stripes: 2, stripe_max: 1, epoch_max: 4, issued: count });
    }
    scan
}

struct Case {
    before: MetaView,
    scans: BTreeMap<PrimaryId, Scan>,
    after: MetaView,
    complete: bool,
}

impl Case {
    /// 9 of 10 units issued by two primaries.
    fn good() -> Case {
        let scans = BTreeMap::from([(PrimaryId(1), scan(2, 4)), (PrimaryId(2), scan(2, 1))]);
        Case { before: meta(), scans, after: meta(), complete: true }
    }

    fn first(&mut self) -> &mut Scan {
        self.scans.get_mut(&PrimaryId(1)).expect("there")
    }

    fn template(&mut self) -> &mut Template {
        self.after.templates.get_mut(&7).expect("there")
    }
}

/// `expect`: each finding as it is printed.
fn check(change: impl FnOnce(&mut Case), expect: &[&str]) {
    let mut case = Case::good();
    change(&mut case);
    let Case { before, scans, after, complete } = &case;
    let findings = compare(&Evidence { before, scans, uses: &[], after, complete: *complete });
    let printed: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(printed, expect);
}

#[test]
fn nothing_wrong() {
    check(|_| (), &[]);
}

#[test]
fn rows_and_ledgers_changed_by_hand() {
    let differs = "p01 template 7 sub-stock 03 the coupons are not as many as the ledger issued: expected";
    check(
        |case| case.first().coupons.get_mut(&(7, 3)).expect("there").count = 3,
        &[&format!("{differs} 4 issued, found 3 coupons")],
    );
    check(
        |case| case.first().coupons.get_mut(&(7, 3)).expect("there").count = 5,
        &[&format!("{differs} 4 issued, found 5 coupons")],
    );
    check(
        |case| case.first().ledgers.get_mut(&(7, 3)).expect("there").issued = 3,
        &[&format!("{differs} 3 issued, found 4 coupons")],
    );
    check(|case| _ = case.first().coupons.remove(&(7, 3)), &[&format!("{differs} 4 issued, found 0 coupons")]);
}

#[test]
fn oversell() {
    check(
        |case| *case.first() = scan(2, 6),
        &[
            "template 7 sub-stock 03 more issued than allotted: expected at most 5, found 7",
            "template 7 more issued than the total: expected at most 10, found 11",
        ],
    );
    check(
        |case| case.template().total_stock = 11,
        &["template 7 the allotments do not add up to the total: expected 11, found 10"],
    );
}

#[test]
fn a_pending_withdrawal_lowers_allotments_before_the_total() {
    let shrink = |case: &mut Case, allotment: u64| {
        case.template().withdrawal_pending = true;
        case.after.sub_stocks.insert((7, 3), SubStock { allotment, epoch: 5 });
    };
    check(|case| shrink(case, 2), &[]);
    check(
        |case| shrink(case, 6),
        &["template 7 the allotments do not add up to the total: expected at most 10, found 11"],
    );
}

#[test]
fn sold_out_is_judged_only_where_it_stood_before() {
    let say = |meta: &mut MetaView| meta.templates.get_mut(&7).expect("there").sold_out = true;
    let words = ["template 7 sold out, and units are left: expected 10, found 9"];
    check(|case| [&mut case.before, &mut case.after].map(say).into_iter().collect(), &words);
    check(|case| say(&mut case.after), &[]);
    let replenished = |case: &mut Case| {
        say(&mut case.before);
        case.template().revision = 6;
    };
    check(replenished, &[]);
    let incomplete = |case: &mut Case| {
        say(&mut case.before);
        say(&mut case.after);
        case.complete = false;
    };
    check(incomplete, &[]);
}

#[test]
fn users() {
    let group = |seq_min, seq_max, requests| Group { user: 42, template: 7, count: 2, seq_min, seq_max, requests };
    check(
        |case| case.first().groups.push(group(1, 3, 2)),
        &[
            "p01 template 7 user 42 the numbers of a user's coupons have a gap: expected 1 to 2, found 2 coupons numbered \
           from 1 to 3",
        ],
    );
    check(
        |case| case.first().groups.push(group(1, 2, 1)),
        &["p01 template 7 user 42 one request made several coupons: expected 2 requests, found 2 coupons of 1"],
    );
    let above = AboveLimit { user: 42, template: 7, count: 3, seq_max: 3 };
    let words = "p01 template 7 user 42 a user is above the limit: expected at most 2 a user, found 3 coupons, the last \
                 numbered 3";
    check(|case| case.first().above_limit.push(above), &[words]);
    let above = AboveDailyLimit { user: 42, template: 7, count: 2, first_ms: 1_767_225_600_000 };
    let words = "p01 template 7 user 42 a user is above the limit of a day: expected at most 1 a day, found 2 coupons in \
                 the day of 1767225600000 ms";
    check(|case| case.first().above_daily_limit.push(above), &[words]);
    check(
        |case| case.first().coupons.get_mut(&(7, 0)).expect("there").seq_max = 3,
        &[
            "p01 template 7 sub-stock 00 a user is above the limit: expected at most 2 a user, found a coupon numbered 3",
        ],
    );
}

#[test]
fn places() {
    check(
        |case| case.first().misplaced.push(Misplaced { tail: 8, user: 10_007, template: 7 }),
        &[
            "p01 template 7 user 10007 a coupon stands under another tail than its user's: expected tail 0007, found tail \
           0008",
        ],
    );
    let foreign = ForeignTail { tail: 9_000, owner: Some(PrimaryId(2)), count: 3, user: 9_000 };
    check(
        |case| case.first().foreign_tails.push(foreign),
        &[
            "p01 user 9000 coupons of a tail that belongs to another primary: expected all of them on p02, found 3 coupons \
           of tail 9000 here",
        ],
    );
}

#[test]
fn ledgers_and_meta() {
    let stranger = Ledger { stripes: 2, stripe_max: 1, epoch_max: 0, issued: 0 };
    check(
        |case| _ = case.first().ledgers.insert((8, 0), stranger),
        &["p01 template 8 sub-stock 00 the template is not in meta: expected no rows, found 0 coupons, 0 issued"],
    );
    check(
        |case| _ = case.first().ledgers.insert((7, 1), stranger),
        &["p01 template 7 sub-stock 01 the sub-stock is not in meta: expected no rows, found 0 coupons, 0 issued"],
    );
    check(
        |case| case.first().ledgers.get_mut(&(7, 0)).expect("there").stripes = 1,
        &["p01 template 7 sub-stock 00 ledger rows are missing, or too many: expected 2 rows, found 1 rows"],
    );
    check(
        |case| case.first().ledgers.get_mut(&(7, 0)).expect("there").epoch_max = 5,
        &["p01 template 7 sub-stock 00 a fence is above the epoch of meta: expected at most epoch 4, found 5"],
    );
    let lost = |case: &mut Case| {
        case.template().sub_stocks = BTreeSet::from([0, 3, 4]);
    };
    check(lost, &["template 7 the template's sub-stocks are not those of meta: expected {0, 3, 4}, found {0, 3}"]);
    // Published after the first reading of meta: its ledger rows may be younger than the snapshots.
    let young = |case: &mut Case| {
        case.before.templates.clear();
        case.scans.clear();
    };
    check(young, &[]);
}

#[test]
fn an_incomplete_audit_is_never_clean() {
    assert_eq!(verdict(false, &[]).exit_code(), 2);
    assert_eq!(verdict(true, &[]).exit_code(), 0);
}
