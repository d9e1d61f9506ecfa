//! The keeper: decides *when* to settle, and looks after the claims that wait for it.
//!
//! - *stale* or *fenced*: at once, unless another proxy is at it;
//! - *empty*: only when no sub-stock is open, and after a quiet period in which the units in flight have had their
//!   time. Settling on every *empty* livelocks: it fences the very claims that would have finished the stock;
//! - a shard that is away for long, the others being empty: what is left on it moves to them;
//! - what a crashed settle left behind: found in meta, where `settled_epoch` stays below `epoch`.
//!
//! One task a template while it needs tending, none otherwise.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use scrip_protocol::TemplateId;
use scrip_protocol::v1::{Code, TemplateStatus};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::flow::Flow;
use crate::settle::{Away, Report, Settled, Settler};
use crate::stock_lane::jitter;
use crate::store::{MetaStore, RecordStore, StockKey, StockStore};
use crate::tasks::Tasks;
use crate::template::{Due, SlotState, Template};
use crate::watch::{nap, watch};

/// How often meta is asked for settles that nobody finished, and how old they must be.
const LEFT_BEHIND_EVERY: Duration = Duration::from_secs(2);
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(2);
const LEFT_BEHIND_MAX: u32 = 256;

/// How long the keeper waits before it settles again what could not be settled.
const RETRY_FIRST: Duration = Duration::from_millis(20);

/// How long a settle of another proxy is waited for before it is taken for dead, and how often it is looked for.
const OTHERS_MAX: Duration = Duration::from_millis(500);
const WAIT: Duration = Duration::from_millis(20);

/// What a template needs.
enum Next {
    /// Nothing: a sub-stock is open and none is due.
    Serve,
    /// A moment for the settle of another proxy.
    Wait,
    /// A settle of these slots.
    Settle { slots: Vec<usize>, quiet: Duration, away: Away },
}

/// Slots that are due.
struct Found {
    /// To be settled here and now.
    due: Vec<usize>,
    /// Being settled by another proxy, unless that has died.
    others: Vec<usize>,
}

/// How long the units in flight are given before *empty* leads to a settle.
#[derive(Debug, Clone, Copy)]
pub struct Quiet {
    /// At first.
    pub first: Duration,
    /// At most, after settles that brought nothing.
    pub max: Duration,
    /// How long a shard must have been away before what is left on it moves to others.
    pub move_after: Duration,
}

/// Tends templates.
#[derive(Debug)]
pub struct Keeper<S, R, M> {
    flow: Arc<Flow>,
    settler: Settler<S, R, M>,
    meta: M,
    quiet: Quiet,
    tended: Mutex<HashSet<TemplateId>>,
    /// The last sub-stock of the last look for what was left behind.
    looked_at: Mutex<Option<StockKey>>,
    tasks: Tasks,
}

impl<S: StockStore, R: RecordStore, M: MetaStore> Keeper<S, R, M> {
    /// A keeper over these stores, which tends each template in a task of its own.
    pub fn new(flow: Arc<Flow>, settler: Settler<S, R, M>, meta: M, quiet: Quiet, tasks: Tasks) -> Arc<Self> {
        let (tended, looked_at) = (Mutex::default(), Mutex::default());
        Arc::new(Self { flow, settler, meta, quiet, tended, looked_at, tasks })
    }

