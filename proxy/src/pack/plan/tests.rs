use std::path::Path;
use std::sync::Arc;

use scrip_protocol::RequestId;
use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_shard_config::{Address, Local, StockSpec, SubStock, Topology, local};

use super::super::request_of;
use super::*;
use crate::store::TemplateRecord;
use crate::store::pack::PackKey;
use crate::template::Templates;

const USER: UserId = UserId(4_711);
const PACK: RequestId = RequestId([7; 16]);
const NOW_MS: u64 = 1_767_225_600_000;

fn id(template: u32) -> TemplateId {
    TemplateId::try_new(template).expect("not 0")
}

/// One primary, one shard.
pub(in crate::pack) fn topology() -> Arc<Topology> {
    let address = |port| Address::Tcp { host: "127.0.0.1".to_owned(), port };
    let text = local(&Local {
        version: 1,
        primaries: vec![address(1)],
        shards: vec![address(2)],
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: 8,
        stock: StockSpec::default(),
    });
    Arc::new(Topology::parse(&text, Path::new("/"), &|_| None).expect("a topology"))
}

/// Two of template 9 and one of template 7. Of either a user may have three, and of template 7 one a day.
pub(in crate::pack) fn pack(templates: &Templates) -> Pack {
    let record = |template, per_user_daily_limit| TemplateRecord {
        template: id(template),
        definition: TemplateDefinition { per_user_limit: 3, per_user_daily_limit, ..TemplateDefinition::default() },
        status: TemplateStatus::Published,
        total_stock: 100,
        sold_out: false,
        created_at_ms: 0,
        revision: 1,
        sub_stocks: vec![SubStock(0)],
        stripes: 1,
    };
    templates.apply(vec![record(7, 1), record(9, 0)]);
    let item = |template, count| Item { template: templates.get(id(template)).expect("known"), count };
    let kept = PackItems::try_new([(id(9), 2), (id(7), 1)]).expect("items");
    Pack { key: PackKey { user: USER, request: PACK }, items: vec![item(9, 2), item(7, 1)], kept }
}

fn row(template: u32, seq: u16, request: RequestId, claimed_at_ms: u64) -> CouponRow {
    CouponRow::new(USER, id(template), seq, request, claimed_at_ms)
}

/// A coupon of the pack.
fn unit(template: u32, unit: u8, seq: u16) -> CouponRow {
    row(template, seq, request_of(PACK, id(template), unit), NOW_MS)
}

/// A coupon of some other request.
fn other(template: u32, seq: u16, claimed_at_ms: u64) -> CouponRow {
    row(template, seq, RequestId([seq as u8; 16]), claimed_at_ms)
}

fn check(there: Option<&[(u32, u8)]>, rows: &[CouponRow], expect: Plan) {
    let there = there.map(|items| PackItems::try_new(items.iter().map(|&(of, count)| (id(of), count))).expect("items"));
    let mut coupons = Coupons::default();
    rows.iter().for_each(|row| coupons.entry((row.user, row.template)).or_default().push(*row));
    assert_eq!(
        plan(&pack(&Templates::new(topology())), there.as_ref(), &coupons, NOW_MS),
        expect,
        "{there:?} {rows:?}"
    );
}

#[test]
fn coupons_get_the_numbers_after_those_of_the_user() {
    check(None, &[], Plan::Record(vec![1, 1]));
    check(None, &[other(9, 1, NOW_MS), other(7, 1, 0), other(7, 2, 0)], Plan::Record(vec![2, 3]));
}

#[test]
fn a_limit_counts_all_units_of_an_item() {
    let two = [other(9, 1, 0), other(9, 2, 0)];
    check(None, &two, Plan::Refuse(id(9), Code::LimitReached));
    check(None, &[1, 2, 3].map(|seq| other(7, seq, 0)), Plan::Refuse(id(7), Code::LimitReached));
    check(None, &[other(7, 1, NOW_MS)], Plan::Refuse(id(7), Code::DailyLimitReached));
    // The first item that is refused, in the caller's order.
    check(None, &[two[0], two[1], other(7, 1, NOW_MS)], Plan::Refuse(id(9), Code::LimitReached));
}

#[test]
fn a_replay_gets_the_coupons_in_the_order_of_its_items() {
    let rows = [unit(7, 1, 3), unit(9, 2, 2), unit(9, 1, 1), other(7, 1, 0), other(7, 2, 0), other(9, 3, 0)];
    check(Some(&[(7, 1), (9, 2)]), &rows, Plan::Found(vec![rows[2], rows[1], rows[0]]));
}

#[test]
fn another_pack_of_the_same_request_is_refused_whatever_it_shares() {
    let rows = [unit(9, 1, 1), unit(9, 2, 2), unit(7, 1, 1)];
    for there in [&[(9, 1), (7, 1)][..], &[(9, 2)], &[(9, 3), (7, 1)], &[(9, 2), (7, 1), (8, 1)], &[(8, 1)]] {
        check(Some(there), &rows, Plan::Reused);
        check(Some(there), &[], Plan::Reused);
    }
}

#[test]
fn a_pack_that_came_between_the_reads_is_read_again() {
    let rows = [unit(9, 1, 1), unit(9, 2, 2), unit(7, 1, 1)];
    check(None, &rows, Plan::Again);
    check(None, &rows[2..], Plan::Again);
}

#[test]
fn coupons_that_were_archived_leave_gaps() {
    let rows = [unit(9, 1, 1), unit(9, 2, 2)];
    check(Some(&[(7, 1), (9, 2)]), &rows, Plan::Partly(vec![Some(rows[0]), Some(rows[1]), None]));
}
