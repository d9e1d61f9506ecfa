//! Changes of stock.

use std::time::Duration;

use scrip_protocol::v1::TemplateStatus;
use scrip_protocol::{RequestId, TemplateId};
use scrip_proxy::store::{MetaError, MetaStore, RecordStore, StockChangeRecord, SubStockRecord};
use scrip_shard_config::SubStock;
use tokio::task::JoinSet;

use super::template::created;
use crate::record_store::bed::{Bed, on_each};

fn request(number: u8) -> RequestId {
    RequestId([number; 16])
}

/// (allotment, epoch) of each sub-stock; the allotments may not add up to more than the total.
async fn allotments(store: &impl MetaStore, template: TemplateId) -> Vec<(u64, u64)> {
    let total = store.template(template).await.expect("read").total_stock;
    let all = store.sub_stocks(template).await.expect("read");
    assert!(all.iter().map(|one| one.allotment).sum::<u64>() <= total, "{all:?} of {total}");
    all.iter().map(|one| (one.allotment, one.epoch)).collect()
}

pub(crate) async fn replenish(store: impl MetaStore + RecordStore) {
    let template = created(&store, 1, 10).await.template;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move { store.change_stock(template, request(9), 5, &[]).await.expect("changed") });
    }
    let all = tasks.join_all().await;
    assert_eq!(all.iter().filter(|one| !one.replayed).count(), 1);
    assert!(all.iter().all(|one| one.units_applied == Some(5) && one.total_stock == 15));
    assert_eq!(allotments(&store, template).await, [(5, 1), (6, 1), (4, 1)]);
    let other = store.change_stock(template, request(9), 6, &[]).await;
    assert_eq!(other, Err(MetaError::RequestIdReused));
    for (number, units) in [(10, 0), (11, 4_000_000_000), (12, i64::MAX)] {
        let refused = store.change_stock(template, request(number), units, &[]).await;
        assert!(matches!(refused, Err(MetaError::Limit(_))), "{units}: {refused:?}");
    }
    store.set_status(template, &[TemplateStatus::Draft], TemplateStatus::Closed).await.expect("closed");
    let closed = store.change_stock(template, request(13), 1, &[]).await;
    assert_eq!(closed, Err(MetaError::Status(TemplateStatus::Closed)));
}

#[tokio::test]
async fn units_are_added_once_per_request() {
    on_each("replenish", async |bed: Bed| replenish(bed.store).await).await;
}

pub(crate) async fn withdraw(store: impl MetaStore + RecordStore) {
    let store = &store;
    let template = created(store, 1, 30).await.template;
    let shares = [(SubStock(0), 8), (SubStock(4), 8), (SubStock(9), 4)];
    let begun = store.change_stock(template, request(9), -20, &shares).await.expect("begun");
    assert_eq!((begun.units_applied, begun.total_stock, begun.replayed), (None, 30, false));
    assert_eq!(allotments(store, template).await, [(2, 1), (2, 1), (6, 1)]);
    let again = store.change_stock(template, request(9), -20, &shares).await;
    assert_eq!(again, Ok(StockChangeRecord { replayed: true, ..begun }));
    let second = store.change_stock(template, request(10), 1, &[]).await;
    assert_eq!(second, Err(MetaError::WithdrawalPending));

    let advanced = store.advance(template, &[0, 4, 9].map(|s| (SubStock(s), 1)), Duration::ZERO).await;
    let advanced = advanced.expect("advanced");
    assert!(advanced.withdrawal_pending);
    let issued =
        |counts: [u64; 3]| -> Vec<(SubStockRecord, u64)> { advanced.won.iter().copied().zip(counts).collect() };
    let stale = SubStockRecord { epoch: 1, ..advanced.won[0] };
    for incomplete in [vec![(stale, 5), issued([5, 1, 3])[1], issued([5, 1, 3])[2]], issued([5, 1, 3])[..2].to_vec()] {
        store.finish_withdrawal(template, &incomplete).await.expect("nothing");
        assert_eq!(store.template(template).await.map(|t| t.total_stock), Ok(30), "nothing changes");
    }
    // Five were issued from the first meanwhile, of which two are left to it: three come back.
    store.finish_withdrawal(template, &issued([5, 1, 3])).await.expect("finished");
    assert_eq!(allotments(store, template).await, [(5, 2), (2, 2), (6, 2)]);
    let after = store.template(template).await.expect("read");
    assert_eq!(after.total_stock, 13);
    let replayed = store.change_stock(template, request(9), -20, &shares).await.expect("replayed");
    assert_eq!((replayed.units_applied, replayed.total_stock, replayed.replayed), (Some(-17), 13, true));
    store.finish_withdrawal(template, &issued([9, 9, 9])).await.expect("again");
    assert_eq!(store.template(template).await, Ok(after), "and changes nothing");
}

