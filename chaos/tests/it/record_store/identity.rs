//! Who is behind a primary's name.

use std::sync::Arc;

use scrip_chaos::testbed::RestartWith;
use scrip_proxy::store::mysql::{MysqlStore, MysqlWriter};
use scrip_proxy::store::{RecordError, RecordStore, RecordWriter};
use scrip_shard_config::PrimaryId;

use super::bed::{Bed, P0, alone_on_each, coupon, key, on_each, timeouts};

#[tokio::test]
async fn a_wrong_primary_behind_an_address_is_refused() {
    on_each("swapped", async |bed: Bed| {
        let bed = Bed::on(Arc::clone(&bed.testbed), "swapped_two", 2).await;
        let mut topology = bed.topology.clone();
        topology.primaries[0].database = "scrip_swapped_two_1".to_owned();
        let store = MysqlStore::try_new(&topology, timeouts()).expect("a store");
        let refused = store.writer(P0, 0).connect().await.expect_err("swapped").to_string();
        assert!(refused.contains("primary p00") && refused.contains("it is p01"), "{refused}");
        assert!(store.server(P0).await.is_err());
        store.writer(PrimaryId(2), 0).connect().await.expect_err("no such primary");
    })
    .await;
}

#[tokio::test]
async fn a_server_with_an_older_copy_is_another_server() {
    alone_on_each("older", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        writer.record(&[coupon(1, 1, 3)]).await.expect("recorded");
        let snapshot = bed.server().snapshot().await.expect("copied");
        let before = bed.store.server(P0).await.expect("a server");
        writer.record(&[coupon(2, 1, 3)]).await.expect("recorded");
        bed.server().kill();
        bed.server().restart(RestartWith::Snapshot(&snapshot)).await.expect("restarted");
        let done = record_again(&mut writer).await;
        assert_eq!(done, Err(RecordError::Fenced), "the copy's fences name the old server");
        let after = bed.store.server(P0).await.expect("a server");
        assert_ne!(before.identity, after.identity);
        assert_eq!(after.term, before.term + 1);
        assert_eq!(writer.epochs(&[key(1)]).await, Ok(vec![None]));
        assert_eq!(bed.fence(&[1], 4).await, 1, "the copy knows of one");
        writer.record(&[coupon(3, 1, 4)]).await.expect("under the new fence");
    })
    .await;
}

/// The first try may meet the dead connection.
async fn record_again(writer: &mut MysqlWriter) -> Result<(), RecordError> {
    match writer.record(&[coupon(3, 1, 3)]).await {
        Err(RecordError::Unknown(_)) => writer.record(&[coupon(3, 1, 3)]).await,
        done => done,
    }
}

#[tokio::test]
async fn a_restart_with_the_same_data_changes_nothing() {
    alone_on_each("same", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        let before = bed.store.server(P0).await;
        bed.server().kill();
        bed.server().restart(RestartWith::Data).await.expect("restarted");
        assert_eq!(bed.store.server(P0).await, before);
        drop(record_again(&mut writer).await);
        assert_eq!(writer.epochs(&[key(1)]).await, Ok(vec![Some(3)]));
    })
    .await;
}

#[tokio::test]
async fn a_stale_term_heals_itself() {
    on_each("stale_term", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        writer.record(&[coupon(1, 1, 3)]).await.expect("recorded");
        // Another server came and went, which this proxy did not see.
        bed.run("UPDATE meta_primary SET term = term + 2").await;
        assert_eq!(bed.fence(&[1], 4).await, 1);
        assert_eq!(writer.record(&[coupon(2, 1, 4)]).await, Err(RecordError::Fenced), "under the old term");
        writer.record(&[coupon(2, 1, 4)]).await.expect("under the new one");
    })
    .await;
}
