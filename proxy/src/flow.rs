//! The claim pipeline, on one screen: where a claim goes next.
//!
//! ```text
//! connection -> admission -> template -> stock lane (one a shard) -> record lane (one or more a primary) -> connection
//! ```
//!
//! A claim is one owned value ([`ClaimTask`]) in exactly one place: a queue, the group of a lane, or the parking place
//! of its template. Its answer leaves from the last stage that it reached.

pub mod calls;
mod coupons;
pub mod gauges;
mod orders;
mod packs;
mod queues;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use scrip_protocol::v1::{Code, TemplateStatus};
use scrip_protocol::{RequestId, TemplateId, UserId};
use scrip_shard_config::{Tail, Topology};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use self::queues::{LaneQueue, StockQueue};
use crate::archive::desk::Doubtful;
use crate::claim::{Absent, Attempt, ClaimTask, Step, Unit, refuse};
use crate::clock::Clock;
use crate::coupon_id::CouponIds;
use crate::gate::Gate;
use crate::load::{Load, OnItsWay};
use crate::meter::Meter;
use crate::order::OrderTask;
use crate::outbox::Ticket;
use crate::pack::PackTask;
use crate::pack::hand::Taken;
use crate::replica::Replicas;
use crate::store::Release;
use crate::template::{SlotState, Template, Templates};

/// What is shorter than the timers' grain is no wait.
const WAIT_UNNOTICED: Duration = Duration::from_millis(10);

/// A claim, or a question about one, that was just read off a connection.
#[derive(Debug)]
pub struct Arrival {
    /// Owes the answer.
    pub ticket: Ticket,
    /// The user.
    pub user: UserId,
    /// The template.
    pub template: TemplateId,
    /// The caller's id.
    pub request: RequestId,
    /// What is wanted.
    pub purpose: Purpose,
    /// When the caller stops waiting.
    pub deadline: Instant,
}

impl Arrival {
    /// Refuses it before it became a claim. A resend may have been applied by an earlier send: for it every *not
    /// applied* becomes *unknown*.
    pub fn refuse(self, code: Code, detail: &str) {
        let resend = self.purpose == Purpose::Claim(Attempt::Resend);
        refuse(self.ticket, resend, code, detail);
    }
}

/// What an [`Arrival`] wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A coupon.
    Claim(Attempt),
    /// To know what became of a claim.
    Ask,
}

/// Bounds of the pipeline; each is explained in the proxy's configuration.
#[derive(Debug, Clone, Copy)]
pub struct FlowLimits {
    /// Claims waiting for one shard.
    pub stock_queue_max: usize,
    /// Claims waiting for one record lane.
    pub record_queue_max: usize,
    /// Claims waiting for settles, over all templates.
    pub parked_max: usize,
    /// Record lanes of each primary.
    pub lanes_per_primary: u16,
}

/// The stages between admission and the stores, and what they share.
#[derive(Debug)]
pub struct Flow {
    /// Routes.
    pub topology: Arc<Topology>,
    /// The snapshot of templates.
    pub templates: Templates,
    /// One a shard, in the topology's order.
    pub stock: Vec<StockQueue>,
    /// `lanes_per_primary` for each primary, in the topology's order.
    pub record: Vec<LaneQueue<ClaimTask>>,
    /// How long claims take to be recorded; one a record lane.
    pub loads: Vec<Arc<Load>>,
    /// One a primary, in the topology's order.
    pub orders: Vec<LaneQueue<OrderTask>>,
    /// One a primary, in the topology's order.
    pub packs: Vec<LaneQueue<PackTask>>,
    /// Wall-clock time.
    pub clock: Clock,
    /// Public ids of coupons.
    pub coupon_ids: CouponIds,
    /// Which replicas may serve reads.
    pub replicas: Replicas,
    /// What is counted.
    pub meter: Arc<Meter>,
    limits: FlowLimits,
    primary_index: Vec<u16>,
    parked: AtomicUsize,
    dice: AtomicU64,
    tend: mpsc::UnboundedSender<TemplateId>,
    verify: mpsc::UnboundedSender<Arrival>,
    doubt: mpsc::UnboundedSender<Doubtful>,
}

