//! Packs: several coupons to one user, all or nothing.
//!
//! In the history each coupon of a pack is a request of its own, under the id that the proxy derives for it: whatever the
//! oracle asks of requests it asks of them. What is told of the pack is told of each of them; a refusal that names a template
//! says of the others only that there will be none.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Code, CouponId, Disposition, RequestId, TemplateId, UserId};
use scrip_protocol::Fault;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{ClaimPack, PackItem, Response};
use scrip_proxy::pack::request_of;
use scrip_proxy::store::pack::PackKey;
use tokio::time::{Instant, sleep};

use super::client::{Standing, standing};
use super::fleet::{Asked, Heard};
use super::plan::{PackPlan, Plan};
use super::stage::Stage;
use super::world::World;
use crate::history::{self, RequestIndex, Told};

const DEADLINE_MS: u64 = 2_000;

/// A pack whose outcome its caller does not know.
#[derive(Debug, Clone)]
pub struct OpenPack {
    /// Its number in the plan.
    pub index: usize,
    /// Its coupons: template, and number in the history.
    units: Vec<(TemplateId, RequestIndex)>,
}

/// One pack, from the first send to the last before the healing.
pub async fn pack(stage: Arc<Stage>, index: usize, begun: Instant) -> Option<OpenPack> {
    let plan = stage.plan.packs[index].clone();
    sleep(Duration::from_millis(plan.at_ms).saturating_sub(begun.elapsed())).await;
    let templates = stage.templates.lock().clone();
    let wanted: Vec<_> = units(&stage.plan, &templates, index).collect();
    let user = UserId(plan.user);
    let request =
        |(template, id)| (template, stage.sim.world().history.request(history::Request { user, template, id }));
    let open = OpenPack { index, units: wanted.into_iter().map(request).collect() };
    let mut now = if plan.doubled {
        let sends = [stage.any_proxy(), stage.any_proxy()].map(|slot| send(&stage, &plan, &open, 0, slot));
        let [one, other] = sends;
        let (one, other) = tokio::join!(biased; one, other);
        both(standing(one, false), standing(other, false))
    } else {
        standing(send(&stage, &plan, &open, 1, stage.any_proxy()).await, false)
    };
    for sent in 2..=plan.sends_max {
        let Standing::Open(doubt) = now else { break };
        stage.pause(Duration::from_millis(stage.dice(|dice| dice.within(5..=250)))).await;
        if stage.is_healed() {
            break;
        }
        let told = send(&stage, &plan, &open, if doubt { sent } else { 1 }, stage.any_proxy()).await;
        now = standing(told, doubt);
    }
    (now == Standing::Open(true)).then_some(open)
}

/// Sends a pack in doubt again until its answer is definite. All templates are sold out by now.
pub async fn resolve(stage: &Arc<Stage>, open: OpenPack, until: Instant) {
    let plan =
        PackPlan { deadline_ms: DEADLINE_MS, patience_ms: DEADLINE_MS + 100, ..stage.plan.packs[open.index].clone() };
    for attempt in 2.. {
        if Instant::now() >= until {
            break;
        }
        match send(stage, &plan, &open, attempt, stage.any_proxy()).await {
            Told::Coupon { .. } => return,
            Told::NotApplied(Code::SoldOut | Code::LimitReached | Code::DailyLimitReached) => return,
            Told::NotApplied(_) | Told::Unknown(_) | Told::Nothing => {}
        }
        sleep(Duration::from_millis(stage.dice(|dice| dice.within(10..=150)))).await;
    }
    stage.sim.world().find(format!("pack {}: no definite answer after the healing", open.index));
}

/// Packs of which some coupons are there and others not, or a row without coupons, or the other way round.
pub fn torn(world: &World, plan: &Plan) -> Vec<String> {
    let templates: Vec<TemplateId> = world.history.templates().iter().map(|fact| fact.template).collect();
    let mut torn = Vec::new();
    for (index, pack) in plan.packs.iter().enumerate() {
        let user = UserId(pack.user);
        let data = &world.primaries[world.primary_of(user)].data;
        let has = |(template, id): &(TemplateId, RequestId)| {
            let own = data.coupons.range((user, *template, 0)..=(user, *template, u16::MAX));
            own.into_iter().any(|(_, row)| row.request == *id)
        };
        let wanted: Vec<_> = units(plan, &templates, index).collect();
        let (found, all) = (wanted.iter().filter(|unit| has(unit)).count(), wanted.len());
        let is_kept = data.packs.contains_key(&PackKey { user, request: id_of(plan, index) });
        if found != if is_kept { all } else { 0 } {
            torn.push(format!("pack {index} of user {user}: {found} of {all} coupons are there, its row: {is_kept}"));
        }
    }
    torn
}

