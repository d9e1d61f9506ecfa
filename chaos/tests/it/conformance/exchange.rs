//! Exchange codes, through [`ExchangeStore`].

use scrip_protocol::v1::CodeBatchStatus;
use scrip_protocol::{CodeBatchId, RequestId, TemplateId, UserId};
use scrip_proxy::exchange::code::CodeKey;
use scrip_proxy::store::MetaStore;
use scrip_proxy::store::exchange::{BatchRecord, ExchangeError, ExchangeStore, NewBatch, NewUse};

use super::model;
use crate::meta_store::template::created;
use crate::record_store::bed::{Bed, P0, on_each};

async fn new_batch(store: &(impl ExchangeStore + MetaStore)) -> BatchRecord {
    let template = created(store, 1, 10).await.template;
    let new = NewBatch { request: RequestId([5; 16]), template, count: 4, uses: 2 };
    store.create_batch(&new, 77).await.expect("created")
}

/// Batches: one for a request, open until it is revoked.
pub(crate) async fn batches(store: impl ExchangeStore + MetaStore) {
    let batch = new_batch(&store).await;
    assert_eq!((batch.status, batch.created_at_ms), (CodeBatchStatus::Open, 77));
    assert_eq!(store.create_batch(&batch.new, 78).await.as_ref(), Ok(&batch));
    let other = NewBatch { uses: 3, ..batch.new };
    assert_eq!(store.create_batch(&other, 77).await, Err(ExchangeError::RequestIdReused));
    let ghost = TemplateId::try_new(99).expect("not 0");
    let of_none = NewBatch { request: RequestId([6; 16]), template: ghost, ..batch.new };
    assert_eq!(store.create_batch(&of_none, 77).await, Err(ExchangeError::TemplateNotFound));
    let none = CodeBatchId::try_new(9_999).expect("not 0");
    assert_eq!(store.batch(none).await, Err(ExchangeError::NotFound));
    assert_eq!(store.revoke_batch(none).await, Err(ExchangeError::NotFound));
    assert_eq!(store.batch(batch.batch).await.as_ref(), Ok(&batch));
    assert_eq!(store.batches(0, 10).await, Ok(vec![batch]));
    assert_eq!(store.batches(batch.batch.get(), 10).await, Ok(Vec::new()));
    for _ in 0..2 {
        assert_eq!(store.revoke_batch(batch.batch).await.map(|batch| batch.status), Ok(CodeBatchStatus::Revoked));
    }
}

/// Uses: numbered from 1, one for a user, no more than there are.
pub(crate) async fn uses(store: impl ExchangeStore + MetaStore) {
    let batch = new_batch(&store).await.batch;
    let (code, other) = (CodeKey { batch, index: 0 }, CodeKey { batch, index: 1 });
    let take = async |code, user| {
        let new = NewUse { code, user: UserId(user), uses: 2, now_ms: 5 };
        store.take_use(P0, &new).await.expect("asked")
    };
    let use_of = async |code, user| store.use_of(P0, code, UserId(user)).await.expect("read");
    assert_eq!((use_of(code, 7).await, store.used(P0, code).await), (None, Ok(0)));
    assert!(take(code, 7).await);
    assert!(!take(code, 7).await, "a user has one use");
    assert!(take(code, 8).await && !take(code, 9).await, "and the code two");
    assert!(take(other, 9).await, "another code has its own");
    assert_eq!([use_of(code, 7).await, use_of(code, 8).await, use_of(code, 9).await], [Some(1), Some(2), None]);
    assert_eq!(
        (use_of(other, 9).await, store.used(P0, code).await, store.used(P0, other).await),
        (Some(1), Ok(2), Ok(1))
    );
}

/// Many at once: as many as there are uses have one, and every number is one user's.
pub(crate) async fn races(store: impl ExchangeStore + MetaStore) {
    const USES: u32 = 5;
    let code = CodeKey { batch: new_batch(&store).await.batch, index: 0 };
    let mut racers = tokio::task::JoinSet::new();
    for user in 0..40 {
        let store = store.clone();
        racers.spawn(async move {
            let new = NewUse { code, user: UserId(user), uses: USES, now_ms: 5 };
            while !store.take_use(P0, &new).await.expect("asked") {
                if store.used(P0, code).await.expect("read") >= USES {
                    return None;
                }
            }
            store.use_of(P0, code, UserId(user)).await.expect("read")
        });
    }
    let mut numbers: Vec<u32> = racers.join_all().await.into_iter().flatten().collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=USES), "{numbers:?}");
}

#[tokio::test]
async fn batches_are_created_once() {
    on_each("conforming_batches", async |bed: Bed| batches(bed.store).await).await;
}

#[tokio::test]
async fn a_code_has_its_uses_and_no_more() {
    on_each("conforming_uses", async |bed: Bed| uses(bed.store).await).await;
    on_each("conforming_use_races", async |bed: Bed| races(bed.store).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_of_codes_does_the_same() {
    batches(model()).await;
    uses(model()).await;
    races(model()).await;
}
