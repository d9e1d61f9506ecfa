//! Batches: what is recorded, what is refused, and that a refusal leaves nothing behind.

use scrip_protocol::v1::CouponStatus;
use scrip_protocol::{TemplateId, UserId};
use scrip_proxy::store::{NewCoupon, RecordError, RecordStore, RecordWriter};
use scrip_shard_config::Tail;

use super::bed::{Bed, P0, coupon, on_each, template};

/// A batch that fails leaves coupons and ledger as they were, and the writer usable.
async fn check(bed: &Bed, batch: &[NewCoupon], expect: &RecordError) {
    let before = bed.counts().await;
    let mut writer = bed.writer().await;
    assert_eq!(writer.record(batch).await.as_ref(), Err(expect));
    assert_eq!(bed.counts().await, before, "after {expect}");
    let next = 9_000_000 + before.0;
    writer.record(&[coupon(next, 1, 3)]).await.expect("the writer goes on");
    assert_eq!(bed.counts().await, (before.0 + 1, before.1 + 1));
}

#[tokio::test]
async fn a_batch_is_recorded_and_counted_and_found() {
    on_each("happy", async |bed: Bed| {
        bed.open(&[1, 2], 3).await;
        let mut writer = bed.writer().await;
        let batch: Vec<NewCoupon> = (0..300).map(|user| coupon(user * 7919, 1 + (user % 2) as u16, 3)).collect();
        writer.record(&[]).await.expect("nothing to do");
        writer.record(&batch).await.expect("recorded");
        assert_eq!(bed.counts().await, (300, 300));
        for lock in [false, true] {
            let keys: Vec<_> = batch.iter().map(|row| (row.user, row.template)).collect();
            let found = writer.look_up(&keys, lock).await.expect("found");
            assert_eq!(found.len(), 300);
            let mut sorted = batch.clone();
            sorted.sort_by_key(|row| (Tail::of_user(row.user.get()), row.user));
            assert!(found.iter().zip(&sorted).all(|(row, new)| row.user == new.user && row.request == new.request));
            assert!(found.iter().all(|row| row.seq == 1 && row.status == CouponStatus::Unused));
        }
        assert_eq!(writer.look_up(&[(UserId(1), template())], true).await, Ok(Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn the_largest_ids_are_found_among_thousands() {
    on_each("largest", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        writer.record(&[coupon(u64::MAX, 1, 3), coupon(u64::MAX - 10_000, 1, 3)]).await.expect("recorded");
        let largest = TemplateId::try_new(u32::MAX).expect("not zero");
        let mut keys: Vec<_> = (u64::MAX - 2_500..=u64::MAX).map(|user| (UserId(user), template())).collect();
        keys.extend([(UserId(u64::MAX), largest), (UserId(u64::MAX), template()), (UserId(0), template())]);
        for lock in [false, true] {
            let found = writer.look_up(&keys, lock).await.expect("looked up");
            assert_eq!(found.iter().map(|row| row.user.0).collect::<Vec<_>>(), [u64::MAX]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_row_that_exists_is_a_conflict() {
    on_each("conflict", async |bed: Bed| {
        bed.open(&[1], 3).await;
        bed.writer().await.record(&[coupon(5, 1, 3)]).await.expect("recorded");
        check(&bed, &[coupon(6, 1, 3), coupon(5, 1, 3)], &RecordError::Conflict).await;
    })
    .await;
}

#[tokio::test]
async fn a_number_that_another_connection_has_seen_is_a_conflict() {
    on_each("seen", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        writer.record(&[coupon(7, 1, 3)]).await.expect("recorded");
        let second = |seen_on| NewCoupon { seq: 2, seen_on, ..coupon(7, 1, 3) };
        check(&bed, &[coupon(8, 1, 3), second(writer.connection() + 1)], &RecordError::Conflict).await;
        writer.record(&[second(writer.connection())]).await.expect("seen by this one");
    })
    .await;
}

#[tokio::test]
async fn every_mismatch_of_a_fence_refuses_the_whole_batch() {
    on_each("fenced", async |bed: Bed| {
        bed.open(&[1, 2], 3).await;
        let cases: [&[NewCoupon]; 6] = [
            &[coupon(1, 1, 2)],
            &[coupon(1, 1, 4)],
            &[coupon(1, 1, 3), coupon(2, 2, 2)],
            &[coupon(1, 1, 3), coupon(3, 1, 2)],
            &[coupon(1, 1, 3), coupon(2, 99, 3)],
            &[NewCoupon { stripe: 9, ..coupon(1, 1, 3) }],
        ];
        for batch in cases {
            check(&bed, batch, &RecordError::Fenced).await;
        }
        bed.run("UPDATE stock_ledger SET server = x'00' WHERE sub_stock = 2 AND stripe = 0").await;
        check(&bed, &[coupon(1, 1, 3), coupon(2, 2, 3)], &RecordError::Fenced).await;
    })
    .await;
}

#[tokio::test]
async fn another_topology_version_refuses_the_batch_and_the_connection() {
    on_each("version", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        bed.run("UPDATE node SET topology_version = 2").await;
        assert_eq!(writer.record(&[coupon(1, 1, 3)]).await, Err(RecordError::Fenced));
        assert_eq!(bed.counts().await, (0, 0));
        let refused = bed.store.writer(P0, 1).connect().await.expect_err("an old topology").to_string();
        assert!(refused.contains("at version 2") && refused.contains("at 1;"), "{refused}");
    })
    .await;
}
