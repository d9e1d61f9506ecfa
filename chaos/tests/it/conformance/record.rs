//! A primary, through [`RecordStore`] and [`RecordWriter`].

use scrip_protocol::v1::{CouponStatus, StepKind};
use scrip_protocol::{OrderId, RequestId, TemplateId, UserId};
use scrip_proxy::store::pack::{NewPack, PackItems, PackKey, PackRow, PackWriter};
use scrip_proxy::store::steps::{Budget, CouponKey, Hold, NewStep, Spend, Step};
use scrip_proxy::store::{
    CouponRow, Fence, FenceError, ListQuery, NewCoupon, RecordError, RecordStore, RecordWriter, Server, Source,
    StockKey,
};

use scrip_shard_config::SubStock;

use super::model;
use crate::record_store::bed::{Bed, P0, STRIPES, coupon, key, on_each, template};

pub(super) async fn open(store: &impl RecordStore, epoch: u64) {
    store.create_ledger(P0, &[key(1), key(2)], STRIPES).await.expect("ledgers");
    assert_eq!(raise(store, epoch).await, [Fence::Raised { issued: 0 }; 2]);
}

async fn raise(store: &impl RecordStore, epoch: u64) -> Vec<Fence> {
    let server = store.server(P0).await.expect("a server");
    store.raise_fences(P0, &server, &[(key(1), epoch), (key(2), epoch)], STRIPES).await.expect("fences")
}

