//! One pack from its request to its answer: a task of its own, in one straight line. Where it may be killed is in the table of
//! [`pack`](crate::pack).

mod templates;

use std::sync::Arc;
use std::time::Duration;

use scrip_protocol::TemplateId;
use scrip_protocol::code::Fault;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{ClaimPack, Code, Coupon, PackCoupons, PackRefusal};
use scrip_shard_config::Tail;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::stock::{Stock, give_back, take, wait};
use super::{Item, Outcome, Pack, PackTask, Verdict};
use crate::claim::{Unit, as_told};
use crate::flow::Flow;
use crate::outbox::Ticket;
use crate::stock_lane::jitter;
use crate::store::{CouponRow, MetaStore, RecordStore};
use crate::tasks::Tasks;

/// Before a pack that had to give units back, or lost them to a fence, tries again.
const PAUSE_FIRST: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(64);

/// What is left of a pack's time when it stops waiting for stock, as one part in so many: for the answer, or for the record.
const SPARED: u32 = 8;

const LATE: &str = "the deadline passed before the archived coupons of the pack were looked up";

/// Why a template without units for a pack is not sold out.
const SHORT: &str = "fewer units than the pack wants are left, or others hold them";

/// Carries packs out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk<M> {
    flow: Arc<Flow>,
    meta: M,
    tasks: Tasks,
}

/// Why there is no pack.
struct Stop {
    /// The item that it is about.
    template: Option<TemplateId>,
    code: Code,
    detail: String,
}

/// The coupons of a pack.
struct Done {
    pack: Arc<Pack>,
    rows: Vec<CouponRow>,
    /// They were there before this request.
    replayed: bool,
}

impl Stop {
    fn of(code: Code, detail: impl Into<String>) -> Self {
        Self { template: None, code, detail: detail.into() }
    }

    fn about(template: TemplateId, code: Code, detail: &str) -> Self {
        Self { template: Some(template), code, detail: format!("template {template}: {detail}") }
    }

    /// It says what the pack cannot have, and not what could not be done just now: only after a look-up.
    fn is_rule(&self) -> bool {
        self.code.fault() == Some(Fault::Rules)
    }
}

impl<M: MetaStore + RecordStore> Desk<M> {
    /// A desk over this store.
    pub fn new(flow: Arc<Flow>, meta: M, tasks: Tasks) -> Self {
        Self { flow, meta, tasks }
    }

    /// Carries it out in a task of its own and answers, at the deadline at the latest.
    pub fn start(&self, claim: ClaimPack, ticket: Ticket, deadline: Instant) {
        let desk = self.clone();
        self.tasks.spawn(async move { desk.claim(&claim, ticket, deadline).await });
    }

    async fn claim(&self, claim: &ClaimPack, ticket: Ticket, deadline: Instant) {
        let mut looked_up = false;
        match self.carry_out(claim, deadline, &mut looked_up).await {
            Ok(done) => ticket.answer(Answer::PackCoupons(PackCoupons { coupons: self.coupons(&done) })),
            Err(Stop { template, code, detail }) => {
                let hidden = claim.attempt >= 2 && !looked_up;
                let (code, detail, retry_after_ms) = as_told(hidden, code, &detail);
                match template.map(TemplateId::get) {
                    None => ticket.refuse(code, detail, retry_after_ms),
                    Some(template_id) => {
                        let about = Answer::PackRefusal(PackRefusal { template_id });
                        ticket.refuse_about(code, detail, retry_after_ms, about);
                    }
                }
            }
        }
    }

    fn coupons(&self, done: &Done) -> Vec<Coupon> {
        let templates = done.pack.items.iter().flat_map(|item| std::iter::repeat_n(&item.template, item.count.into()));
        done.rows.iter().zip(templates).map(|(row, template)| self.flow.coupon(template, row, done.replayed)).collect()
    }

    /// `looked_up`: is set when the request id was looked for.
    async fn carry_out(&self, claim: &ClaimPack, deadline: Instant, looked_up: &mut bool) -> Result<Done, Stop> {
        let mut pack = Arc::new(self.read(claim, deadline).await?);
        let (mut pause, mut short) = (PAUSE_FIRST, None);
        let patience = deadline - deadline.saturating_duration_since(Instant::now()) / SPARED;
        loop {
            let refusal = self.refusal(&pack);
            if !*looked_up || refusal.is_some() {
                if let Some(done) = self.look_up(&pack, deadline, looked_up).await? {
                    return Ok(done);
                }
                if let Some(stop) = refusal {
                    return Err(stop);
                }
            }
            let stop = match take(&self.flow, &pack, deadline).await {
                Stock::All(units) => match self.record(&pack, units, deadline).await? {
                    Some(done) => return Ok(done),
                    None => None,
                },
                Stock::Short(index) => {
                    let item = &pack.items[index];
                    short = Some(item.id());
                    let refused = wait(&self.flow, &pack, item, patience).await;
                    refused.map(|(code, detail)| Stop::about(item.id(), code, &detail))
                }
                Stock::Refused(index, code, detail) => Some(Stop::about(pack.items[index].id(), code, &detail)),
            };
            match stop {
                None => {}
                Some(stop) if !stop.is_rule() => return Err(stop),
                Some(stop) => return self.look_up(&pack, deadline, looked_up).await?.ok_or(stop),
            }
            sleep_until((Instant::now() + jitter(pause, self.flow.roll())).min(patience)).await;
            if let Some(template) = short.filter(|_| Instant::now() >= patience) {
                return Err(Stop::about(template, Code::StockUnavailable, SHORT));
            }
            pause = (pause * 2).min(PAUSE_MAX);
            pack = Arc::new(self.begun_again(&pack));
        }
    }

