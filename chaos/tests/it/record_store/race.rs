//! Many at once.

use scrip_proxy::store::{RecordError, RecordStore, RecordWriter};
use tokio::task::JoinSet;

use super::bed::{Bed, P0, coupon, on_each};

#[tokio::test]
async fn the_ledger_counts_the_rows_under_concurrent_writers() {
    on_each("writers", async |bed: Bed| {
        bed.open(&[1, 2, 3], 3).await;
        let mut tasks = JoinSet::new();
        for lane in 0..4_u64 {
            let mut writer = bed.store.writer(P0, lane as u16);
            tasks.spawn(async move {
                let mut recorded = 0;
                for round in 0..25_u64 {
                    // Every fourth user is wanted by two lanes, so that batches meet and fail.
                    let user = |i: u64| round * 1000 + i * 7 + if i.is_multiple_of(4) { 0 } else { lane * 100_000 };
                    let batch: Vec<_> = (0..40).map(|i| coupon(user(i), 1 + (i % 3) as u16, 3)).collect();
                    match writer.record(&batch).await {
                        Ok(()) => recorded += batch.len() as u64,
                        Err(RecordError::Conflict | RecordError::RolledBack(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                recorded
            });
        }
        let recorded: u64 = tasks.join_all().await.into_iter().sum();
        assert!(recorded >= 1000, "somebody wins each round: {recorded}");
        assert_eq!(bed.counts().await, (recorded, recorded));
    })
    .await;
}

#[tokio::test]
async fn after_the_fence_nothing_of_the_old_epoch_is_recorded() {
    on_each("fence_race", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut tasks = JoinSet::new();
        for lane in 0..4_u64 {
            let mut writer = bed.store.writer(P0, lane as u16);
            tasks.spawn(async move {
                let mut recorded = 0;
                for user in lane * 100_000.. {
                    match writer.record(&[coupon(user, 1, 3)]).await {
                        Ok(()) => recorded += 1,
                        Err(RecordError::Fenced) => return recorded,
                        Err(error) => panic!("{error}"),
                    }
                }
                recorded
            });
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let issued = bed.fence(&[1], 4).await;
        let recorded: u64 = tasks.join_all().await.into_iter().sum();
        assert_eq!(recorded, issued, "what the fence counted is all that there is");
        assert_eq!(bed.counts().await, (issued, issued));
    })
    .await;
}