/// What the flow's background tasks receive.
#[derive(Debug)]
pub struct Errands {
    /// Templates whose sub-stocks need tending: see `keeper`.
    pub tend: mpsc::UnboundedReceiver<TemplateId>,
    /// Arrivals whose template must be read from meta before they are refused: see `verifier`.
    pub verify: mpsc::UnboundedReceiver<Arrival>,
    /// Claims whose coupons may be archived: see [`crate::archive::desk`].
    pub doubt: mpsc::UnboundedReceiver<Doubtful>,
}

impl Flow {
    /// An empty pipeline; its lanes and tasks are started by [`crate::pipeline`].
    pub fn new(
        topology: Arc<Topology>,
        limits: FlowLimits,
        clock: Clock,
        coupon_ids: CouponIds,
        seed: u64,
    ) -> (Self, Errands) {
        let (tend, tended) = mpsc::unbounded_channel();
        let (verify, verified) = mpsc::unbounded_channel();
        let (doubt, doubtful) = mpsc::unbounded_channel();
        let gates: Vec<Arc<Gate>> = topology.primaries.iter().map(|_| Arc::default()).collect();
        let (lanes, count_max) = (limits.lanes_per_primary, limits.record_queue_max);
        let record = queues::of_primaries(&topology, &gates, &(0..lanes), count_max);
        let flow = Self {
            stock: topology.shards.iter().map(|_| StockQueue::new(limits.stock_queue_max)).collect(),
            orders: queues::of_primaries(&topology, &gates, &(lanes..lanes + 1), count_max),
            packs: queues::of_primaries(&topology, &gates, &(lanes + 1..lanes + 2), count_max),
            loads: record.iter().map(|_| Arc::default()).collect(),
            record,
            primary_index: primary_index(&topology),
            templates: Templates::new(Arc::clone(&topology)),
            // The seed of this run is one that no other run has.
            replicas: Replicas::new(&topology, seed),
            topology,
            clock,
            coupon_ids,
            meter: Arc::default(),
            limits,
            parked: AtomicUsize::new(0),
            dice: AtomicU64::new(seed),
            tend,
            verify,
            doubt,
        };
        (flow, Errands { tend: tended, verify: verified, doubt: doubtful })
    }

    /// From admission: finds the template.
    pub fn arrive(&self, arrival: Arrival, now_ms: u64) {
        match self.templates.get(arrival.template) {
            Some(template) if !needs_verifying(&template) || arrival.purpose == Purpose::Ask => {
                self.enter(arrival, template, now_ms);
            }
            _ => self.send_to_verifier(arrival),
        }
    }

    /// The template stage. The template was found, and a refusal that meta should confirm was confirmed.
    pub fn enter(&self, arrival: Arrival, template: Arc<Template>, now_ms: u64) {
        let Arrival { ticket, user, request, purpose, deadline, .. } = arrival;
        let refusal = template.refusal(now_ms);
        let attempt = match purpose {
            Purpose::Claim(attempt) => attempt,
            Purpose::Ask => Attempt::Unsure,
        };
        let lane = self.lane_of(user);
        let mut task = ClaimTask::new(ticket, user, request, template, attempt, deadline, lane);
        match (purpose, refusal) {
            (Purpose::Ask, _) => self.look_up(task, Absent::Refuse(Code::ClaimNotFound), true),
            (Purpose::Claim(Attempt::First), Some(code)) => task.refuse(code, reason(code)),
            (Purpose::Claim(_), Some(code)) => self.look_up(task, Absent::Refuse(code), false),
            (Purpose::Claim(Attempt::Resend), None) => self.look_up(task, Absent::Deduct, false),
            (Purpose::Claim(_), None) => self.to_stock(task),
        }
    }

    /// To a stock lane: an open sub-stock of the template, or the parking place.
    pub fn to_stock(&self, mut task: ClaimTask) {
        if !self.record[task.lane].gate.is_open() {
            return task.refuse(Code::PrimaryUnavailable, "the primary of this user cannot be written to");
        }
        if self.would_be_late(&task) {
            return task.refuse(Code::Overloaded, "the claims ahead of it would take most of its time");
        }
        let Some(slot) = self.pick(&task) else { return self.park(task) };
        let queue = &self.stock[task.template.slots[slot].shard];
        self.count(&mut task);
        task.unit = None;
        task.slot = slot;
        if let Err(mut task) = queue.claims.push(task) {
            task.refuse(Code::Overloaded, "the queue to the stock is full");
        }
    }

