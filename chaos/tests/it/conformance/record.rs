//! A primary, through [`RecordStore`] and [`RecordWriter`].

use scrip_proxy::store::{
    CouponRow, Fence, FenceError, ListQuery, NewCoupon, RecordError, RecordStore, RecordWriter, Server, StockKey,
};

use super::model;
use crate::record_store::bed::{Bed, P0, STRIPES, coupon, key, on_each, template};

async fn open(store: &impl RecordStore, epoch: u64) {
    store.create_ledger(P0, &[key(1), key(2)], STRIPES).await.expect("ledgers");
    assert_eq!(raise(store, epoch).await, [Fence::Raised { issued: 0 }; 2]);
}

async fn raise(store: &impl RecordStore, epoch: u64) -> Vec<Fence> {
    let server = store.server(P0).await.expect("a server");
    store.raise_fences(P0, &server, &[(key(1), epoch), (key(2), epoch)], STRIPES).await.expect("fences")
}

async fn coupons(store: &impl RecordStore, user: u64) -> Vec<CouponRow> {
    let query = ListQuery { user: coupon(user, 1, 1).user, template: Some(template()), after: None, count_max: 10 };
    store.list(P0, query).await.expect("listed")
}

pub(crate) async fn records(store: impl RecordStore) {
    open(&store, 3).await;
    let mut writer = store.writer(P0, 0);
    writer.connect().await.expect("connected");
    assert_eq!(writer.record(&[]).await, Ok(()));
    writer.record(&[coupon(5, 1, 3), coupon(6, 2, 3)]).await.expect("recorded");
    assert_eq!(writer.record(&[coupon(7, 1, 3), coupon(5, 1, 3)]).await, Err(RecordError::Conflict));
    let second = |seen_on| NewCoupon { seq: 2, seen_on, ..coupon(6, 1, 3) };
    assert_eq!(writer.record(&[second(writer.connection() + 1)]).await, Err(RecordError::Conflict));
    writer.record(&[second(writer.connection())]).await.expect("seen on this connection");
    for lock in [false, true] {
        let keys = [5, 6, 7].map(|user| (coupon(user, 1, 3).user, template()));
        let found = writer.look_up(&keys, lock).await.expect("found");
        let found: Vec<_> = found.iter().map(|row| (row.user.get(), row.seq, row.status)).collect();
        assert_eq!(found, [(5, 1, 1), (6, 1, 1), (6, 2, 1)], "what was refused left nothing behind");
    }
    assert_eq!(coupons(&store, 6).await.len(), 2);
    assert_eq!(raise(&store, 4).await, [Fence::Raised { issued: 2 }, Fence::Raised { issued: 1 }]);
    assert_eq!(raise(&store, 3).await, [Fence::Above; 2]);
}

pub(crate) async fn fences(store: impl RecordStore) {
    open(&store, 3).await;
    let mut writer = store.writer(P0, 0);
    for batch in [
        &[coupon(1, 1, 2)][..],
        &[coupon(1, 1, 4)],
        &[coupon(1, 1, 3), coupon(2, 2, 2)],
        &[coupon(1, 1, 3), coupon(3, 1, 2)],
        &[coupon(1, 1, 3), coupon(2, 99, 3)],
        &[NewCoupon { stripe: 9, ..coupon(1, 1, 3) }],
    ] {
        assert_eq!(writer.record(batch).await, Err(RecordError::Fenced), "{batch:?}");
        assert_eq!(coupons(&store, 1).await, [], "{batch:?}");
    }
    let keys: [StockKey; 3] = [key(1), key(2), key(99)];
    assert_eq!(writer.epochs(&keys).await, Ok(vec![Some(3), Some(3), None]));
    let server = store.server(P0).await.expect("a server");
    let stranger = Server { identity: "somebody else".to_owned(), ..server.clone() };
    let refused = store.raise_fences(P0, &stranger, &[(key(1), 4)], STRIPES).await;
    assert_eq!(refused, Err(FenceError::OtherServer));
    let missing = store.raise_fences(P0, &server, &[(key(99), 4)], STRIPES).await;
    assert!(matches!(missing, Err(FenceError::LedgerMissing(_))), "{missing:?}");
    let later = Server { term: server.term + 1, ..server.clone() };
    store.raise_fences(P0, &later, &[(key(2), 3)], STRIPES).await.expect("the same server in a later term");
    assert_eq!(writer.record(&[coupon(2, 2, 3)]).await, Err(RecordError::Fenced), "the fence is of another term");
    writer.record(&[coupon(1, 1, 3)]).await.expect("the other fence is as it was");
}

#[tokio::test]
async fn primaries_record_and_count() {
    on_each("conforming_records", async |bed: Bed| records(bed.store).await).await;
}

#[tokio::test]
async fn primaries_check_every_fence() {
    on_each("conforming_fences", async |bed: Bed| fences(bed.store).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_of_a_primary_does_the_same() {
    records(model()).await;
    fences(model()).await;
}