/// Template and request id of each of its coupons.
fn units(plan: &Plan, templates: &[TemplateId], index: usize) -> impl Iterator<Item = (TemplateId, RequestId)> {
    let pack = id_of(plan, index);
    let items = plan.packs[index].items.iter().map(|&(template, count)| (templates[template], count));
    items.flat_map(move |(template, count)| (1..=count).map(move |unit| (template, request_of(pack, template, unit))))
}

/// An id that no other request of the run has.
fn id_of(plan: &Plan, index: usize) -> RequestId {
    let mut id = [3; 16];
    id[..8].copy_from_slice(&plan.seed.to_be_bytes());
    id[8..15].copy_from_slice(&(index as u64).to_be_bytes()[1..]);
    RequestId(id)
}

fn both(one: Standing, other: Standing) -> Standing {
    match (one, other) {
        (Standing::Granted, _) | (_, Standing::Granted) => Standing::Granted,
        (Standing::Refused(code), Standing::Refused(_)) => Standing::Refused(code),
        (Standing::Open(one), Standing::Open(other)) => Standing::Open(one || other),
        (Standing::Open(doubt), Standing::Refused(_)) | (Standing::Refused(_), Standing::Open(doubt)) => {
            Standing::Open(doubt)
        }
    }
}

/// One send, and what its caller was told of the whole.
async fn send(stage: &Arc<Stage>, plan: &PackPlan, open: &OpenPack, attempt: u32, slot: usize) -> Told {
    let templates = stage.templates.lock().clone();
    let item =
        |&(template, count): &(usize, u8)| PackItem { template_id: templates[template].get(), count: count.into() };
    let claim = ClaimPack {
        user_id: plan.user,
        request_id: id_of(&stage.plan, open.index).to_bytes(),
        items: plan.items.iter().map(item).collect(),
        attempt,
    };
    let sent: Vec<_> = {
        let mut world = stage.sim.world();
        let (at, index, user) = (world.at(), open.index, plan.user);
        world.note(format_args!("pack {index} of user {user} to proxy {slot}, attempt {attempt}"));
        open.units.iter().map(|(_, request)| world.history.sent(*request, at)).collect()
    };
    let heard = stage.ask(slot, Asked::Pack(claim), plan.deadline_ms, plan.patience_ms).await;
    let (whole, each) = match heard {
        Heard::Answer(response) => told(&response, open),
        // As the client library has it: nothing was sent, nothing is in doubt.
        Heard::NotSent => alike(Told::NotApplied(Code::NotReady), open),
        Heard::Nothing => alike(Told::Nothing, open),
    };
    let mut world = stage.sim.world();
    let (at, index, user) = (world.at(), open.index, plan.user);
    world.note(format_args!("pack {index} of user {user} is told {whole:?}"));
    sent.into_iter().zip(each).for_each(|(sent, told)| world.history.answered(sent, at, told));
    whole
}

fn alike(told: Told, open: &OpenPack) -> (Told, Vec<Told>) {
    (told, vec![told; open.units.len()])
}

/// What a response says of the whole, and of each coupon.
fn told(response: &Response, open: &OpenPack) -> (Told, Vec<Told>) {
    let code = Code::try_from(response.code).unwrap_or(Code::Unspecified);
    match (code, &response.result, code.disposition()) {
        (Code::Ok, Some(Answer::PackCoupons(pack)), _) if pack.coupons.len() == open.units.len() => {
            let each: Vec<Told> = pack.coupons.iter().map(coupon).collect();
            (each.first().copied().unwrap_or(Told::Unknown(code)), each)
        }
        (_, Some(Answer::PackRefusal(refusal)), Some(Disposition::NotApplied)) => {
            let is_rule = code.fault() == Some(Fault::Rules);
            // What holds of that template says nothing of the others.
            let of = |(template, _): &(TemplateId, RequestIndex)| match template.get() == refusal.template_id {
                false if is_rule => Code::ClaimEnded,
                _ => code,
            };
            (Told::NotApplied(code), open.units.iter().map(|unit| Told::NotApplied(of(unit))).collect())
        }
        (_, _, Some(Disposition::NotApplied)) => alike(Told::NotApplied(code), open),
        (_, _, Some(Disposition::Applied | Disposition::Unknown) | None) => alike(Told::Unknown(code), open),
    }
}

fn coupon(coupon: &scrip_protocol::v1::Coupon) -> Told {
    let id = CouponId::try_from_slice(&coupon.coupon_id);
    let (seq, replayed) = (coupon.seq, coupon.replayed);
    id.map_or(Told::Unknown(Code::Ok), |coupon| Told::Coupon { coupon, seq, replayed })
}