    /// Why its templates refuse it now.
    fn refusal(&self, pack: &Pack) -> Option<Stop> {
        let now_ms = self.flow.clock.now_ms();
        let refusal = |item: &Item| {
            let code = item.template.refusal(now_ms)?;
            Some(Stop::about(item.id(), code, code.cause()))
        };
        pack.items.iter().find_map(refusal)
    }

    /// What is there of it; `None`: nothing, and the user's limits leave room for it.
    async fn look_up(&self, pack: &Arc<Pack>, deadline: Instant, looked_up: &mut bool) -> Result<Option<Done>, Stop> {
        let Verdict { outcome, .. } = self.ask(pack, None, deadline).await;
        let outcome = self.whole(pack, outcome, deadline).await;
        *looked_up |= !matches!(outcome, Outcome::Failed(..));
        match outcome {
            Outcome::Absent | Outcome::Fenced(_) => Ok(None),
            Outcome::Found(rows) | Outcome::Made(rows) => {
                Ok(Some(Done { pack: Arc::clone(pack), rows, replayed: true }))
            }
            outcome => Err(stop(outcome)),
        }
    }

    /// Records it with these units. `None`: some of them were fenced, and it holds none now.
    async fn record(&self, pack: &Arc<Pack>, units: Vec<Vec<Unit>>, deadline: Instant) -> Result<Option<Done>, Stop> {
        let held: Vec<Unit> = units.iter().flatten().copied().collect();
        let Verdict { outcome, burned } = self.ask(pack, Some(units), deadline).await;
        let made = matches!(outcome, Outcome::Made(_));
        if !burned && !made {
            let fenced = match &outcome {
                Outcome::Fenced(fenced) => &fenced[..],
                _ => &[],
            };
            give_back(&self.flow, pack, held.into_iter().filter(|unit| !fenced.contains(unit)));
        }
        match self.whole(pack, outcome, deadline).await {
            // Burned, it was recorded for this very request: the answer is the first one, not a replay.
            Outcome::Made(rows) | Outcome::Found(rows) => {
                Ok(Some(Done { pack: Arc::clone(pack), rows, replayed: !made && !burned }))
            }
            Outcome::Fenced(_) | Outcome::Absent => Ok(None),
            outcome => Err(stop(outcome)),
        }
    }

    /// With the coupons that are archived. It was recorded, so whatever keeps it from being told, it is not *not applied*.
    async fn whole(&self, pack: &Pack, outcome: Outcome, deadline: Instant) -> Outcome {
        let Outcome::Partly(mut rows) = outcome else { return outcome };
        let primary = self.flow.topology.primary_of(Tail::of_user(pack.key.user.get()));
        for item in &pack.items {
            let archived = self.meta.archived(primary, pack.key.user, item.id());
            let archived = match timeout_at(deadline, archived).await {
                Ok(Ok(archived)) => archived,
                Ok(Err(error)) => return Outcome::Failed(Code::OutcomeUnknown, error.to_string()),
                Err(_) => return Outcome::Failed(Code::OutcomeUnknown, LATE.to_owned()),
            };
            for (row, (_, request)) in rows.iter_mut().zip(pack.units()) {
                *row = row.or_else(|| archived.iter().find(|row| row.request == request).copied());
            }
        }
        let lost =
            || Outcome::Failed(Code::OutcomeUnknown, "the pack lacks coupons; run `scrip-proxy audit`".to_owned());
        rows.into_iter().collect::<Option<_>>().map_or_else(lost, Outcome::Found)
    }

    /// The verdict of the user's lane. A lane that is gone leaves everything open.
    async fn ask(&self, pack: &Arc<Pack>, units: Option<Vec<Vec<Unit>>>, deadline: Instant) -> Verdict {
        let sent = units.is_some();
        let (task, verdict) = PackTask::new(Arc::clone(pack), units, deadline);
        self.flow.to_pack_lane(pack.key.user, task);
        verdict.await.unwrap_or_else(|_| {
            let (code, detail) = match sent {
                true => (Code::OutcomeUnknown, "this proxy is stopping; ask again with the same request id"),
                false => (Code::Draining, "this proxy is stopping"),
            };
            Verdict { outcome: Outcome::Failed(code, detail.to_owned()), burned: true }
        })
    }
}

/// Of what is no pack.
fn stop(outcome: Outcome) -> Stop {
    match outcome {
        Outcome::Reused => {
            Stop::of(Code::RequestIdReused, "a pack of other items has this request id: mint one for each pack")
        }
        Outcome::Refused(template, code) => Stop::about(template, code, code.cause()),
        Outcome::Failed(code, detail) => Stop::of(code, detail),
        Outcome::Made(_) | Outcome::Found(_) | Outcome::Partly(_) | Outcome::Absent | Outcome::Fenced(_) => {
            Stop::of(Code::Contended, Code::Contended.cause())
        }
    }
}

#[cfg(test)]
mod tests;
