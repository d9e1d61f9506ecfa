//! Fences and ledgers.

use scrip_proxy::store::{Fence, FenceError, RecordError, RecordStore, RecordWriter, Server};

use super::bed::{Bed, P0, STRIPES, coupon, key, on_each};

#[tokio::test]
async fn fences_go_up_and_never_down() {
    on_each("up", async |bed: Bed| {
        bed.open(&[1, 2], 3).await;
        let mut writer = bed.writer().await;
        writer.record(&[coupon(1, 1, 3), coupon(2, 1, 3), coupon(3, 2, 3)]).await.expect("recorded");
        let server = bed.store.server(P0).await.expect("a server");
        let raised = bed.store.raise_fences(P0, &server, &[(key(2), 4), (key(1), 2)], STRIPES).await;
        assert_eq!(raised, Ok(vec![Fence::Raised { issued: 1 }, Fence::Above]));
        let again = bed.store.raise_fences(P0, &server, &[(key(2), 4)], STRIPES).await;
        assert_eq!(again, Ok(vec![Fence::Raised { issued: 1 }]), "repeating it changes nothing");
        assert_eq!(writer.epochs(&[key(2), key(1), key(9)]).await, Ok(vec![Some(4), Some(3), None]));
        assert_eq!(writer.record(&[coupon(4, 2, 3)]).await, Err(RecordError::Fenced));
        writer.record(&[coupon(4, 2, 4)]).await.expect("under the new epoch");
    })
    .await;
}

#[tokio::test]
async fn ledgers_are_created_once_and_missing_rows_are_noticed() {
    on_each("ledgers", async |bed: Bed| {
        bed.open(&[1], 3).await;
        bed.writer().await.record(&[coupon(1, 1, 3)]).await.expect("recorded");
        bed.store.create_ledger(P0, &[key(1), key(2)], STRIPES).await.expect("created");
        assert_eq!(bed.fence(&[1, 2], 4).await, 1, "what existed has kept its count");
        bed.run("DELETE FROM stock_ledger WHERE sub_stock = 2 AND stripe = 1").await;
        let server = bed.store.server(P0).await.expect("a server");
        let missing = bed.store.raise_fences(P0, &server, &[(key(2), 5)], STRIPES).await;
        assert!(matches!(missing, Err(FenceError::LedgerMissing(_))), "{missing:?}");
        let other = Server { identity: "another".to_owned(), term: 1 };
        assert_eq!(bed.store.raise_fences(P0, &other, &[(key(1), 6)], STRIPES).await, Err(FenceError::OtherServer));
        assert_eq!(bed.writer().await.epochs(&[key(1)]).await, Ok(vec![Some(4)]), "and changed nothing");
    })
    .await;
}
