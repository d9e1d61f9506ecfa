//! Templates.

use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_protocol::{RequestId, TemplateId};
use scrip_proxy::store::{Layout, MetaError, MetaStore, RecordStore, Source, TemplateRecord};
use scrip_shard_config::{PrimaryId, SubStock};

use crate::record_store::bed::{Bed, on_each};

const META: Source = Source::Primary(PrimaryId(0));

pub(super) fn definition(total_stock: u64) -> TemplateDefinition {
    TemplateDefinition { name: "ten off".to_owned(), total_stock, per_user_limit: 1, ..Default::default() }
}

pub(super) fn layout(_: TemplateId) -> Layout {
    Layout { sub_stocks: vec![SubStock(4), SubStock(0), SubStock(9)], stripes: 2 }
}

pub(crate) async fn created(store: &impl MetaStore, id: u8, total_stock: u64) -> TemplateRecord {
    store.create_template(RequestId([id; 16]), &definition(total_stock), &layout, 77).await.expect("created")
}

pub(crate) async fn create(store: impl MetaStore + RecordStore) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move { created(&store, 1, 10).await });
    }
    let all = tasks.join_all().await;
    assert!(all.iter().all(|template| *template == all[0]), "{all:?}");
    assert_eq!(store.templates(META, None, None, 10).await, Ok(vec![all[0].clone()]));
    assert_eq!(store.template(all[0].template).await.as_ref(), Ok(&all[0]));
    let other = store.create_template(RequestId([1; 16]), &definition(11), &layout, 77).await;
    assert_eq!(other, Err(MetaError::RequestIdReused));
    let sub_stocks = store.sub_stocks(all[0].template).await.expect("sub-stocks");
    let spread: Vec<_> = sub_stocks.iter().map(|s| (s.key.sub_stock.0, s.allotment, s.epoch)).collect();
    assert_eq!(spread, [(0, 3, 0), (4, 4, 0), (9, 3, 0)], "the first of the layout takes what does not divide");
}

#[tokio::test]
async fn a_request_creates_one_template() {
    on_each("create", async |bed: Bed| create(bed.store).await).await;
}

pub(crate) async fn status(store: impl MetaStore + RecordStore) {
    use TemplateStatus::{Closed, Draft, Paused, Published};
    let (one, two) = (created(&store, 1, 10).await.template, created(&store, 2, 10).await.template);
    let published = store.set_status(one, &[Draft], Published).await.expect("published");
    assert_eq!(store.set_status(one, &[Draft], Published).await, Ok(published.clone()), "again");
    assert_eq!(store.set_status(two, &[Published], Paused).await, Err(MetaError::Status(Draft)));
    let ghost = TemplateId::try_new(99).expect("not zero");
    assert_eq!(store.set_status(ghost, &[Draft], Closed).await, Err(MetaError::TemplateNotFound));
    assert_eq!(store.sub_stocks(ghost).await, Err(MetaError::TemplateNotFound));
    assert_eq!(store.templates(META, None, Some(Published), 10).await, Ok(vec![published.clone()]));
    assert_eq!(store.templates(META, Some(one), None, 10).await.map(|all| all.len()), Ok(1));
    assert_eq!(store.templates_changed(2, 10).await, Ok(vec![published]));
}

#[tokio::test]
async fn the_status_moves_as_told_and_lists_follow() {
    on_each("status", async |bed: Bed| status(bed.store).await).await;
}
