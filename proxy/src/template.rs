//! Templates as the pipeline uses them: a snapshot in memory, replaced whole when a template changes.

mod day;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use scrip_protocol::TemplateId;
use scrip_protocol::v1::template_definition::Validity;
use scrip_protocol::v1::{Code, TemplateStatus};
use scrip_shard_config::{ShardId, Topology, stock_key};

use crate::claim::ClaimTask;
use crate::store::{StockKey, TemplateRecord};

/// Whether claims may be sent to a sub-stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SlotState {
    /// Yes.
    Open = 0,
    /// It gave all that it had.
    Empty = 1,
    /// Its key is missing or of another run, or it was fenced: a settle is due.
    Due = 2,
}

/// Why a settle is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its key is missing or of another run, or a settle was left behind: nobody can serve it.
    Stale,
    /// A unit of this epoch was fenced. If the epoch has moved on since, another settle is at it or done.
    Fenced {
        /// The epoch of the unit.
        epoch: u64,
    },
}

/// One sub-stock of a template, and where it lives.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    /// The sub-stock.
    pub key: StockKey,
    /// Index of the shard that the ring gives its key to.
    pub shard: usize,
}

/// What outlives a refresh of the template.
#[derive(Debug)]
pub struct Live {
    states: Vec<AtomicU8>,
    /// Of slots that are due: the epoch that was fenced, or [`STALE`].
    fenced: Vec<AtomicU64>,
    /// Settles of *empty* since a coupon was last recorded.
    settled_in_vain: AtomicU32,
    /// Claims that wait for a settle.
    pub parked: Mutex<Vec<ClaimTask>>,
}

/// A template, its sub-stocks and their state.
#[derive(Debug)]
pub struct Template {
    /// As it stands in meta.
    pub record: TemplateRecord,
    /// Its sub-stocks.
    pub slots: Vec<Slot>,
    /// What outlives a refresh.
    pub live: Arc<Live>,
}

impl Template {
    fn new(record: TemplateRecord, topology: &Topology, live: Option<Arc<Live>>) -> Self {
        let slots: Vec<Slot> = record.sub_stocks.iter().map(|&sub_stock| slot(&record, sub_stock, topology)).collect();
        let live = live.filter(|live| live.states.len() == slots.len()).unwrap_or_else(|| Arc::new(Live::new(&slots)));
        Self { record, slots, live }
    }

    /// Why a claim of now is refused, as far as the template decides it.
    pub fn refusal(&self, now_ms: u64) -> Option<Code> {
        let definition = &self.record.definition;
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        match self.record.status {
            TemplateStatus::Unspecified | TemplateStatus::Draft => return Some(Code::TemplateNotPublished),
            TemplateStatus::Paused => return Some(Code::TemplatePaused),
            TemplateStatus::Closed => return Some(Code::TemplateClosed),
            TemplateStatus::Published => {}
        }
        if definition.claim_start_ms != 0 && now_ms < definition.claim_start_ms {
            return Some(Code::ClaimNotStarted);
        }
        if definition.claim_end_ms != 0 && now_ms >= definition.claim_end_ms {
            return Some(Code::ClaimEnded);
        }
        self.record.sold_out.then_some(Code::SoldOut)
    }

    /// From when to when a coupon claimed then can be used, in milliseconds since 1970-01-01 UTC.
    pub fn validity_ms(&self, claimed_at_ms: u64) -> (i64, i64) {
        validity_ms(self.record.definition.validity.as_ref(), claimed_at_ms)
    }

    /// Its coupons take off no more than a budget in all.
    pub fn has_budget(&self) -> bool {
        self.record.definition.budget_minor > 0
    }

    /// The limit per user.
    pub fn per_user_limit(&self) -> u16 {
        u16::try_from(self.record.definition.per_user_limit).unwrap_or(u16::MAX)
    }
}

/// From when to when a coupon claimed then can be used, in milliseconds since 1970-01-01 UTC.
pub fn validity_ms(validity: Option<&Validity>, claimed_at_ms: u64) -> (i64, i64) {
    let claimed_at_ms = i64::try_from(claimed_at_ms).unwrap_or(i64::MAX);
    let after = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
    match validity {
        None => (claimed_at_ms, i64::MAX),
        Some(Validity::Fixed(fixed)) => (fixed.from_ms, fixed.until_ms),
        Some(Validity::Relative(relative)) => {
            let from_ms = claimed_at_ms.saturating_add(after(relative.starts_after_s));
            (from_ms, from_ms.saturating_add(after(relative.lasts_s)))
        }
    }
}

fn slot(record: &TemplateRecord, sub_stock: scrip_shard_config::SubStock, topology: &Topology) -> Slot {
    let shard = topology.shard_of_key(&stock_key(record.template.get(), sub_stock));
    Slot { key: StockKey { template: record.template, sub_stock }, shard: shard_index(topology, shard) }
}

