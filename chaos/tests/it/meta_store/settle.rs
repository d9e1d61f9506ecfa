//! The steps of a settle in meta.

use std::time::Duration;

use scrip_chaos::testbed::{CutAt, Link};
use scrip_protocol::v1::TemplateStatus;
use scrip_proxy::store::{Ended, MetaError, MetaStore, RecordStore, StockKey, StoreError};
use scrip_shard_config::SubStock;
use tokio::task::JoinSet;

use super::template::created;
use crate::record_store::bed::{Bed, P0, on_each};

const NO_QUIET: Duration = Duration::ZERO;

fn ended(sub_stock: SubStock, epoch: u64, drained: bool) -> Ended {
    Ended { sub_stock, epoch, installed: true, drained }
}

pub(crate) async fn advance(store: impl MetaStore + RecordStore) {
    let template = created(&store, 1, 10).await.template;
    let server = store.server(P0).await.expect("a server");
    for epoch in 0..5 {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            tasks.spawn(
                async move { store.advance(template, &[(SubStock(9), epoch), (SubStock(0), 77)], NO_QUIET).await },
            );
        }
        let all: Vec<_> = tasks.join_all().await.into_iter().map(|one| one.expect("answered")).collect();
        assert!(all.iter().all(|one| one.primaries == [(P0, server.clone())] && !one.withdrawal_pending));
        let won: Vec<_> = all.into_iter().flat_map(|one| one.won).collect();
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!((won[0].key.sub_stock.0, won[0].epoch, won[0].allotment), (9, epoch + 1, 3));
    }
}

#[tokio::test]
async fn of_eight_who_advance_one_wins() {
    on_each("advance", async |bed: Bed| advance(bed.store).await).await;
}

#[tokio::test]
async fn an_epoch_is_quiet_for_a_while() {
    on_each("quiet", async |bed: Bed| {
        let template = created(&bed.store, 1, 10).await.template;
        let minute = Duration::from_secs(60);
        let won = async |epoch, quiet| {
            bed.store.advance(template, &[(SubStock(0), epoch)], quiet).await.expect("answered").won.len()
        };
        assert_eq!(won(0, minute).await, 1, "never raised before");
        assert_eq!(won(1, minute).await, 0, "just raised");
        assert_eq!(won(1, NO_QUIET).await, 1);
        bed.run("UPDATE meta_sub_stock SET advanced_at = NOW() + INTERVAL 1 DAY WHERE sub_stock = 0").await;
        assert_eq!(won(2, minute).await, 1, "the clock went back");
        let ghost = scrip_protocol::TemplateId::try_new(99).expect("not zero");
        assert_eq!(bed.store.advance(ghost, &[], NO_QUIET).await, Err(MetaError::TemplateNotFound));
    })
    .await;
}

pub(crate) async fn sold_out(store: impl MetaStore + RecordStore) {
    let template = created(&store, 1, 10).await.template;
    let store = &store;
    let all = [0, 4, 9].map(SubStock);
    assert_eq!(store.mark_settled(template, &all.map(|s| ended(s, 0, true))).await, Ok(false), "never fenced");
    store.set_status(template, &[TemplateStatus::Draft], TemplateStatus::Published).await.expect("published");
    store.advance(template, &all.map(|s| (s, 0)), NO_QUIET).await.expect("advanced");
    assert_eq!(store.unsettled(NO_QUIET, None, 10).await.map(|keys| keys.len()), Ok(3));
    assert_eq!(store.unsettled(Duration::from_secs(60), None, 10).await, Ok(Vec::new()));
    let two = store.unsettled(NO_QUIET, None, 2).await.expect("read");
    assert_eq!(two, [0, 4].map(|sub| StockKey { template, sub_stock: SubStock(sub) }));
    let third = StockKey { template, sub_stock: SubStock(9) };
    assert_eq!(store.unsettled(NO_QUIET, Some(two[1]), 2).await, Ok(vec![third]), "from there on");
    assert_eq!(store.mark_settled(template, &[ended(all[0], 1, true), ended(all[1], 1, false)]).await, Ok(false));
    assert_eq!(
        store.mark_settled(template, &[ended(all[1], 1, true), ended(all[2], 0, true)]).await,
        Ok(false),
        "old epoch"
    );
    assert_eq!(store.unsettled(NO_QUIET, None, 10).await.map(|keys| keys.len()), Ok(1));
    let absent = Ended { installed: false, ..ended(all[2], 1, false) };
    assert_eq!(store.mark_settled(template, &[absent]).await, Ok(false), "nothing came of it");
    assert_eq!(store.unsettled(NO_QUIET, None, 10).await.map(|keys| keys.len()), Ok(1), "still due");
    let before = store.template(template).await.expect("read");
    assert_eq!(store.mark_settled(template, &[ended(all[2], 1, true)]).await, Ok(true));
    let after = store.template(template).await.expect("read");
    assert!(after.sold_out && after.revision > before.revision);
    assert_eq!(store.mark_settled(template, &[ended(all[2], 1, true)]).await, Ok(true), "again");
    assert_eq!(store.template(template).await, Ok(after), "and changes nothing");
}

#[tokio::test]
async fn a_template_is_sold_out_when_every_sub_stock_is_drained() {
    on_each("sold_out", async |bed: Bed| sold_out(bed.store).await).await;
}

#[tokio::test]
async fn a_commit_in_meta_can_be_unknown() {
    on_each("meta_doubt", async |bed: Bed| {
        let template = created(&bed.store, 1, 10).await.template;
        let link = Link::start(bed.server().address()).expect("a link");
        let store = bed.through(&link);
        for (moment, epoch) in [(CutAt::BeforeRequest, 0), (CutAt::BeforeAnswer, 1)] {
            // The statement alone: every session sets READ COMMITTED.
            link.cut_at(*b"\x03COMMIT", moment);
            let answer = store.advance(template, &[(SubStock(0), 0)], NO_QUIET).await;
            assert!(matches!(answer, Err(MetaError::Store(StoreError::Unknown(_)))), "{answer:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(bed.store.sub_stocks(template).await.expect("read")[0].epoch, epoch);
        }
        link.cut_at("UPDATE meta_sub_stock", CutAt::BeforeAnswer);
        let answer = store.advance(template, &[(SubStock(0), 1)], NO_QUIET).await;
        assert!(matches!(answer, Err(MetaError::Store(StoreError::Unreachable(_)))), "before the commit: {answer:?}");
        assert_eq!(bed.store.sub_stocks(template).await.expect("read")[0].epoch, 1);
    })
    .await;
}