#[tokio::test]
async fn a_withdrawal_takes_no_more_than_what_is_unsold() {
    on_each("withdraw", async |bed: Bed| withdraw(bed.store).await).await;
}

pub(crate) async fn withdraw_limits(store: impl MetaStore + RecordStore) {
    let template = created(&store, 1, 30).await.template;
    for shares in [vec![(SubStock(0), 6)], vec![(SubStock(77), 1)], vec![(SubStock(0), u64::MAX), (SubStock(4), 9)]] {
        let refused = store.change_stock(template, request(9), -5, &shares).await;
        assert!(matches!(refused, Err(MetaError::Limit(_))), "{refused:?}");
    }
    assert_eq!(allotments(&store, template).await, [(10, 0), (10, 0), (10, 0)]);
    // More than a sub-stock has: it ends at zero.
    store.change_stock(template, request(9), -25, &[(SubStock(0), 25)]).await.expect("begun");
    assert_eq!(allotments(&store, template).await, [(0, 1), (10, 1), (10, 1)]);
}

#[tokio::test]
async fn a_withdrawal_that_makes_no_sense_is_refused() {
    on_each("withdraw_limits", async |bed: Bed| withdraw_limits(bed.store).await).await;
}

pub(crate) async fn move_rest(store: impl MetaStore + RecordStore) {
    let (store, template) = (&store, created(&store, 1, 30).await.template);
    let advanced = store.advance(template, &[(SubStock(0), 0)], Duration::ZERO).await.expect("advanced");
    let fenced = advanced.won[0];
    let to = [SubStock(4), SubStock(9)];
    let epochs = async || {
        let records = store.sub_stocks(template).await.expect("read");
        records.iter().map(|record| (record.allotment, record.epoch)).collect::<Vec<_>>()
    };
    for nothing in [
        (SubStockRecord { epoch: 0, ..fenced }, 7, &to[..]),
        (SubStockRecord { epoch: 2, ..fenced }, 7, &to[..]),
        (fenced, 10, &to[..]),
        (fenced, 99, &to[..]),
        (fenced, 7, &[]),
        (fenced, 7, &[SubStock(0)]),
        (fenced, 7, &[SubStock(77)]),
    ] {
        store.move_rest(template, &[(nothing.0, nothing.1)], nothing.2).await.expect("answered");
        assert_eq!(epochs().await, [(10, 1), (10, 0), (10, 0)], "{nothing:?} moves nothing");
    }
    let before = store.template(template).await.expect("read");
    let after = store.move_rest(template, &[(fenced, 7)], &to).await.expect("moved");
    assert_eq!(epochs().await, [(7, 1), (12, 1), (11, 1)], "and what has grown has a new epoch");
    assert_eq!(after, store.sub_stocks(template).await.expect("read"));
    assert_eq!(store.template(template).await, Ok(before), "the total is what it was");
    store.move_rest(template, &[(fenced, 7)], &to).await.expect("again");
    assert_eq!(epochs().await, [(7, 1), (12, 1), (11, 1)], "and changes nothing");

    store.change_stock(template, request(9), -1, &[(SubStock(4), 1)]).await.expect("begun");
    let pending = store.advance(template, &[(SubStock(0), 2)], Duration::ZERO).await.expect("advanced").won[0];
    store.move_rest(template, &[(pending, 0)], &to).await.expect("answered");
    assert_eq!(epochs().await, [(7, 3), (11, 2), (11, 2)], "not while a withdrawal is under way");
}

#[tokio::test]
async fn what_is_left_moves_in_one_step() {
    on_each("move_rest", async |bed: Bed| move_rest(bed.store).await).await;
}
