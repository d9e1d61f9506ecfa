//! What becomes of the units of a pack, whatever becomes of its transaction: on a primary that a test plays.

use std::collections::VecDeque;
use std::sync::Mutex;

use scrip_protocol::UserId;

use super::*;
use crate::admin::Health;
use crate::clock::Clock;
use crate::coupon_id::{CouponIds, CouponKey};
use crate::flow::FlowLimits;
use crate::pack::lane::PackLane;
use crate::pack::plan::tests::{pack, topology};
use crate::store::mysql::{MysqlLimits, MysqlStore};
use crate::store::pack::{NewPack, PackItems, PackKey, PackRow, PackWriter};
use crate::store::steps::{self, CouponLog, NewStep, Spend};
use crate::store::{NewCoupon, RecordError, RecordWriter, StockKey, StoreError};

/// How one attempt to record ends, and which pack of the request is there afterwards.
type Scene = (RecordError, Option<PackItems>);

/// Whether it was there before; `None`: it is to begin again.
type Ending = Result<Option<bool>, Code>;

/// The primary. After its scenes every attempt succeeds.
#[derive(Debug, Default)]
struct Played {
    scenes: Mutex<VecDeque<Scene>>,
    packs: Mutex<Vec<PackRow>>,
    coupons: Mutex<Vec<CouponRow>>,
}

#[derive(Debug)]
struct Writer(Arc<Played>);

impl RecordWriter for Writer {
    async fn connect(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn connection(&self) -> u64 {
        1
    }

    async fn record(&mut self, _: &[NewCoupon]) -> Result<(), RecordError> {
        Err(RecordError::Refused("no claims are played".to_owned()))
    }

    async fn look_up(&mut self, _: &[(UserId, TemplateId)], _: bool) -> Result<Vec<CouponRow>, StoreError> {
        Ok(self.0.coupons.lock().expect("not poisoned").clone())
    }

    async fn logs(&mut self, _: &[steps::CouponKey], _: bool) -> Result<Vec<CouponLog>, StoreError> {
        Ok(Vec::new())
    }

    async fn append(&mut self, _: &[NewStep], _: &[Spend]) -> Result<(), RecordError> {
        Err(RecordError::Refused("no logs are played".to_owned()))
    }

    /// The fence of template 9 is above the units.
    async fn epochs(&mut self, keys: &[StockKey]) -> Result<Vec<Option<u64>>, StoreError> {
        Ok(keys.iter().map(|key| Some(if key.template.get() == 9 { 2 } else { 1 })).collect())
    }
}

impl PackWriter for Writer {
    async fn record_packs(&mut self, packs: &[NewPack]) -> Result<(), RecordError> {
        let Some((error, there)) = self.0.scenes.lock().expect("not poisoned").pop_front() else { return Ok(()) };
        if let Some(items) = there {
            let NewPack { row, coupons, .. } = &packs[0];
            if items == row.items {
                let row = |new: &NewCoupon| CouponRow::new(new.user, new.template, new.seq, new.request, 0);
                self.0.coupons.lock().expect("not poisoned").extend(coupons.iter().map(row));
            }
            self.0.packs.lock().expect("not poisoned").push(PackRow { key: row.key, items });
        }
        Err(error)
    }

    async fn packs(&mut self, _: &[PackKey], _: bool) -> Result<Vec<PackRow>, StoreError> {
        Ok(self.0.packs.lock().expect("not poisoned").clone())
    }
}

/// A pack with two units of template 9 and one of template 7. `released`: the templates of the units that were given back.
async fn check(scenes: &[Scene], expect: Ending, released: &[u32]) {
    let (topology, played) = (topology(), Arc::new(Played::default()));
    played.scenes.lock().expect("not poisoned").extend(scenes.iter().cloned());
    let limits = FlowLimits { stock_queue_max: 9, record_queue_max: 9, parked_max: 9, lanes_per_primary: 1 };
    let ids = CouponIds::new(&CouponKey::new([7; 16]));
    let (flow, _errands) = Flow::new(Arc::clone(&topology), limits, Clock::new(|| 1_000), ids, 1);
    let (flow, health) = (Arc::new(flow), Arc::new(Health::new("test", &topology)));
    let pack = Arc::new(pack(&flow.templates));
    let (tasks, _running) = Tasks::on_tokio();
    tasks.spawn(PackLane::new(Arc::clone(&flow), Writer(played), 0, 0, 9, health).run());
    let meta = MysqlStore::try_new(&topology, MysqlLimits::default()).expect("a store that nobody asks");
    let desk = Desk::new(Arc::clone(&flow), meta, tasks);

    let unit = |item: &Item| Unit { slot: 0, key: item.template.slots[0].key, epoch: 1, burned: false };
    let units = pack.items.iter().map(|item| vec![unit(item); item.count.into()]).collect();
    let ended = desk.record(&pack, units, Instant::now() + Duration::from_secs(60)).await;
    let ended = ended.map(|done| done.map(|done| done.replayed)).map_err(|stop| stop.code);
    let mut given: Vec<u32> = flow.stock[0].releases.lock().iter().map(|one| one.key.template.get()).collect();
    given.sort_unstable();
    assert_eq!((ended, &given[..]), (expect, released), "{scenes:?}");
}

fn items(items: &[(u32, u8)]) -> Option<PackItems> {
    let items = items.iter().map(|&(id, count)| (TemplateId::try_new(id).expect("not 0"), count));
    Some(PackItems::try_new(items).expect("items"))
}

const ALL: &[u32] = &[7, 9, 9];

#[tokio::test]
async fn units_that_are_known_not_to_be_recorded_are_given_back_once() {
    let (same, other) = (items(&[(7, 1), (9, 2)]), items(&[(8, 1)]));
    let text = String::new;
    check(&[], Ok(Some(false)), &[]).await;
    check(&[(RecordError::RolledBack(text()), None)], Ok(Some(false)), &[]).await;
    check(&[(RecordError::Conflict, same)], Ok(Some(true)), ALL).await;
    check(&[(RecordError::Conflict, other)], Err(Code::RequestIdReused), ALL).await;
    check(&[(RecordError::Refused(text()), None)], Err(Code::StoreRefused), ALL).await;
    check(&[(RecordError::Unreachable(text()), None)], Err(Code::PrimaryUnavailable), ALL).await;
    // Those of the old epoch are forgotten.
    check(&[(RecordError::Fenced, None)], Ok(None), &[7]).await;
}

#[tokio::test]
async fn units_of_a_transaction_of_unknown_outcome_are_never_given_back() {
    let (same, other) = (items(&[(7, 1), (9, 2)]), items(&[(8, 1)]));
    let unknown = |there| (RecordError::Unknown("lost".to_owned()), there);
    let refused = (RecordError::Refused("full".to_owned()), None);
    check(&[unknown(None)], Ok(Some(false)), &[]).await;
    check(&[unknown(same.clone())], Ok(Some(false)), &[]).await;
    check(&[unknown(other)], Err(Code::RequestIdReused), &[]).await;
    check(&[unknown(None), (RecordError::Conflict, same)], Ok(Some(false)), &[]).await;
    check(&[unknown(None), (RecordError::Fenced, None)], Ok(None), &[]).await;
    check(&[unknown(None), refused], Err(Code::OutcomeUnknown), &[]).await;
}
