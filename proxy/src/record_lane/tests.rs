//! The limit a day around midnight, on a primary that a test plays.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message;
use scrip_protocol::v1::{Response, TemplateDefinition, TemplateStatus};
use scrip_protocol::{RequestId, TemplateId, UserId, frame};
use scrip_shard_config::{Address, Local, StockSpec, SubStock, Topology, local};

use super::*;
use crate::claim::{Attempt, Unit};
use crate::clock::Clock;
use crate::coupon_id::{self, CouponIds};
use crate::flow::FlowLimits;
use crate::outbox::Outbox;
use crate::store::steps::{CouponKey, CouponLog, NewStep, Spend};
use crate::store::{StockKey, StoreError, TemplateRecord};
use crate::template::Template;

/// 2026-01-01 00:00 UTC.
const MIDNIGHT: u64 = 1_767_225_600_000;
const USER: UserId = UserId(4_711);

/// The primary, and the clock.
#[derive(Debug, Default)]
struct Played {
    now_ms: AtomicU64,
    rows: Mutex<Vec<CouponRow>>,
    /// How the next records of new coupons end, the last one first; each takes a millisecond.
    fails: Mutex<Vec<RecordError>>,
}

#[derive(Debug, Clone)]
struct Writer(Arc<Played>);

impl RecordWriter for Writer {
    async fn connect(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn connection(&self) -> u64 {
        1
    }

    async fn record(&mut self, batch: &[NewCoupon]) -> Result<(), RecordError> {
        let mut rows = self.0.rows.lock().expect("not poisoned");
        if batch.iter().any(|new| rows.iter().any(|row| row.seq == new.seq)) {
            return Err(RecordError::Conflict);
        }
        if let Some(error) = self.0.fails.lock().expect("not poisoned").pop() {
            self.0.now_ms.fetch_add(1, Ordering::Relaxed);
            return Err(error);
        }
        rows.extend(batch.iter().map(stored));
        Ok(())
    }

    async fn look_up(&mut self, _: &[(UserId, TemplateId)], _: bool) -> Result<Vec<CouponRow>, StoreError> {
        Ok(self.0.rows.lock().expect("not poisoned").clone())
    }

    async fn logs(&mut self, _: &[CouponKey], _: bool) -> Result<Vec<CouponLog>, StoreError> {
        Ok(Vec::new())
    }

    async fn append(&mut self, _: &[NewStep], _: &[Spend]) -> Result<(), RecordError> {
        Err(RecordError::Refused("no logs are played".to_owned()))
    }

    async fn epochs(&mut self, keys: &[StockKey]) -> Result<Vec<Option<u64>>, StoreError> {
        Ok(vec![Some(1); keys.len()])
    }
}

fn topology() -> Arc<Topology> {
    let address = |port| Address::Tcp { host: "127.0.0.1".to_owned(), port };
    let text = local(&Local {
        version: 1,
        primaries: vec![address(1)],
        shards: vec![address(2)],
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    });
    Arc::new(Topology::parse_without_secrets(&text).expect("good"))
}

fn template() -> TemplateRecord {
    let definition = TemplateDefinition { per_user_limit: 9, per_user_daily_limit: 1, ..TemplateDefinition::default() };
    TemplateRecord {
        template: TemplateId::try_new(7).expect("not 0"),
        definition,
        status: TemplateStatus::Published,
        total_stock: 100,
        sold_out: false,
        created_at_ms: 0,
        revision: 1,
        sub_stocks: vec![SubStock(0)],
        stripes: 1,
    }
}

/// A lane whose primary holds one coupon of each of these times.
struct Stage {
    played: Arc<Played>,
    lane: RecordLane<Writer>,
    template: Arc<Template>,
    outbox: Arc<Outbox>,
}

impl Stage {
    fn new(now_ms: u64, claimed_ms: &[u64], recent_max: usize) -> Self {
        let row = |(index, at_ms): (usize, &u64)| {
            let request = RequestId([index as u8 + 1; 16]);
            CouponRow::new(USER, template().template, index as u16 + 1, request, *at_ms)
        };
        let rows = Mutex::new(claimed_ms.iter().enumerate().map(row).collect());
        let played = Arc::new(Played { now_ms: now_ms.into(), rows, ..Played::default() });
        let (topology, clock) = (topology(), Arc::clone(&played));
        let limits = FlowLimits { stock_queue_max: 9, record_queue_max: 9, parked_max: 9, lanes_per_primary: 1 };
        let clock = Clock::new(move || clock.now_ms.load(Ordering::Relaxed));
        let ids = CouponIds::new(&coupon_id::CouponKey::new([7; 16]));
        let (flow, _) = Flow::new(Arc::clone(&topology), limits, clock, ids, 1);
        let flow = Arc::new(flow);
        flow.templates.apply(vec![template()]);
        let template = flow.templates.get(template().template).expect("applied");
        let outbox = Outbox::new(Arc::clone(&flow.meter), Arc::default());
        let health = Arc::new(Health::new("test", &topology));
        let sizes = Sizes { rows_max: 9, recent_max };
        let lane = RecordLane::new(flow, Writer(Arc::clone(&played)), 0, 0, sizes, health);
        Self { played, lane, template, outbox }
    }