    /// The claims ahead of it on the way to its record lane leave it less than half of its time. Half, because what a
    /// claim costs is an estimate, and the deadline must hold.
    fn would_be_late(&self, task: &ClaimTask) -> bool {
        let wait = self.loads[task.lane].wait();
        wait > WAIT_UNNOTICED && Instant::now() + 2 * wait > task.deadline
    }

    fn count(&self, task: &mut ClaimTask) {
        task.on_its_way.get_or_insert_with(|| OnItsWay::to(&self.loads[task.lane]));
    }

    /// To the record lane of the user, with a unit in hand.
    pub fn to_record(&self, mut task: ClaimTask, unit: Unit) {
        task.unit = Some(unit);
        if task.is_of_pack() {
            return self.to_pack(task, unit);
        }
        task.step = Step::Record;
        self.push_record(task);
    }

    /// To the pack that wants the unit; back to its shard if the pack is gone.
    fn to_pack(&self, mut task: ClaimTask, unit: Unit) {
        if task.tell_pack(Taken::Unit(unit)).is_err() {
            self.release(&mut task);
        }
    }

    /// To the record lane of the user, to be looked up.
    pub fn look_up(&self, mut task: ClaimTask, absent: Absent, lock: bool) {
        task.step = Step::LookUp { absent, lock };
        self.push_record(task);
    }

    fn push_record(&self, mut task: ClaimTask) {
        let queue = &self.record[task.lane];
        self.count(&mut task);
        queue.enter(self, task);
    }

    /// Refuses a claim, and gives its unit back.
    pub fn turn_back(&self, mut task: ClaimTask, code: Code, detail: &str) {
        self.release(&mut task);
        task.refuse(code, detail);
    }

    /// Gives back the unit of a claim that is known not to be recorded; a burned one is not.
    pub fn release(&self, task: &mut ClaimTask) {
        if let Some(unit) = task.unit.take().filter(|unit| !unit.burned) {
            self.give_back(&task.template, unit);
        }
    }

    /// Gives back a unit that is known not to be recorded: once, and not before the transaction that decided has ended.
    pub fn give_back(&self, template: &Template, unit: Unit) {
        let queue = &self.stock[template.slots[unit.slot].shard];
        queue.releases.lock().push(Release { key: unit.key, epoch: unit.epoch, count: 1 });
        queue.claims.nudge();
    }

    /// To wait until the template's sub-stocks are tended; a pack that holds other units is told instead.
    pub fn park(&self, mut task: ClaimTask) {
        if task.must_not_wait() {
            // A pack that is gone wants nothing more.
            return drop(task.tell_pack(Taken::Short));
        }
        if self.parked.load(Ordering::Relaxed) >= self.limits.parked_max {
            return task.refuse(Code::Overloaded, "too many claims wait for stock to be settled");
        }
        self.parked.fetch_add(1, Ordering::Relaxed);
        task.on_its_way = None;
        let template = task.template.record.template;
        let live = Arc::clone(&task.template.live);
        live.parked.lock().push(task);
        self.tend(template);
    }

    /// Takes parked claims for which `ready` holds.
    pub fn unpark(&self, template: &Template, mut ready: impl FnMut(&ClaimTask) -> bool) -> Vec<ClaimTask> {
        let mut parked = template.live.parked.lock();
        let (out, kept) = std::mem::take(&mut *parked).into_iter().partition(|task| ready(task));
        *parked = kept;
        drop(parked);
        self.parked.fetch_sub(out.len(), Ordering::Relaxed);
        out
    }

    /// A parked claim goes on, with the template as it stands now.
    pub fn resume(&self, mut task: ClaimTask, template: &Arc<Template>, now_ms: u64) {
        task.template = Arc::clone(template);
        task.since = Instant::now();
        let refusal = template.refusal(now_ms);
        if task.is_of_pack() {
            let taken = match refusal {
                None => Taken::Open,
                Some(code) => Taken::Refused { code, detail: code.cause().to_owned() },
            };
            return drop(task.tell_pack(taken));
        }
        match refusal {
            None => self.to_stock(task),
            // Not even a look-up from before it was parked counts: another send of the same request, on any proxy, may
            // have got the coupon since.
            Some(code) => self.look_up(task, Absent::Refuse(code), false),
        }
    }

