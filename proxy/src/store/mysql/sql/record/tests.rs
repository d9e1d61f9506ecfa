use scrip_protocol::{RequestId, TemplateId, UserId};
use scrip_shard_config::SubStock;

use super::*;
use crate::store::pack::{PackItems, PackKey, PackRow};

fn template(id: u32) -> TemplateId {
    TemplateId::try_new(id).expect("not zero")
}

fn coupon(user: u64, sub_stock: u16, epoch: u64) -> NewCoupon {
    NewCoupon {
        user: UserId(user),
        template: template(9),
        seq: 1,
        seen_on: 0,
        request: RequestId([0xab; 16]),
        sub_stock: SubStock(sub_stock),
        epoch,
        stripe: 1,
        claimed_at_ms: 77,
    }
}

fn check(batch: &[NewCoupon], expect: &str) {
    let mut packet = RecordPacket::default();
    // Twice: the buffers of the first use must not show in the second.
    packet.write(&[coupon(1, 1, 1), coupon(2, 2, 2)], &[1; 16], 1);
    assert_eq!(String::from_utf8_lossy(packet.write(batch, &[0; 16], 5)), expect);
}

#[test]
fn one_row() {
    check(
        &[coupon(120_042, 3, 8)],
        "BEGIN;UPDATE stock_ledger FORCE INDEX (PRIMARY) SET issued=issued+1 WHERE (template_id=9 AND sub_stock=3 \
         AND stripe=1 AND epoch=8 AND server=x'00000000000000000000000000000000');INSERT INTO coupon \
         (tail,user_id,template_id,seq,request_id,sub_stock,claimed_at_ms) VALUES (IF(ROW_COUNT()=1 AND (SELECT \
         topology_version FROM node WHERE id=1 LOCK IN SHARE MODE)=5,42,NULL),120042,9,1,\
         x'abababababababababababababababab',3,77);COMMIT",
    );
}

#[test]
fn events_are_kept_in_the_same_transaction() {
    let (mut silent, mut telling) = (RecordPacket::new(false), RecordPacket::new(true));
    let batch = [coupon(120_042, 3, 8)];
    let silent = String::from_utf8_lossy(silent.write(&batch, &[0; 16], 5)).into_owned();
    let event = "080110091 8eaa907 2001 384d 5a10 abababababababababababababababab".replace(' ', "");
    let event = format!(";INSERT INTO outbox (at_ms,events) VALUES (77,x'0a1e{event}');COMMIT");
    let telling = String::from_utf8_lossy(telling.write(&batch, &[0; 16], 5)).into_owned();
    assert_eq!(telling, silent.replace(";COMMIT", &event));
}

#[test]
fn rows_and_ledgers_are_sorted_and_two_epochs_of_a_ledger_count_twice() {
    check(
        &[coupon(20_007, 2, 8), coupon(10_003, 1, 6), coupon(10_005, 2, 9), coupon(7, 1, 6)],
        "BEGIN;UPDATE stock_ledger FORCE INDEX (PRIMARY) SET issued=issued+CASE WHEN template_id=9 AND sub_stock=1 \
         AND stripe=1 THEN 2 ELSE 1 END WHERE (template_id=9 AND sub_stock=1 AND stripe=1 AND epoch=6 AND \
         server=x'00000000000000000000000000000000') OR (template_id=9 AND sub_stock=2 AND stripe=1 AND epoch=8 AND \
         server=x'00000000000000000000000000000000') OR (template_id=9 AND sub_stock=2 AND stripe=1 AND epoch=9 AND \
         server=x'00000000000000000000000000000000');INSERT INTO coupon \
         (tail,user_id,template_id,seq,request_id,sub_stock,claimed_at_ms) VALUES (IF(ROW_COUNT()=3 AND (SELECT \
         topology_version FROM node WHERE id=1 LOCK IN SHARE MODE)=5,3,NULL),10003,9,1,\
         x'abababababababababababababababab',1,77),(5,10005,9,1,x'abababababababababababababababab',2,77),\
         (7,7,9,1,x'abababababababababababababababab',1,77),(7,20007,9,1,x'abababababababababababababababab',2,77)\
         ;COMMIT",
    );
}

#[test]
fn packs_follow_their_coupons_in_the_same_transaction() {
    let pack = |user: u64, request: u8| {
        let coupons = [9, 7].map(|id| NewCoupon { template: template(id), ..coupon(user, 3, 8) });
        let key = PackKey { user: UserId(user), request: RequestId([request; 16]) };
        let items = PackItems::try_new(coupons.iter().map(|coupon| (coupon.template, 1))).expect("items");
        NewPack { row: PackRow { key, items }, claimed_at_ms: 77, coupons: coupons.to_vec() }
    };
    let mut packet = RecordPacket::default();
    let text =
        String::from_utf8_lossy(packet.write_packs(&[pack(120_042, 2), pack(10_003, 1)], &[0; 16], 5)).into_owned();
    let statements: Vec<&str> = text.split(';').collect();
    assert_eq!(statements.len(), pack_commit(false) + 1);
    assert_eq!(statements[pack_commit(false)], "COMMIT");
    // [[7,1],[9,1]]
    let items = "x'5b5b372c315d2c5b392c315d5d'";
    assert_eq!(
        statements[3],
        format!(
            "INSERT INTO pack (tail,user_id,request_id,claimed_at_ms,items) VALUES \
             (3,10003,x'01010101010101010101010101010101',77,{items}),\
             (42,120042,x'02020202020202020202020202020202',77,{items})"
        )
    );
    assert!(
        statements[1].contains("issued=issued+2 WHERE") && statements[2].contains("(IF(ROW_COUNT()=2 AND"),
        "{text}"
    );
}
