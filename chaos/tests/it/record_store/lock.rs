//! Locks that others hold, and servers that refuse.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use scrip_protocol::UserId;
use scrip_proxy::store::{RecordError, RecordWriter};

use super::bed::{Bed, alone_on_each, coupon, on_each, template};

#[tokio::test]
async fn a_lock_that_is_held_too_long_rolls_back() {
    on_each("lock_wait", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        let mut admin = bed.admin().await;
        admin.query_drop("BEGIN; SELECT * FROM stock_ledger FOR UPDATE").await.expect("locked");
        let done = writer.record(&[coupon(1, 1, 3)]).await;
        assert!(matches!(done, Err(RecordError::RolledBack(_))), "{done:?}");
        admin.query_drop("ROLLBACK").await.expect("unlocked");
        assert_eq!(bed.counts().await, (0, 0));
        writer.record(&[coupon(1, 1, 3)]).await.expect("another try");
    })
    .await;
}

#[tokio::test]
async fn the_victim_of_a_deadlock_rolls_back() {
    on_each("deadlock", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        let mut admin = bed.admin().await;
        let rows: Vec<String> = (0..50).map(|user| format!("({user}, {user}, 7, 1, '', 1, 0)")).collect();
        let columns = "tail, user_id, template_id, seq, request_id, sub_stock, claimed_at_ms";
        let insert = format!("INSERT INTO coupon ({columns}) VALUES {}", rows.join(","));
        admin.query_drop("BEGIN").await.expect("begun");
        admin.query_drop(insert).await.expect("inserted");
        let recording = tokio::spawn(async move { (writer.record(&[coupon(5, 1, 3)]).await, writer) });
        tokio::time::sleep(Duration::from_millis(200)).await;
        admin.query_drop("UPDATE stock_ledger SET issued = issued + 1").await.expect("the heavier one survives");
        admin.query_drop("ROLLBACK").await.expect("undone");
        let (done, mut writer) = recording.await.expect("no panic");
        assert!(matches!(done, Err(RecordError::RolledBack(_))), "{done:?}");
        assert_eq!(bed.counts().await, (0, 0));
        writer.record(&[coupon(5, 1, 3)]).await.expect("another try");
    })
    .await;
}

#[tokio::test]
async fn a_locking_look_up_waits_for_its_own_rows_and_for_no_others() {
    on_each("look_up", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        writer.record(&[coupon(1, 1, 3), coupon(2, 1, 3)]).await.expect("recorded");
        let mut admin = bed.admin().await;
        let under_way = "BEGIN; INSERT INTO coupon (tail, user_id, template_id, seq, request_id, sub_stock, \
                         claimed_at_ms) VALUES (3, 3, 7, 1, '', 1, 0)";
        admin.query_drop(under_way).await.expect("under way");
        // A thousand others in a small table: a scan would meet the row under way.
        let others: Vec<_> = (0..1024).filter(|user| *user != 3).map(|user| (UserId(user), template())).collect();
        assert_eq!(writer.look_up(&others, true).await.map(|rows| rows.len()), Ok(2));
        let own = tokio::spawn(async move { writer.look_up(&[(UserId(3), template())], true).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!own.is_finished(), "it waits");
        admin.query_drop("COMMIT").await.expect("committed");
        assert_eq!(own.await.expect("no panic").map(|rows| rows.len()), Ok(1));
    })
    .await;
}

#[tokio::test]
async fn a_read_only_server_refuses() {
    alone_on_each("read_only", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        bed.run("SET GLOBAL read_only = 1").await;
        let done = writer.record(&[coupon(1, 1, 3)]).await;
        assert!(matches!(done, Err(RecordError::Refused(_))), "{done:?}");
        bed.run("SET GLOBAL read_only = 0").await;
        assert_eq!(bed.counts().await, (0, 0));
        writer.record(&[coupon(1, 1, 3)]).await.expect("writable again");
    })
    .await;
}
