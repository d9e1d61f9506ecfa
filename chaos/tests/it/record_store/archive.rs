//! Coupons that leave their primary: what a writer that was frozen for months can still do, and who may remove them.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use scrip_protocol::v1::{CouponStatus, StepKind};
use scrip_protocol::{OrderId, UserId};
use scrip_proxy::store::archive::{ArchiveError, WholeCoupon};
use scrip_proxy::store::events::Holder;
use scrip_proxy::store::mysql::{Pair, Shelf, Written};
use scrip_proxy::store::steps::{Hold, NewStep, Step};
use scrip_proxy::store::{CouponRow, Fence, RecordError, RecordStore, RecordWriter};

use super::bed::{Bed, P0, STRIPES, coupon, key, on_each, template};

const FILE: Written<'static> = Written { name: "p00_1_t000001_a.ndjson.gz", digest: [7; 32], at_ms: 1 };

async fn holder(bed: &Bed, owner: &str) -> Holder {
    let held = bed.store.leases(P0).hold("patrol", owner, Duration::from_millis(1)).await.expect("asked");
    held.expect("nobody else holds it")
}

fn redeemed(user: u64, seen_on: u64) -> NewStep {
    let order = OrderId::try_new("order").expect("an order id");
    let (key, hold) = (CouponRow::new(UserId(user), template(), 1, coupon(user, 1, 0).request, 0).key(), order.clone());
    let hold = Hold::Used { order: hold };
    let step = Step { number: 1, kind: StepKind::Redeemed, order: Some(order), hold, amount_minor: 5, at_ms: 9 };
    NewStep { key, step, seen_on }
}

/// Three coupons of sub-stock 1 under epoch 3, one of them used.
async fn three(bed: &Bed) -> (Shelf, [Pair; 3]) {
    bed.open(&[1, 2], 3).await;
    let mut writer = bed.writer().await;
    writer.record(&[coupon(1, 1, 3), coupon(2, 1, 3), coupon(10_001, 2, 3)]).await.expect("recorded");
    let used = redeemed(2, writer.connection());
    writer.append(&[used], &[]).await.expect("used");
    (bed.store.shelf(P0), [1, 10_001, 2].map(|user| (UserId(user), template())))
}

async fn way_out(shelf: &Shelf) {
    shelf.close(template()).await.expect("closed");
    shelf.seal(template()).await.expect("sealed");
    shelf.closed_everywhere(template()).await.expect("noted");
}

