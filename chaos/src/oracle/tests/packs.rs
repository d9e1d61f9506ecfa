//! Packs: hand-written rows, coupons and answers that do not fit, each for the right reason.

use scrip_client::{RequestId, TemplateId, UserId};
use scrip_shard_config::PrimaryId;

use super::super::derived;
use super::*;
use crate::history::LostCommits;

const PACK: RequestId = RequestId([0x40; 16]);

fn unit(number: u8) -> RequestId {
    derived::of_pack(PACK, template(), number)
}

fn row() -> PackRow {
    let (primary, home) = (PrimaryId(0), PrimaryId(0));
    PackRow { primary, home, user: UserId(1), request: PACK, items: vec![(template(), 2)] }
}

impl Case {
    /// The sends of a pack of two coupons to user 1, whose answers say this of each.
    fn packed(&mut self, answers: &[[Told; 2]]) {
        let items = vec![(template(), 2)];
        let units = [1, 2].map(|number| (template(), unit(number)));
        let pack = self.history.pack(UserId(1), PACK, items, units);
        let units = self.history.packs()[pack.0 as usize].units.clone();
        for told in answers {
            let (sent_at, answered_at) = (self.tick(), self.tick());
            for (unit, told) in units.iter().zip(told) {
                let send = self.history.sent(*unit, sent_at);
                self.history.answered(send, answered_at, *told);
            }
        }
    }

    /// A pack of one coupon each of templates 7 and 8 to user 1, which is there, and the answers to sends of it at once.
    fn mixed(&mut self, answers: &[[Told; 2]]) {
        let other = TemplateId::try_new(8).expect("not zero");
        let units = [template(), other].map(|template| (template, derived::of_pack(PACK, template, 1)));
        let items = vec![(template(), 1), (other, 1)];
        let pack = self.history.pack(UserId(1), PACK, items.clone(), units);
        let requests = self.history.packs()[pack.0 as usize].units.clone();
        let sent_at = self.tick();
        for told in answers {
            let answered_at = self.tick();
            for (unit, told) in requests.iter().zip(told) {
                let send = self.history.sent(*unit, sent_at);
                self.history.answered(send, answered_at, *told);
            }
        }
        self.stored();
        for (row, (template, request)) in self.view.coupons.iter_mut().zip(units) {
            *row = CouponRow { template, request, seq: 1, ..*row };
        }
        self.view.ledgers[1].template = other;
        self.view.packs[0].items = items;
    }

    /// There is nothing but units to sell.
    fn unsold(&mut self) {
        let now = self.now;
        let circumstances = Circumstances { doubt_resolved: true, ..Circumstances::default() };
        *self = Case { history: History::default(), view: stores(), circumstances, now };
        self.history.created(TemplateFact { template: template(), total_stock: 2, per_user_limit: 2 });
        self.view.coupons.clear();
        self.view.templates[0].sold_out = false;
        self.view.ledgers.iter_mut().for_each(|row| row.issued = 0);
    }

    /// Both units are in the pack.
    fn stored(&mut self) {
        self.view.coupons = [(1, 0), (2, 3)]
            .map(|(number, sub_stock)| {
                let (seq, request) = (u32::from(number), unit(number));
                CouponRow { seq, request, ..coupon(1, 0, sub_stock) }
            })
            .to_vec();
        self.view.ledgers[..2].iter_mut().for_each(|row| row.issued = 1);
        self.view.packs = vec![row()];
    }
}

fn granted(replayed: bool) -> [Told; 2] {
    [told_coupon(1, 1, replayed), told_coupon(2, 2, replayed)]
}

/// Nothing but `expect` is found after the change of a good pack, with these answers.
fn check_pack(answers: &[[Told; 2]], change: impl FnOnce(&mut Case), expect: &[(Kind, u64)]) {
    let change = |case: &mut Case| {
        case.unsold();
        case.packed(answers);
        case.stored();
        change(case);
    };
    check_case(change, expect);
}

/// There is no such pack.
fn absent(case: &mut Case) {
    case.view.packs.clear();
    case.view.coupons.clear();
    case.view.ledgers.iter_mut().for_each(|row| row.issued = 0);
}

fn lost(case: &mut Case) {
    let tails = vec![1..=1];
    case.history.lost(LostCommits { primary: PrimaryId(0), tails, from_us: 0, until_us: u64::MAX });
}

