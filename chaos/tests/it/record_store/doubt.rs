//! Connections that break around a commit: the answer is *unknown*, a locking read tells the truth, and nothing was
//! sent twice.

use std::time::{Duration, Instant};

use scrip_chaos::testbed::{CutAt, Direction, Link};
use scrip_protocol::UserId;
use scrip_proxy::store::{RecordError, RecordStore, RecordWriter, StoreError};

use super::bed::{Bed, P0, alone_on_each, coupon, key, on_each, template};

/// What the server has after a batch of two whose connection was cut at this moment.
async fn check(bed: &Bed, moment: CutAt, recorded: u64) {
    let link = Link::start(bed.server().address()).expect("a link");
    let mut writer = bed.through(&link).writer(P0, 0);
    writer.connect().await.expect("connected");
    let before = bed.counts().await;
    let sent = link.bytes(Direction::ToServer);
    link.cut_at("INSERT INTO coupon", moment);
    let users = [before.0 + 100, before.0 + 101];
    let done = writer.record(&users.map(|user| coupon(user, 1, 3))).await;
    assert!(matches!(done, Err(RecordError::Unknown(_))), "{done:?}");
    let packet = link.bytes(Direction::ToServer) - sent;
    assert!(packet < 2 * 600, "the packet went once at most, not {packet} bytes");
    let found = writer.look_up(&users.map(|user| (UserId(user), template())), true).await.expect("looked up");
    assert_eq!(found.len() as u64, recorded);
    assert_eq!(bed.counts().await, (before.0 + recorded, before.1 + recorded));
    assert_eq!(link.cuts_sprung(), 1);
}

#[tokio::test]
async fn a_cut_around_the_commit_is_unknown_and_happened_once_at_most() {
    on_each("doubt", async |bed: Bed| {
        bed.open(&[1], 3).await;
        check(&bed, CutAt::BeforeRequest, 0).await;
        check(&bed, CutAt::BeforeAnswer, 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_died_in_silence_costs_nothing() {
    on_each("silence", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let link = Link::start(bed.server().address()).expect("a link");
        let mut writer = bed.through(&link).writer(P0, 0);
        writer.record(&[coupon(1, 1, 3)]).await.expect("recorded");
        link.cut_now();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        writer.record(&[coupon(2, 1, 3)]).await.expect("on a new connection");
        link.refuse();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let refused = writer.record(&[coupon(3, 1, 3)]).await;
        assert!(matches!(refused, Err(RecordError::Unreachable(_))), "{refused:?}");
        link.heal();
        writer.record(&[coupon(3, 1, 3)]).await.expect("healed");
        assert_eq!(bed.counts().await, (3, 3));
    })
    .await;
}

#[tokio::test]
async fn a_frozen_primary_answers_in_time_and_shows_no_password() {
    alone_on_each("frozen", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        bed.server().pause().expect("paused");
        let start = Instant::now();
        let unknown = writer.record(&[coupon(1, 1, 3)]).await;
        assert!(matches!(unknown, Err(RecordError::Unknown(_))), "{unknown:?}");
        let unreachable = writer.record(&[coupon(2, 1, 3)]).await;
        assert!(matches!(unreachable, Err(RecordError::Unreachable(_))), "{unreachable:?}");
        assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
        let texts = format!("{unknown:?} {unreachable:?} {writer:?} {:?}", bed.store);
        assert!(!texts.contains(bed.server().password().expose()), "{texts}");
        bed.server().resume().expect("resumed");
        // The frozen server works on what it had received; the look-up waits for it.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let found = writer.look_up(&[(UserId(1), template())], true).await.expect("looked up").len() as u64;
        assert_eq!(bed.counts().await, (found, found));
    })
    .await;
}

#[tokio::test]
async fn a_future_that_is_dropped_takes_its_connection_along() {
    on_each("dropped", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        let mut admin = bed.admin().await;
        use mysql_async::prelude::Queryable;
        admin.query_drop("BEGIN; SELECT * FROM stock_ledger FOR UPDATE").await.expect("locked");
        let waited = tokio::time::timeout(Duration::from_millis(200), writer.record(&[coupon(1, 1, 3)])).await;
        assert!(waited.is_err(), "it waits for the lock");
        admin.query_drop("ROLLBACK").await.expect("unlocked");
        writer.record(&[coupon(2, 1, 3)]).await.expect("on a new connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (rows, units) = bed.counts().await;
        assert!(rows == units && (1..=2).contains(&rows), "the dropped one is recorded or not: {rows} {units}");
        assert_eq!(writer.epochs(&[key(1)]).await, Ok(vec![Some(3)]));
    })
    .await;
}

#[tokio::test]
async fn fences_with_an_unknown_outcome_are_raised_again() {
    on_each("fence_doubt", async |bed: Bed| {
        bed.open(&[1], 3).await;
        bed.writer().await.record(&[coupon(1, 1, 3)]).await.expect("recorded");
        let link = Link::start(bed.server().address()).expect("a link");
        let store = bed.through(&link);
        let server = store.server(P0).await.expect("a server");
        for moment in [CutAt::BeforeRequest, CutAt::BeforeAnswer] {
            link.cut_at("UPDATE stock_ledger", moment);
            let raised = store.raise_fences(P0, &server, &[(key(1), 4)], 2).await;
            assert!(matches!(raised, Err(scrip_proxy::store::FenceError::Store(StoreError::Unknown(_)))), "{raised:?}");
        }
        assert_eq!(bed.fence(&[1], 4).await, 1);
    })
    .await;
}
