//! The keeper: decides *when* to settle, and looks after the claims that wait for it.
//!
//! - *stale* or *fenced*: at once;
//! - *empty*: only when no sub-stock is open, and after a quiet period in which the units in flight have had their
//!   time. Settling on every *empty* livelocks: it fences the very claims that would have finished the stock;
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
use crate::settle::{Report, Settled, Settler};
use crate::stock_lane::jitter;
use crate::store::{MetaStore, RecordStore, StockStore};
use crate::template::{Due, SlotState, Template};
use crate::watch::{nap, watch};

/// How often meta is asked for settles that nobody finished, and how old they must be.
const LEFT_BEHIND_EVERY: Duration = Duration::from_secs(2);
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(2);
const LEFT_BEHIND_MAX: u32 = 256;

/// How long the keeper waits before it settles again what could not be settled.
const RETRY_FIRST: Duration = Duration::from_millis(20);

/// How long the units in flight are given before *empty* leads to a settle.
#[derive(Debug, Clone, Copy)]
pub struct Quiet {
    /// At first.
    pub first: Duration,
    /// At most, after settles that brought nothing.
    pub max: Duration,
}

/// Tends templates.
#[derive(Debug)]
pub struct Keeper<S, R, M> {
    flow: Arc<Flow>,
    settler: Settler<S, R, M>,
    meta: M,
    quiet: Quiet,
    tended: Mutex<HashSet<TemplateId>>,
}

impl<S: StockStore, R: RecordStore, M: MetaStore> Keeper<S, R, M> {
    /// A keeper over these stores.
    pub fn new(flow: Arc<Flow>, settler: Settler<S, R, M>, meta: M, quiet: Quiet) -> Arc<Self> {
        Arc::new(Self { flow, settler, meta, quiet, tended: Mutex::default() })
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
                _ = look.tick() => drop(tokio::spawn(Arc::clone(&self).look_for_left_behind())),
            }
        }
    }

    /// Starts a task for the template unless one is at it.
    fn begin(self: &Arc<Self>, template: TemplateId) {
        if self.tended.lock().insert(template) {
            let keeper = Arc::clone(self);
            tokio::spawn(async move {
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
        let mut all_at_once = false;
        while let Some(template) = self.flow.templates.get(id) {
            if !self.can_be_settled(&template) {
                return self.resume_all(id);
            }
            let due = self.due(&template).await;
            let report = if all_at_once {
                self.settle(&template, &(0..template.slots.len()).collect::<Vec<_>>(), Duration::ZERO).await
            } else if !due.is_empty() {
                self.settle(&template, &due, Duration::ZERO).await
            } else if template.live.slots_in(SlotState::Open).iter().any(|&slot| self.serves(&template, slot)) {
                return self.resume_all(id);
            } else {
                let quiet = self.quiet_of(&template);
                self.nap(&template, quiet).await;
                let empty = template.live.slots_in(SlotState::Empty);
                self.settle(&template, &empty, quiet).await
            };
            // Once: with a shard away a withdrawal has to wait, and claims must not wait with it.
            all_at_once = !all_at_once && report.as_ref().is_some_and(|report| report.withdrawal_pending);
            match report {
                Some(_) if all_at_once => {}
                Some(report) if report.sold_out => self.sold_out(id).await,
                Some(report) if progressed(&report) => self.resume_all(id),
                Some(_) | None => {
                    self.nap(&template, jitter(retry, self.flow.roll())).await;
                    retry = (retry * 2).min(self.quiet.max);
                }
            }
        }
    }

    /// Slots to settle at once: not those whose shard is away, and not those that were fenced by a settle which is
    /// under way or done. Settling on every *fenced* livelocks: each settle fences the claims of the other proxies.
    async fn due(&self, template: &Template) -> Vec<usize> {
        let mut due = template.live.slots_in(SlotState::Due);
        due.retain(|&slot| self.serves(template, slot));
        if due.iter().all(|&slot| template.live.due(slot) == Due::Stale) {
            return due;
        }
        let Ok(records) = self.meta.sub_stocks(template.record.template).await else { return due };
        let moved_on = |slot: usize| match template.live.due(slot) {
            Due::Stale => false,
            Due::Fenced { epoch } => {
                let key = template.slots[slot].key;
                records.iter().any(|record| record.key == key && record.epoch > epoch)
            }
        };
        let moved_on: Vec<usize> = due.extract_if(.., |slot| moved_on(*slot)).collect();
        if !moved_on.is_empty() {
            // The other settle may still be on its way to Redis.
            self.nap(template, RETRY_FIRST).await;
        }
        for slot in moved_on {
            template.live.set(slot, SlotState::Open);
        }
        due
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
    async fn settle(&self, template: &Template, slots: &[usize], quiet: Duration) -> Option<Report> {
        if slots.is_empty() {
            return None;
        }
        let call = self.settler.settle(template, slots, quiet);
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
                // The other settle may have filled it: try.
                Settled::Open { .. } | Settled::Lost => drop(template.live.set(slot, SlotState::Open)),
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
        let keys = match self.meta.unsettled(LEFT_BEHIND_AFTER, LEFT_BEHIND_MAX).await {
            Ok(keys) => keys,
            Err(error) => return tracing::debug!(%error, "meta not asked for unfinished settles"),
        };
        for key in keys {
            let Some(template) = self.flow.templates.get(key.template) else { continue };
            let Some(slot) = template.slots.iter().position(|slot| slot.key == key) else { continue };
            template.live.set_due(slot, Due::Stale);
            self.flow.tend(key.template);
        }
    }
}

/// Something to hand out, or another settle that may have brought something.
fn progressed(report: &Report) -> bool {
    report.settled.iter().any(|(_, settled)| matches!(settled, Settled::Open { .. } | Settled::Lost))
}