#[test]
fn nothing_is_wrong_with_good_packs() {
    check_pack(&[granted(false), granted(true)], |_| (), &[]);
    check_pack(&[[UNKNOWN; 2], granted(true)], |_| (), &[]);
    check_pack(&[[OVERLOADED; 2], granted(false)], |_| (), &[]);
    check_pack(&[[LIMIT_REACHED; 2]], absent, &[]);
    check_pack(&[[UNKNOWN; 2], [LIMIT_REACHED; 2]], absent, &[]);
    // The order of the items is nothing.
    let two = |case: &mut Case| {
        case.unsold();
        case.mixed(&[[told_coupon(1, 1, false), told_coupon(2, 1, false)]]);
        case.view.packs[0].items.reverse();
    };
    check_case(two, &[]);
}

#[test]
fn a_pack_is_whole_or_absent() {
    let last_is_gone = |case: &mut Case| {
        case.view.coupons.truncate(1);
        case.view.ledgers[1].issued = 0;
    };
    check_pack(&[granted(false)], last_is_gone, &[(Kind::Missing, 1), (Kind::PackTorn, 1)]);
    // In doubt is no excuse, and neither is a fail-over.
    let torn = |case: &mut Case| {
        last_is_gone(case);
        case.circumstances.doubt_resolved = false;
        lost(case);
    };
    check_pack(&[[UNKNOWN; 2]], torn, &[(Kind::PackTorn, 1)]);
    check_pack(&[granted(false)], |case| case.view.packs.clear(), &[(Kind::PackTorn, 1)]);
    let no_coupon = |case: &mut Case| {
        absent(case);
        case.view.packs = vec![row()];
        lost(case);
    };
    check_pack(&[granted(false)], no_coupon, &[(Kind::PackTorn, 1)]);
}

#[test]
fn an_acknowledged_pack_is_there() {
    check_pack(&[granted(false)], absent, &[(Kind::Missing, 2)]);
    let lost = |case: &mut Case| {
        absent(case);
        lost(case);
    };
    check_pack(&[granted(false)], lost, &[]);
}

#[test]
fn a_request_id_is_one_pack() {
    let other = [told_coupon(3, 1, true), told_coupon(2, 2, true)];
    check_pack(&[granted(false), other], |_| (), &[(Kind::AnswersDiffer, 1)]);
    let twice = |case: &mut Case| case.view.packs.push(row());
    check_pack(&[granted(false)], twice, &[(Kind::PackRowsDiffer, 1)]);
    let elsewhere = |case: &mut Case| case.view.packs[0].primary = PrimaryId(1);
    check_pack(&[granted(false)], elsewhere, &[(Kind::PackRowsDiffer, 1)]);
    let other_items = |case: &mut Case| case.view.packs[0].items = vec![(template(), 3)];
    check_pack(&[granted(false)], other_items, &[(Kind::PackRowsDiffer, 1)]);
    let nobodys = |case: &mut Case| case.view.packs.push(PackRow { user: UserId(2), ..row() });
    check_pack(&[granted(false)], nobodys, &[(Kind::PackByNobody, 1)]);
}

#[test]
fn not_applied_means_not_applied() {
    let after_all = [(Kind::AppliedAfterAll, 2), (Kind::PackAfterAll, 1)];
    check_pack(&[[OVERLOADED; 2]], |_| (), &after_all);
    let row_only = |case: &mut Case| {
        absent(case);
        case.view.packs = vec![row()];
    };
    check_pack(&[[OVERLOADED; 2]], row_only, &[(Kind::PackTorn, 1), (Kind::PackAfterAll, 1)]);
    // Nothing excuses it.
    check_pack(&[[OVERLOADED; 2]], lost, &after_all);
    check_pack(&[[UNKNOWN; 2]], absent, &[(Kind::Undecided, 2)]);
    check_pack(&[granted(false), [LIMIT_REACHED; 2]], |_| (), &[(Kind::GrantedAndRefused, 2)]);
}

#[test]
fn a_fail_over_that_frees_a_limit_frees_it_for_packs() {
    let case = |is_lost: bool| {
        move |case: &mut Case| {
            case.unsold();
            // A coupon of template 7, that is gone; it had kept a pack of templates 7 and 8 from being.
            let request = case.request(1);
            case.sent(request, COUPON);
            if is_lost {
                let until_us = u64::try_from(case.now.as_micros()).expect("soon");
                let tails = vec![1..=1];
                case.history.lost(LostCommits { primary: PrimaryId(0), tails, from_us: 0, until_us });
            }
            // At once, by two proxies.
            case.mixed(&[
                [told_coupon(1, 1, false), told_coupon(2, 1, false)],
                [LIMIT_REACHED, Told::NotApplied(Code::ClaimEnded)],
            ]);
        }
    };
    check_case(case(true), &[]);
    check_case(case(false), &[(Kind::GrantedAndRefused, 1), (Kind::Missing, 1)]);
}