    /// Asks the keeper to tend a template.
    pub fn tend(&self, template: TemplateId) {
        // The keeper lives as long as the pipeline; without it there is nothing left to tend.
        let _ = self.tend.send(template);
    }

    fn send_to_verifier(&self, arrival: Arrival) {
        if let Err(mpsc::error::SendError(arrival)) = self.verify.send(arrival) {
            arrival.refuse(Code::Draining, "this proxy is stopping");
        }
    }

    /// A claim that made none of the user's coupons, as far as they are on the primary. If some may be archived, those are
    /// looked up first.
    pub fn refuse_absent(&self, mut task: ClaimTask, refusal: Code) {
        if task.template.record.status != TemplateStatus::Closed && refusal != Code::ClaimNotFound {
            return task.refuse(refusal, refusal.cause());
        }
        if let Err(mpsc::error::SendError(Doubtful { mut task, .. })) = self.doubt.send(Doubtful { task, refusal }) {
            task.looked_up = false;
            task.refuse(Code::Draining, "this proxy is stopping");
        }
    }

    /// A claim that waits for a slow shard goes to another one that is open and not slow; it comes back if there is none.
    pub fn to_other_stock(&self, mut task: ClaimTask) -> Option<ClaimTask> {
        let Some(slot) = self.pick_where(&task, |slot| self.serves_well(&task.template, slot)) else {
            return Some(task);
        };
        let before = std::mem::replace(&mut task.slot, slot);
        let mut task = self.stock[task.template.slots[slot].shard].claims.push(task).err()?;
        task.slot = before;
        Some(task)
    }

    /// An open sub-stock, of a shard that is not slow if there is one.
    fn pick(&self, task: &ClaimTask) -> Option<usize> {
        self.pick_where(task, |slot| self.serves_well(&task.template, slot))
            .or_else(|| self.pick_where(task, |slot| self.serves(&task.template, slot)))
    }

    /// The primary's own first, so that a transaction counts in one ledger row, else any.
    fn pick_where(&self, task: &ClaimTask, serves: impl Fn(usize) -> bool) -> Option<usize> {
        let count = task.template.slots.len();
        let home = (task.lane / usize::from(self.limits.lanes_per_primary)
            + task.template.record.template.get() as usize)
            .checked_rem(count)?;
        if serves(home) {
            return Some(home);
        }
        let start = self.roll() as usize % count;
        (start..start + count).map(|slot| slot % count).find(|&slot| serves(slot))
    }

    fn serves(&self, template: &Template, slot: usize) -> bool {
        template.live.state(slot) == SlotState::Open && self.stock[template.slots[slot].shard].gate.is_open()
    }

    fn serves_well(&self, template: &Template, slot: usize) -> bool {
        self.serves(template, slot) && !self.stock[template.slots[slot].shard].slow.load(Ordering::Relaxed)
    }

    /// The record lane that serves a user: an index into [`Flow::record`].
    pub fn lane_of(&self, user: UserId) -> usize {
        let lanes = u64::from(self.limits.lanes_per_primary);
        self.primary_of(user) * lanes as usize + (user.get() / 10_000 % lanes) as usize
    }

    /// The primary of a user: an index into [`Flow::orders`] and [`Flow::packs`].
    fn primary_of(&self, user: UserId) -> usize {
        usize::from(self.primary_index[usize::from(Tail::of_user(user.get()).get())])
    }

    /// The next of a sequence of pseudo-random numbers: SplitMix64, Steele et al., 2014.
    pub fn roll(&self) -> u64 {
        let mut z = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Refusals that an operator may just have lifted through another proxy: meta is asked before they are given.
pub(crate) fn needs_verifying(template: &Template) -> bool {
    use scrip_protocol::v1::TemplateStatus::{Closed, Draft, Paused, Published, Unspecified};
    match template.record.status {
        Draft | Paused | Unspecified => true,
        Published | Closed => false,
    }
}

/// For people, why the template refuses.
fn reason(code: Code) -> &'static str {
    code.cause()
}

fn primary_index(topology: &Topology) -> Vec<u16> {
    let index_of = |id| topology.primaries.iter().position(|primary| primary.id == id).unwrap_or_default();
    (0..10_000u64).map(|tail| u16::try_from(index_of(topology.primary_of(Tail::of_user(tail)))).unwrap_or(0)).collect()
}