/// The index of a shard in the topology's list.
pub fn shard_index(topology: &Topology, shard: ShardId) -> usize {
    topology.shards.iter().position(|other| other.id == shard).unwrap_or_default()
}

/// Above every epoch.
const STALE: u64 = u64::MAX;

impl Live {
    fn new(slots: &[Slot]) -> Self {
        Self {
            states: slots.iter().map(|_| AtomicU8::new(SlotState::Open as u8)).collect(),
            fenced: slots.iter().map(|_| AtomicU64::new(0)).collect(),
            settled_in_vain: AtomicU32::new(0),
            parked: Mutex::default(),
        }
    }

    /// A settle of the slot is due; returns the state before.
    pub fn set_due(&self, slot: usize, due: Due) -> SlotState {
        match due {
            Due::Stale => self.fenced[slot].store(STALE, Ordering::Relaxed),
            Due::Fenced { epoch } => drop(self.fenced[slot].fetch_max(epoch, Ordering::Relaxed)),
        }
        self.set(slot, SlotState::Due)
    }

    /// Why a settle of the slot is due.
    pub fn due(&self, slot: usize) -> Due {
        match self.fenced[slot].load(Ordering::Relaxed) {
            STALE => Due::Stale,
            epoch => Due::Fenced { epoch },
        }
    }

    /// A coupon was recorded: the units in flight had their time.
    pub fn settled_well(&self) {
        if self.settled_in_vain.load(Ordering::Relaxed) > 0 {
            self.settled_in_vain.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a settle of *empty*; returns how many there were since a coupon was last recorded.
    pub fn settled_in_vain(&self) -> u32 {
        self.settled_in_vain.fetch_add(1, Ordering::Relaxed)
    }

    /// The state of a slot.
    pub fn state(&self, slot: usize) -> SlotState {
        match self.states[slot].load(Ordering::Relaxed) {
            0 => SlotState::Open,
            1 => SlotState::Empty,
            _ => SlotState::Due,
        }
    }

    /// Sets the state of a slot; returns the one before.
    pub fn set(&self, slot: usize, state: SlotState) -> SlotState {
        if state != SlotState::Due {
            self.fenced[slot].store(0, Ordering::Relaxed);
        }
        match self.states[slot].swap(state as u8, Ordering::Relaxed) {
            0 => SlotState::Open,
            1 => SlotState::Empty,
            _ => SlotState::Due,
        }
    }

    /// The slots in this state.
    pub fn slots_in(&self, state: SlotState) -> Vec<usize> {
        (0..self.states.len()).filter(|&slot| self.state(slot) == state).collect()
    }

    /// Claims may try every slot again.
    pub fn open_all(&self) {
        for state in &self.states {
            state.store(SlotState::Open as u8, Ordering::Relaxed);
        }
    }
}

/// All templates that this proxy knows.
#[derive(Debug)]
pub struct Templates {
    topology: Arc<Topology>,
    snapshot: ArcSwap<FxHashMap<u32, Arc<Template>>>,
    writing: Mutex<()>,
}

impl Templates {
    /// None yet.
    pub fn new(topology: Arc<Topology>) -> Self {
        Self { topology, snapshot: ArcSwap::default(), writing: Mutex::new(()) }
    }

    /// A template, if it is known.
    pub fn get(&self, template: TemplateId) -> Option<Arc<Template>> {
        self.snapshot.load().get(&template.get()).cloned()
    }

    /// Takes over records that are newer than what is known. A change opens every sub-stock for another try.
    pub fn apply(&self, records: Vec<TemplateRecord>) {
        if records.is_empty() {
            return;
        }
        let _writing = self.writing.lock();
        let mut next = FxHashMap::clone(&self.snapshot.load());
        for record in records {
            let known = next.get(&record.template.get());
            if known.is_some_and(|known| known.record.revision >= record.revision) {
                continue;
            }
            let live = known.map(|known| Arc::clone(&known.live));
            let template = Template::new(record, &self.topology, live);
            template.live.open_all();
            next.insert(template.record.template.get(), Arc::new(template));
        }
        self.snapshot.store(Arc::new(next));
    }

    /// Those of a status, by id.
    pub fn of_status(&self, status: TemplateStatus) -> Vec<TemplateId> {
        let snapshot = self.snapshot.load();
        let records = snapshot.values().map(|template| &template.record);
        let mut ids: Vec<_> = records.filter(|record| record.status == status).map(|record| record.template).collect();
        ids.sort_unstable();
        ids
    }

    /// How many are known.
    pub fn count(&self) -> usize {
        self.snapshot.load().len()
    }
}