#[tokio::test]
async fn what_is_archived_is_never_recorded_or_changed_again() {
    on_each("archive_gone", async |bed: Bed| {
        let (shelf, pairs) = three(&bed).await;
        let mut frozen = bed.writer().await;
        frozen.logs(&[redeemed(1, 0).key], false).await.expect("read");
        way_out(&shelf).await;
        let coupons = shelf.read(&pairs).await.expect("read");
        let users: Vec<u64> = coupons.iter().map(|coupon| coupon.row.user.get()).collect();
        assert_eq!(users, [1, 10_001, 2], "by tail");
        assert_eq!(coupons[2].row.status, CouponStatus::Used);
        assert_eq!((coupons[2].steps.len(), coupons[1].sub_stock.0), (1, 2));
        let holder = holder(&bed, "a").await;
        shelf.remove(&coupons, FILE, &holder).await.expect("removed");
        assert_eq!(bed.counts().await, (0, 3), "the ledger stays");
        assert_eq!(bed.rows::<u64>("SELECT COUNT(*) FROM coupon_step").await, [0]);

        // The same claims under the epoch of their grants, the next one and the last one; the step that was decided on long ago.
        for epoch in [3, 4, u64::MAX] {
            assert_eq!(frozen.record(&[coupon(1, 1, epoch)]).await, Err(RecordError::Fenced), "epoch {epoch}");
        }
        let step = redeemed(1, frozen.connection());
        assert_eq!(frozen.append(&[step], &[]).await, Err(RecordError::Fenced));
        let server = bed.store.server(P0).await.expect("a server");
        let raised = bed.store.raise_fences(P0, &server, &[(key(1), 9)], STRIPES).await;
        assert_eq!(raised, Ok(vec![Fence::Above]), "no settle opens it again");
        assert_eq!(frozen.epochs(&[key(1)]).await, Ok(vec![None]));
        assert_eq!(bed.counts().await, (0, 3));

        let known = bed.store.archived(P0, UserId(2), template()).await.expect("read");
        let used = CouponRow { status: CouponStatus::Used, claimed_at_ms: 1_700_000_000_000, ..coupons[2].row };
        assert_eq!(known, [used], "what a claim that is sent again is answered with");
        assert_eq!(bed.store.archived(P0, UserId(3), template()).await, Ok(Vec::new()));
        assert!(shelf.is_registered(FILE.name).await.expect("asked"));
        let sums = "SELECT coupons, steps, CAST(spent_minor AS UNSIGNED) FROM closed_template";
        assert_eq!(bed.rows::<(u64, u64, u64)>(sums).await, [(3, 1, 5)]);
        assert_eq!(shelf.remove(&coupons, Written { name: "b", ..FILE }, &holder).await, Err(ArchiveError::Changed));
        assert!(!shelf.is_registered("b").await.expect("asked"));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_removed_before_its_template_is_closed_and_sealed_everywhere() {
    on_each("archive_closed", async |bed: Bed| {
        let (shelf, pairs) = three(&bed).await;
        let (coupons, holder) = (shelf.read(&pairs).await.expect("read"), holder(&bed, "a").await);
        let refused = async || shelf.remove(&coupons, FILE, &holder).await == Err(ArchiveError::NotClosed);
        assert!(refused().await, "open");
        shelf.close(template()).await.expect("closed");
        assert!(refused().await, "not sealed");
        shelf.seal(template()).await.expect("sealed");
        assert!(refused().await, "not closed everywhere");
        shelf.closed_everywhere(template()).await.expect("noted");
        // Were one ledger row open after all, a claim could still be recorded under it.
        bed.run("UPDATE stock_ledger SET epoch = 3 WHERE sub_stock = 2 AND stripe = 1").await;
        assert!(refused().await, "a ledger row is open");
        assert_eq!(shelf.closed().await, Ok(Vec::new()), "so it is not closed");
        shelf.close(template()).await.expect("closed again");
        assert_eq!(bed.counts().await, (3, 3));
        shelf.remove(&coupons, FILE, &holder).await.expect("removed");
        assert_eq!(bed.counts().await, (0, 3));
    })
    .await;
}

#[tokio::test]
async fn a_holder_that_was_superseded_removes_nothing() {
    on_each("archive_lease", async |bed: Bed| {
        let (shelf, pairs) = three(&bed).await;
        way_out(&shelf).await;
        let coupons = shelf.read(&pairs).await.expect("read");
        let frozen = holder(&bed, "a").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let next = holder(&bed, "b").await;
        assert!(next.term > frozen.term);
        assert_eq!(shelf.remove(&coupons, FILE, &frozen).await, Err(ArchiveError::Superseded));
        // What the next one wrote to its file is not what is there.
        let mut other: Vec<WholeCoupon> = coupons.clone();
        other[0].row.claimed_at_ms += 1;
        assert_eq!(shelf.remove(&other, FILE, &next).await, Err(ArchiveError::Changed));
        other = coupons.clone();
        other[2].steps.clear();
        assert_eq!(shelf.remove(&other, FILE, &next).await, Err(ArchiveError::Changed));
        assert_eq!(bed.counts().await, (3, 3));
        shelf.remove(&coupons, FILE, &next).await.expect("removed");
    })
    .await;
}

/// A step that was decided on before the seal and is under way makes the seal wait; one that comes later is refused.
#[tokio::test]
async fn a_seal_waits_for_the_steps_under_way() {
    on_each("archive_seal", async |bed: Bed| {
        let (shelf, _) = three(&bed).await;
        shelf.close(template()).await.expect("closed");
        let mut admin = bed.admin().await;
        // As a step reads it, held up before its COMMIT.
        let under_way = "SELECT MAX(n.topology_version) FROM node n LEFT JOIN closed_template t ON t.template_id IN (7) \
                         WHERE n.id = 1 LOCK IN SHARE MODE";
        admin.query_drop("BEGIN").await.expect("begun");
        admin.query_drop(under_way).await.expect("read");
        let sealing = tokio::spawn({
            let shelf = shelf.clone();
            async move { shelf.seal(template()).await }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!sealing.is_finished(), "it waits");
        admin.query_drop("COMMIT").await.expect("committed");
        sealing.await.expect("no panic").expect("sealed");
        let mut writer = bed.writer().await;
        let step = redeemed(1, writer.connection());
        assert_eq!(writer.append(&[step], &[]).await, Err(RecordError::Fenced));
        assert_eq!(bed.store.sealed(P0, &[template()]).await, Ok(vec![template()]));
    })
    .await;
}