async fn coupons(store: &impl RecordStore, user: u64) -> Vec<CouponRow> {
    let query = ListQuery { user: coupon(user, 1, 1).user, template: Some(template()), after: None, count_max: 10 };
    store.list(Source::Primary(P0), query).await.expect("listed")
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
        let unused = CouponStatus::Unused;
        assert_eq!(found, [(5, 1, unused), (6, 1, unused), (6, 2, unused)], "what was refused left nothing behind");
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

fn order(id: &str) -> OrderId {
    OrderId::try_new(id).expect("an order id")
}

fn locked(number: u16, by: &str) -> Step {
    let hold = Hold::Locked { order: order(by), until_ms: 9_000 };
    Step { number, kind: StepKind::Locked, order: Some(order(by)), hold, amount_minor: 0, at_ms: 5 }
}

/// Logs: all steps of a batch or none, each number once, the last step is the state.
pub(crate) async fn steps(store: impl RecordStore) {
    open(&store, 3).await;
    let mut writer = store.writer(P0, 0);
    writer.record(&[coupon(5, 1, 3), coupon(6, 2, 3)]).await.expect("recorded");
    let key = |user| CouponKey { user: coupon(user, 1, 3).user, template: template(), seq: 1 };
    let seen_on = writer.connection();
    let new = |user, step| NewStep { key: key(user), step, seen_on };
    assert_eq!(writer.append(&[], &[]).await, Ok(()));
    let longest = "\u{1f39f}".repeat(16);
    let barred = Step { kind: StepKind::Barred, order: Some(order("'; --\\")), ..locked(2, &longest) };
    writer.append(&[new(6, locked(1, &longest)), new(5, locked(1, "a"))], &[]).await.expect("appended");
    assert_eq!(writer.append(&[new(6, barred.clone()), new(5, locked(1, "b"))], &[]).await, Err(RecordError::Conflict));
    let elsewhere = NewStep { seen_on: seen_on + 1, ..new(6, barred.clone()) };
    assert_eq!(writer.append(&[elsewhere], &[]).await, Err(RecordError::Conflict));
    writer.append(&[new(6, barred.clone())], &[]).await.expect("after the refusals");
    let redeemed = Step {
        number: 2,
        kind: StepKind::Redeemed,
        order: Some(order("a")),
        hold: Hold::Used { order: order("a") },
        amount_minor: 1_000_000_000_000_000,
        at_ms: 6,
    };
    writer.append(&[new(5, redeemed.clone())], &[]).await.expect("appended");
    for lock in [false, true] {
        let mut logs = writer.logs(&[key(7), key(6), key(5)], lock).await.expect("read");
        logs.sort_by_key(|log| log.row.user);
        let found: Vec<_> = logs.iter().map(|log| (log.row.user.get(), log.row.status, log.steps.clone())).collect();
        let expect = [
            (5, CouponStatus::Used, vec![locked(1, "a"), redeemed.clone()]),
            (6, CouponStatus::Locked, vec![locked(1, &longest), barred.clone()]),
        ];
        assert_eq!(found, expect, "the coupon of user 7 does not exist");
    }
    let listed: Vec<_> = [5, 6].map(|user| (user, coupons(&store, user))).into_iter().collect();
    for (user, list) in listed {
        let rows: Vec<_> = list.await.iter().map(|row| (row.status, row.locked_until_ms)).collect();
        let expect = if user == 5 { (CouponStatus::Used, 0) } else { (CouponStatus::Locked, 9_000) };
        assert_eq!(rows, [expect]);
        for lock in [false, true] {
            let found = writer.look_up(&[(coupon(user, 1, 3).user, template())], lock).await.expect("found");
            assert_eq!(found.iter().map(|row| row.status).collect::<Vec<_>>(), [expect.0]);
        }
    }
    assert_eq!(store.log(Source::Primary(P0), key(5)).await.expect("read").map(|log| log.steps.len()), Some(2));
    assert_eq!(store.log(Source::Primary(P0), key(7)).await, Ok(None));
}

/// Budgets: spent with the steps or not at all, and never above the grant.
pub(crate) async fn budgets(store: impl RecordStore) {
    open(&store, 3).await;
    let mut writer = store.writer(P0, 0);
    writer.record(&[coupon(5, 1, 3)]).await.expect("recorded");
    let key = CouponKey { user: coupon(5, 1, 3).user, template: template(), seq: 1 };
    let seen_on = writer.connection();
    let other = TemplateId::try_new(u32::MAX).expect("not 0");
    let spend = |template, delta_minor| Spend { template, delta_minor };
    assert_eq!(store.budget(P0, template()).await, Ok(Budget::default()));
    for granted in [100, 40] {
        store.raise_budget(P0, template(), granted).await.expect("raised");
    }
    store.raise_budget(P0, other, 7).await.expect("raised");
    let mut number = 0;
    for (spends, expect, spent) in [
        (vec![spend(template(), 101)], Err(RecordError::Fenced), 0),
        (vec![spend(template(), 100), spend(other, 8)], Err(RecordError::Fenced), 0),
        (vec![spend(other, 7), spend(template(), 90)], Ok(()), 90),
        (vec![spend(template(), 11)], Err(RecordError::Fenced), 90),
        (vec![spend(template(), -60), spend(other, -7)], Ok(()), 30),
        (vec![spend(template(), 70)], Ok(()), 100),
    ] {
        number += u16::from(expect.is_ok());
        let step = NewStep { key, step: locked(number.max(1), "a"), seen_on };
        assert_eq!(writer.append(&[step], &spends).await, expect, "{spends:?}");
        let budget = store.budget(P0, template()).await.expect("read");
        assert_eq!((budget.granted_minor, budget.spent_minor), (100, spent));
    }
    let again = NewStep { key, step: locked(number, "b"), seen_on };
    assert_eq!(writer.append(&[again], &[spend(template(), -50)]).await, Err(RecordError::Conflict));
    assert_eq!(store.budget(P0, template()).await.map(|budget| budget.spent_minor), Ok(100), "undone with its step");
}

/// A pack of template 7 and another one.
fn pack(user: u64, request: u8, epochs: [u64; 2]) -> NewPack {
    let request = RequestId([request; 16]);
    let first = NewCoupon { request, ..coupon(user, 1, epochs[0]) };
    let second = NewCoupon { template: other_key().template, epoch: epochs[1], ..first };
    let items = PackItems::try_new([first, second].map(|coupon| (coupon.template, 1))).expect("items");
    let key = PackKey { user: UserId(user), request };
    NewPack { row: PackRow { key, items }, claimed_at_ms: 5, coupons: vec![second, first] }
}

fn other_key() -> StockKey {
    StockKey { template: TemplateId::try_new(8).expect("not 0"), sub_stock: SubStock(1) }
}

/// Packs: all of their coupons and their row, or nothing; one pack a request.
pub(crate) async fn packs(store: impl RecordStore) {
    open(&store, 3).await;
    store.create_ledger(P0, &[other_key()], STRIPES).await.expect("ledgers");
    let server = store.server(P0).await.expect("a server");
    let fence = async |epoch| store.raise_fences(P0, &server, &[(other_key(), epoch)], STRIPES).await.expect("raised");
    fence(5).await;
    let mut writer = store.writer(P0, 0);
    writer.connect().await.expect("connected");
    assert_eq!(writer.record_packs(&[]).await, Ok(()));
    assert_eq!(writer.packs(&[], false).await, Ok(Vec::new()));
    let all = async |user: u64| {
        let query = ListQuery { user: UserId(user), template: None, after: None, count_max: 10 };
        let rows = store.list(Source::Primary(P0), query).await.expect("listed");
        rows.iter().map(|row| (row.template.get(), row.seq)).collect::<Vec<_>>()
    };

    for wrong in [vec![pack(1, 1, [3, 4])], vec![pack(1, 1, [2, 5])], vec![pack(2, 2, [3, 5]), pack(1, 1, [3, 4])]] {
        assert_eq!(writer.record_packs(&wrong).await, Err(RecordError::Fenced), "{wrong:?}");
        assert_eq!((all(1).await, all(2).await), (vec![], vec![]), "one unit of an old epoch keeps all of them back");
    }
    let (one, two) = (pack(1, 1, [3, 5]), pack(2, 2, [3, 5]));
    writer.record_packs(&[two.clone(), one.clone()]).await.expect("recorded");
    for user in [1, 2] {
        assert_eq!(all(user).await, [(7, 1), (8, 1)]);
    }
    for lock in [false, true] {
        let stranger = PackKey { user: UserId(1), request: RequestId([2; 16]) };
        let mut found = writer.packs(&[two.row.key, stranger, one.row.key], lock).await.expect("read");
        found.sort_by_key(|row| row.key);
        assert_eq!(found, [one.row.clone(), two.row.clone()]);
    }

    // The same request again, its coupons numbered on: the row of the pack stands in the way.
    let seen_on = writer.connection();
    let next = |pack: NewPack| {
        let coupons = pack.coupons.iter().map(|coupon| NewCoupon { seq: 2, seen_on, ..*coupon }).collect();
        NewPack { coupons, ..pack }
    };
    assert_eq!(writer.record_packs(&[next(one.clone())]).await, Err(RecordError::Conflict));
    // Another request whose coupons exist, and one that was numbered on another connection.
    assert_eq!(writer.record_packs(&[pack(3, 3, [3, 5]), pack(1, 4, [3, 5])]).await, Err(RecordError::Conflict));
    let mut elsewhere = next(pack(1, 4, [3, 5]));
    elsewhere.coupons.iter_mut().for_each(|coupon| coupon.seen_on = seen_on + 1);
    assert_eq!(writer.record_packs(&[elsewhere]).await, Err(RecordError::Conflict));
    assert_eq!((all(1).await, all(3).await), (vec![(7, 1), (8, 1)], vec![]), "what was refused left nothing behind");
    writer.record_packs(&[next(pack(1, 4, [3, 5]))]).await.expect("the next pack of the user");
    assert_eq!(writer.packs(&[pack(3, 3, [3, 5]).row.key], true).await, Ok(Vec::new()));

    assert_eq!(fence(6).await, [Fence::Raised { issued: 3 }]);
    assert_eq!(raise(&store, 4).await, [Fence::Raised { issued: 3 }, Fence::Raised { issued: 0 }]);
}

#[tokio::test]
async fn primaries_record_packs_whole() {
    on_each("conforming_packs", async |bed: Bed| packs(bed.store).await).await;
}

#[tokio::test]
async fn primaries_record_and_count() {
    on_each("conforming_records", async |bed: Bed| records(bed.store).await).await;
}

#[tokio::test]
async fn primaries_check_every_fence() {
    on_each("conforming_fences", async |bed: Bed| fences(bed.store).await).await;
}

#[tokio::test]
async fn primaries_keep_logs() {
    on_each("conforming_steps", async |bed: Bed| steps(bed.store).await).await;
}

#[tokio::test]
async fn primaries_keep_to_budgets() {
    on_each("conforming_budgets", async |bed: Bed| budgets(bed.store).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_of_a_primary_does_the_same() {
    records(model()).await;
    fences(model()).await;
    steps(model()).await;
    budgets(model()).await;
    packs(model()).await;
}