    /// Serves for ever.
    pub async fn run(self: Arc<Self>, mut errands: UnboundedReceiver<TemplateId>) {
        let mut look = interval(LEFT_BEHIND_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                errand = errands.recv() => match errand {
                    Some(template) => self.begin(template),
                    None => return,
                },
                _ = look.tick() => self.tasks.spawn(Arc::clone(&self).look_for_left_behind()),
            }
        }
    }

    /// Starts a task for the template unless one is at it.
    fn begin(self: &Arc<Self>, template: TemplateId) {
        if self.tended.lock().insert(template) {
            let keeper = Arc::clone(self);
            self.tasks.spawn(async move {
                keeper.tend(template).await;
                keeper.tended.lock().remove(&template);
                keeper.begin_again_if_needed(template);
            });
        }
    }

    /// An errand that came while the task was ending must not be lost.
    fn begin_again_if_needed(&self, template: TemplateId) {
        if self.flow.templates.get(template).is_some_and(|template| !template.live.parked.lock().is_empty()) {
            self.flow.tend(template);
        }
    }

    /// Until a sub-stock is open and none is due, or the template is sold out.
    async fn tend(&self, id: TemplateId) {
        let mut retry = RETRY_FIRST;
        let mut waiting_since = None;
        let mut all_at_once = false;
        while let Some(template) = self.flow.templates.get(id) {
            if !self.can_be_settled(&template) {
                return self.resume_all(id);
            }
            let report = match self.next(&template, &mut waiting_since, all_at_once).await {
                Next::Serve => return self.resume_all(id),
                Next::Wait => {
                    self.nap(&template, WAIT).await;
                    continue;
                }
                Next::Settle { slots, quiet, away } => self.settle(&template, &slots, quiet, away).await,
            };
            // Once: claims must not wait for a withdrawal that cannot end now.
            all_at_once = !all_at_once && report.as_ref().is_some_and(|report| report.withdrawal_pending);
            match report {
                Some(_) if all_at_once => {}
                Some(report) if report.sold_out => self.sold_out(id).await,
                Some(report) if opened(&report) => self.resume_all(id),
                Some(report) if lost(&report) => {}
                Some(_) | None => {
                    self.nap(&template, jitter(retry, self.flow.roll())).await;
                    retry = (retry * 2).min(self.quiet.max);
                }
            }
        }
    }

    /// What the template needs now.
    async fn next(&self, template: &Template, waiting_since: &mut Option<Instant>, all_at_once: bool) -> Next {
        if all_at_once {
            let slots = (0..template.slots.len()).collect();
            return Next::Settle { slots, quiet: Duration::ZERO, away: Away::Fence };
        }
        let Found { due, others } = self.due(template).await;
        if !due.is_empty() {
            return Next::Settle { slots: due, quiet: Duration::ZERO, away: Away::Wait };
        }
        let serving = template.live.slots_in(SlotState::Open).iter().any(|&slot| self.serves(template, slot));
        if !others.is_empty() {
            if serving {
                self.resume_all(template.record.template);
            }
            if waiting_since.get_or_insert_with(Instant::now).elapsed() < OTHERS_MAX {
                return Next::Wait;
            }
            *waiting_since = None;
            return Next::Settle { slots: others, quiet: OTHERS_MAX, away: Away::Wait };
        }
        *waiting_since = None;
        if serving {
            return Next::Serve;
        }
        let quiet = self.quiet_of(template);
        self.nap(template, quiet).await;
        let mut slots = template.live.slots_in(SlotState::Empty);
        slots.retain(|&slot| self.serves(template, slot));
        let gone = if slots.is_empty() { Vec::new() } else { self.gone(template) };
        let away = if gone.is_empty() { Away::Wait } else { Away::Move };
        slots.extend(gone);
        Next::Settle { slots, quiet, away }
    }

    /// Slots to settle at once, and those that another proxy is settling. Not in either: those whose shard is away.
    /// Settling on every *fenced* livelocks: each settle fences the claims of the other proxies. So a slot whose epoch
    /// has moved on is left to whoever moved it, and is opened when that settle has come to its end.
    async fn due(&self, template: &Template) -> Found {
        let mut due = template.live.slots_in(SlotState::Due);
        due.retain(|&slot| self.serves(template, slot));
        if due.iter().all(|&slot| template.live.due(slot) == Due::Stale) {
            return Found { due, others: Vec::new() };
        }
        let Ok(records) = self.meta.sub_stocks(template.record.template).await else {
            return Found { due, others: Vec::new() };
        };
        let moved_on = |slot: usize| match template.live.due(slot) {
            Due::Stale => None,
            Due::Fenced { epoch } => {
                let key = template.slots[slot].key;
                records.iter().find(|record| record.key == key && record.epoch > epoch)
            }
        };
        let mut found = Found { due: Vec::new(), others: Vec::new() };
        for slot in due {
            match moved_on(slot) {
                None => found.due.push(slot),
                Some(record) if record.settled_epoch == record.epoch => drop(template.live.set(slot, SlotState::Open)),
                Some(_) => found.others.push(slot),
            }
        }
        found
    }

    /// Slots with units, as far as is known, on shards that have been away for long.
    fn gone(&self, template: &Template) -> Vec<usize> {
        let away =
            |slot: &usize| self.flow.stock[template.slots[*slot].shard].gate.closed_for() >= self.quiet.move_after;
        (0..template.slots.len()).filter(away).collect()
    }

    /// Twice as long after each settle of *empty* since which no coupon was recorded.
    fn quiet_of(&self, template: &Template) -> Duration {
        let doublings = template.live.settled_in_vain().min(16);
        self.quiet.first.saturating_mul(1 << doublings).min(self.quiet.max)
    }

    fn can_be_settled(&self, template: &Template) -> bool {
        let alive = matches!(template.record.status, TemplateStatus::Published | TemplateStatus::Paused);
        alive && !template.record.sold_out
    }

    fn serves(&self, template: &Template, slot: usize) -> bool {
        self.flow.stock[template.slots[slot].shard].gate.is_open()
    }

    /// Settles, and takes over what it says of each sub-stock.
    async fn settle(&self, template: &Template, slots: &[usize], quiet: Duration, away: Away) -> Option<Report> {
        if slots.is_empty() {
            return None;
        }
        let call = self.settler.settle(template, slots, quiet, away);
        let report = match watch(call, |_| self.refuse_late(template)).await {
            Ok(report) => report,
            Err(error) => {
                tracing::debug!(template = %template.record.template, %error, "settle stopped; trying again");
                return None;
            }
        };
        tracing::debug!(template = %template.record.template, ?report, "settled");
        for &(sub_stock, settled) in &report.settled {
            let Some(slot) = template.slots.iter().position(|slot| slot.key.sub_stock == sub_stock) else { continue };
            match settled {
                Settled::Again => drop(template.live.set_due(slot, Due::Stale)),
                Settled::Open { .. } => drop(template.live.set(slot, SlotState::Open)),
                // Below every epoch: the other settle is waited for.
                Settled::Lost => {
                    template.live.set(slot, SlotState::Open);
                    template.live.set_due(slot, Due::Fenced { epoch: 0 });
                }
                Settled::Drained => drop(template.live.set(slot, SlotState::Empty)),
            }
        }
        Some(report)
    }

    async fn nap(&self, template: &Template, duration: Duration) {
        nap(duration, |_| self.refuse_late(template)).await;
    }

    /// The template as meta has it now says *sold out*; whoever waits gets a definite answer.
    async fn sold_out(&self, id: TemplateId) {
        match self.meta.template(id).await {
            Ok(record) => self.flow.templates.apply(vec![record]),
            Err(error) => {
                tracing::debug!(template = %id, %error, "sold out; the template is read with the next refresh")
            }
        }
        self.resume_all(id);
    }

    fn resume_all(&self, id: TemplateId) {
        let Some(template) = self.flow.templates.get(id) else { return };
        let now_ms = self.flow.clock.now_ms();
        for task in self.flow.unpark(&template, |_| true) {
            self.flow.resume(task, &template, now_ms);
        }
    }

    fn refuse_late(&self, template: &Template) {
        let now = Instant::now();
        for mut task in self.flow.unpark(template, |task| task.is_late(now)) {
            task.refuse(Code::StockUnavailable, "the stock could not be settled before the deadline");
        }
    }

    /// Settles that a crash, or a backend that was away, left unfinished.
    async fn look_for_left_behind(self: Arc<Self>) {
        let after = *self.looked_at.lock();
        let keys = match self.meta.unsettled(LEFT_BEHIND_AFTER, after, LEFT_BEHIND_MAX).await {
            Ok(keys) => keys,
            Err(error) => return tracing::debug!(%error, "meta not asked for unfinished settles"),
        };
        // From where it stopped, or from the start again: what must wait for a shard does not hide the rest.
        *self.looked_at.lock() = keys.last().copied().filter(|_| keys.len() >= LEFT_BEHIND_MAX as usize);
        for key in keys {
            let Some(template) = self.flow.templates.get(key.template) else { continue };
            let Some(slot) = template.slots.iter().position(|slot| slot.key == key) else { continue };
            template.live.set_due(slot, Due::Stale);
            self.flow.tend(key.template);
        }
    }
}

/// Something to hand out.
fn opened(report: &Report) -> bool {
    report.settled.iter().any(|(_, settled)| matches!(settled, Settled::Open { .. }))
}

/// Another settle is at it, which may bring something.
fn lost(report: &Report) -> bool {
    report.settled.iter().any(|(_, settled)| *settled == Settled::Lost)
}