    /// One claim of this request, with a unit in hand; what became of it.
    async fn claim(&mut self, request: u8) -> Code {
        let now = Instant::now();
        let (ticket, request) = (self.outbox.ticket(1, now), RequestId([request; 16]));
        let deadline = now + Duration::from_secs(60);
        let template = Arc::clone(&self.template);
        let mut task = ClaimTask::new(ticket, USER, request, template, Attempt::First, deadline, 0);
        let key = self.template.slots[0].key;
        task.unit = Some(Unit { slot: 0, key, epoch: 1, burned: false });
        self.lane.front.group.push(task);
        while self.lane.serve().await.is_err() {}
        let mut buffer = self.outbox.take();
        let answer = frame::take(&mut buffer, frame::FRAME_LEN_MAX).expect("a frame").expect("an answer");
        Response::decode(answer).expect("a response").code()
    }

    fn claimed_ms(&self) -> Vec<u64> {
        self.played.rows.lock().expect("not poisoned").iter().map(|row| row.claimed_at_ms).collect()
    }
}

#[tokio::test]
async fn yesterday_does_not_count() {
    let mut stage = Stage::new(MIDNIGHT, &[MIDNIGHT - 1], 100);
    assert_eq!(stage.claim(9).await, Code::Ok);
    assert_eq!(stage.claim(10).await, Code::DailyLimitReached);
    assert_eq!(stage.claimed_ms(), [MIDNIGHT - 1, MIDNIGHT]);
}

#[tokio::test]
async fn a_replay_is_answered_on_a_full_day() {
    let mut stage = Stage::new(MIDNIGHT, &[MIDNIGHT], 100);
    assert_eq!(stage.claim(1).await, Code::Ok);
    assert_eq!(stage.claim(9).await, Code::DailyLimitReached);
    assert_eq!(stage.claim(1).await, Code::Ok);
    assert_eq!(stage.claimed_ms(), [MIDNIGHT]);
}

/// With memory and without: what is remembered of a user has no times, and must not stand in for them.
#[tokio::test]
async fn memory_changes_nothing() {
    for recent_max in [0, 100] {
        let mut stage = Stage::new(MIDNIGHT - 1, &[], recent_max);
        assert_eq!(stage.claim(9).await, Code::Ok);
        assert_eq!(stage.claim(10).await, Code::DailyLimitReached);
        stage.played.now_ms.store(MIDNIGHT, Ordering::Relaxed);
        assert_eq!(stage.claim(10).await, Code::Ok);
        assert_eq!(stage.claim(11).await, Code::DailyLimitReached);
        assert_eq!(stage.claimed_ms(), [MIDNIGHT - 1, MIDNIGHT]);
    }
}

/// Another proxy's clock is ahead: its coupon counts in the day that has not begun here. Ours was looked up before
/// midnight and would be recorded after it.
#[tokio::test]
async fn midnight_between_look_up_and_record() {
    let check = async |now_ms, fails: &[RecordError], code, claimed_ms: &[u64]| {
        let mut stage = Stage::new(now_ms, &[MIDNIGHT + 5], 0);
        stage.played.fails.lock().expect("not poisoned").extend_from_slice(fails);
        assert_eq!(stage.claim(9).await, code, "at {now_ms}");
        assert_eq!(stage.claimed_ms(), claimed_ms);
    };
    check(MIDNIGHT - 2, &[], Code::Ok, &[MIDNIGHT + 5, MIDNIGHT - 2]).await;
    check(MIDNIGHT, &[], Code::DailyLimitReached, &[MIDNIGHT + 5]).await;
    // Each failed record takes a moment: the look-up was before midnight, and the second try is after it.
    let again = RecordError::RolledBack("a deadlock".to_owned());
    check(MIDNIGHT - 1, &[again], Code::DailyLimitReached, &[MIDNIGHT + 5]).await;
}

/// A record of unknown outcome may still arrive at the primary: it is not told that it was not applied.
#[tokio::test]
async fn a_refusal_after_an_unknown_outcome_is_unknown() {
    let mut stage = Stage::new(MIDNIGHT - 1, &[MIDNIGHT + 5], 0);
    stage.played.fails.lock().expect("not poisoned").push(RecordError::Unknown("lost".to_owned()));
    assert_eq!(stage.claim(9).await, Code::OutcomeUnknown);
    assert_eq!(stage.claimed_ms(), [MIDNIGHT + 5]);
}
