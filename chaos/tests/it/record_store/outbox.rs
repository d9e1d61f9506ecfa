//! The outbox and its lease.

use std::time::Duration;

use prost::Message;
use scrip_protocol::v1::{EventBatch, EventKind};
use scrip_proxy::store::events::Holder;
use scrip_proxy::store::mysql::MysqlStore;
use scrip_proxy::store::{RecordStore, RecordWriter, Run};
use scrip_shard_config::ShardId;

use super::bed::{Bed, P0, coupon, on_each, timeouts};

const LONG: Duration = Duration::from_secs(60);

/// So many coupons, each recorded in a transaction of its own by a store that keeps events.
async fn keep(bed: &Bed, users: std::ops::Range<u64>) {
    let store = MysqlStore::try_new_telling(&bed.topology, timeouts(), true).expect("a store");
    let mut writer = store.writer(P0, 0);
    writer.connect().await.expect("connected");
    for user in users {
        writer.record(&[coupon(user, 1, 1)]).await.expect("recorded");
    }
}

async fn hold(bed: &Bed, owner: &str, lasts: Duration) -> Option<Holder> {
    bed.store.outbox(P0).hold("events", owner, lasts).await.expect("answered")
}

#[tokio::test]
async fn one_holds_a_lease_and_the_term_rises_with_every_holder() {
    on_each("lease", async |bed: Bed| {
        let first = hold(&bed, "a", LONG).await.expect("free");
        assert_eq!(hold(&bed, "b", LONG).await, None);
        assert_eq!(hold(&bed, "a", Duration::from_millis(1)).await, Some(first.clone()), "renewed");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let second = hold(&bed, "b", LONG).await.expect("over");
        assert_eq!(second.term, first.term + 1);
        assert_eq!(hold(&bed, "a", LONG).await, None);
    })
    .await;
}

#[tokio::test]
async fn coupons_and_their_events_come_and_go_together() {
    on_each("outbox", async |bed: Bed| {
        bed.open(&[1], 1).await;
        keep(&bed, 1..4).await;
        let mut silent = bed.writer().await;
        silent.record(&[coupon(9, 1, 1)]).await.expect("recorded");
        let store = MysqlStore::try_new_telling(&bed.topology, timeouts(), true).expect("a store");
        let mut telling = store.writer(P0, 0);
        telling.record(&[coupon(10, 1, 1), coupon(9, 1, 1)]).await.expect_err("a conflict");
        telling.record(&[coupon(10, 1, 7)]).await.expect_err("fenced");
        let rows = bed.store.outbox(P0).unpublished(100).await.expect("rows");
        let users: Vec<u64> = rows
            .iter()
            .flat_map(|row| EventBatch::decode(row.events.clone()).expect("a batch").events)
            .inspect(|event| assert_eq!(event.kind(), EventKind::Claimed))
            .map(|event| event.user_id)
            .collect();
        assert_eq!(users, [1, 2, 3]);
        assert_eq!(bed.counts().await, (4, 4));
    })
    .await;
}

#[tokio::test]
async fn what_an_overtaken_holder_notes_does_not_count() {
    on_each("overtaken", async |bed: Bed| {
        bed.open(&[1], 1).await;
        keep(&bed, 1..6).await;
        let outbox = bed.store.outbox(P0);
        let old = hold(&bed, "a", Duration::from_millis(1)).await.expect("free");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let holder = hold(&bed, "b", LONG).await.expect("over");
        let ids: Vec<u64> = outbox.unpublished(100).await.expect("rows").iter().map(|row| row.id).collect();
        let (shard, run) = (ShardId(3), Run("one".to_owned()));

        outbox.mark(&ids[..2], &old).await.expect("answered");
        assert_eq!(outbox.backlog().await.expect("a backlog").rows, 5, "nothing of it counts");
        assert!(outbox.born(shard, &run, &old).await.is_err());

        outbox.mark(&ids[..2], &holder).await.expect("marked");
        outbox.born(shard, &run, &holder).await.expect("noted");
        let progress = outbox.shards().await.expect("shards").remove(0);
        assert_eq!((progress.replay_after, progress.replay_until), (0, ids[4]));
        let held = outbox.published(0, progress.replay_until, 100).await.expect("rows");
        assert_eq!(held.iter().map(|row| row.id).collect::<Vec<_>>(), ids[..2]);
        outbox.replayed(&progress, ids[4], &old).await.expect("answered");
        assert_eq!(outbox.shards().await.expect("shards")[0].replay_after, 0);
        outbox.replayed(&progress, ids[4], &holder).await.expect("noted");
        assert_eq!(outbox.shards().await.expect("shards")[0].replay_after, ids[4]);

        assert_eq!(outbox.drop_old(LONG, 100).await.expect("dropped"), 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(outbox.drop_old(Duration::from_millis(1), 1).await.expect("dropped"), 1, "a bounded slice");
        assert_eq!(outbox.drop_old(Duration::from_millis(1), 100).await.expect("dropped"), 1);
        assert_eq!(outbox.backlog().await.expect("a backlog").rows, 3, "what waits is never dropped");
    })
    .await;
}
