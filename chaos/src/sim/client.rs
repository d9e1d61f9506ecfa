//! Callers: they send, listen, send again as the client library does, and ask what became of it.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Code, CouponId, Disposition, RequestId, TemplateId, UserId};
use scrip_protocol::v1::Response;
use scrip_protocol::v1::response::Result as Answer;
use scrip_proxy::claim::Attempt;
use scrip_proxy::flow::Purpose;
use tokio::time::{Instant, sleep};

use super::fleet::{Asked, Heard};
use super::plan::ClaimPlan;
use super::stage::Stage;
use crate::history::{self, Found, RequestIndex, Told};

/// A request whose outcome its caller does not know.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// Its number in the history.
    pub request: RequestIndex,
    /// What it wants.
    pub what: history::Request,
}

/// Where a request stands, as its caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has a coupon.
    Granted,
    /// It was refused for good, and nothing is in doubt.
    Refused(Code),
    /// It may be tried again; whether an earlier send was applied is not known if `true`.
    Open(bool),
}

/// One caller's request, from the first send to the last before the healing.
pub async fn claim(stage: Arc<Stage>, index: usize, begun: Instant) -> Option<Open> {
    let plan = stage.plan.claims[index];
    sleep(Duration::from_millis(plan.at_ms).saturating_sub(begun.elapsed())).await;
    let (template, id) = (stage.templates.lock()[plan.template], id_of(&stage, 1, index as u64));
    let what = history::Request { user: UserId(plan.user), template, id };
    let request = stage.sim.world().history.request(what);
    let open = Open { request, what };
    if plan.doubled {
        let sends = [send(&stage, open, 0, plan), send(&stage, open, 0, plan)];
        let [one, other] = sends;
        let (one, other) = tokio::join!(biased; one, other);
        return go_on(&stage, open, plan, both(one, other)).await;
    }
    let told = send(&stage, open, u32::from(plan.promises), plan).await;
    go_on(&stage, open, plan, standing(told, false)).await
}

/// An id that no other request of the run has.
pub fn id_of(stage: &Stage, kind: u8, number: u64) -> RequestId {
    let mut id = [kind; 16];
    id[..8].copy_from_slice(&stage.plan.seed.to_be_bytes());
    id[8..15].copy_from_slice(&number.to_be_bytes()[1..]);
    RequestId(id)
}

fn both(one: Told, other: Told) -> Standing {
    match (standing(one, false), standing(other, false)) {
        (Standing::Granted, _) | (_, Standing::Granted) => Standing::Granted,
        (Standing::Refused(code), Standing::Refused(_)) => Standing::Refused(code),
        (Standing::Open(one), Standing::Open(other)) => Standing::Open(one || other),
        (Standing::Open(doubt), Standing::Refused(_)) | (Standing::Refused(_), Standing::Open(doubt)) => {
            Standing::Open(doubt)
        }
    }
}

async fn go_on(stage: &Arc<Stage>, open: Open, plan: ClaimPlan, mut standing_now: Standing) -> Option<Open> {
    for sent in 2..=plan.sends_max {
        let Standing::Open(doubt) = standing_now else { break };
        stage.pause(Duration::from_millis(stage.dice(|dice| dice.within(5..=250)))).await;
        if stage.is_healed() {
            break;
        }
        if doubt && plan.asks {
            ask(stage, open, plan.deadline_ms).await;
        }
        let attempt = if doubt { sent } else { u32::from(plan.promises) };
        let told = send(stage, open, attempt, plan).await;
        standing_now = standing(told, doubt);
    }
    (standing_now == Standing::Open(true)).then_some(open)
}

/// What an answer means, if earlier sends were in doubt or not.
pub(super) fn standing(told: Told, doubt: bool) -> Standing {
    match told {
        Told::Coupon { .. } => Standing::Granted,
        Told::Nothing | Told::Unknown(_) => Standing::Open(true),
        // The rows that fill the limit are never deleted, so an earlier send cannot get in any more.
        Told::NotApplied(code @ Code::LimitReached) => Standing::Refused(code),
        Told::NotApplied(code) if is_final(code) && !doubt => Standing::Refused(code),
        Told::NotApplied(_) => Standing::Open(doubt),
    }
}

/// The same request gets the same answer again.
fn is_final(code: Code) -> bool {
    let rules = [Code::SoldOut, Code::LimitReached, Code::TemplatePaused, Code::TemplateClosed, Code::DeadlineExceeded];
    rules.contains(&code)
}

async fn send(stage: &Arc<Stage>, open: Open, attempt: u32, plan: ClaimPlan) -> Told {
    send_to(stage, stage.any_proxy(), open, attempt, plan.deadline_ms, plan.patience_ms).await
}

/// One send of a request, and what its caller was told.
pub async fn send_to(
    stage: &Arc<Stage>,
    slot: usize,
    open: Open,
    attempt: u32,
    deadline_ms: u64,
    patience_ms: u64,
) -> Told {
    let attempt_said = match attempt {
        0 => Attempt::Unsure,
        1 => Attempt::First,
        2.. => Attempt::Resend,
    };
    let history::Request { user, template, id } = open.what;
    let sent = {
        let mut world = stage.sim.world();
        let at = world.at();
        let number = open.request.0;
        world.note(format_args!("request {number} of user {user} to proxy {slot}, attempt {attempt}"));
        world.history.sent(open.request, at)
    };
    let asked = Asked::Claim { user, template, request: id, purpose: Purpose::Claim(attempt_said) };
    let told = match stage.ask(slot, asked, deadline_ms, patience_ms).await {
        Heard::Answer(response) => told(&response),
        // As the client library has it: nothing was sent, nothing is in doubt.
        Heard::NotSent => Told::NotApplied(Code::NotReady),
        Heard::Nothing => Told::Nothing,
    };
    let mut world = stage.sim.world();
    let (at, number) = (world.at(), open.request.0);
    world.note(format_args!("request {number} of user {user} is told {told:?}"));
    world.history.answered(sent, at, told);
    told
}

/// Asks what became of a request.
pub async fn ask(stage: &Arc<Stage>, open: Open, deadline_ms: u64) {
    let history::Request { user, template, id } = open.what;
    let asking = {
        let mut world = stage.sim.world();
        let at = world.at();
        world.history.asked(open.request, at)
    };
    let asked = Asked::Claim { user, template, request: id, purpose: Purpose::Ask };
    let heard = stage.ask(stage.any_proxy(), asked, deadline_ms, deadline_ms + 100).await;
    let Heard::Answer(response) = heard else { return };
    let found = match told(&response) {
        Told::Coupon { coupon, seq, .. } => Found::Coupon { coupon, seq },
        Told::NotApplied(Code::ClaimNotFound) => Found::NotFound,
        Told::NotApplied(code) | Told::Unknown(code) => Found::Failed(code),
        Told::Nothing => Found::Nothing,
    };
    let mut world = stage.sim.world();
    let (at, number) = (world.at(), open.request.0);
    world.note(format_args!("request {number} of user {user} is asked for: {found:?}"));
    world.history.found(asking, at, found);
}

/// What an answer to a claim says.
pub fn told(response: &Response) -> Told {
    let code = Code::try_from(response.code).unwrap_or(Code::Unspecified);
    if let (Code::Ok, Some(Answer::Coupon(coupon))) = (code, &response.result) {
        let id = CouponId::try_from_slice(&coupon.coupon_id);
        return id.map_or(Told::Unknown(code), |id| Told::Coupon {
            coupon: id,
            seq: coupon.seq,
            replayed: coupon.replayed,
        });
    }
    match code.disposition() {
        Some(Disposition::NotApplied) => Told::NotApplied(code),
        Some(Disposition::Applied | Disposition::Unknown) | None => Told::Unknown(code),
    }
}

/// A request of the end of a run: one more user who wants a coupon.
pub fn newcomer(stage: &Arc<Stage>, template: TemplateId, number: u64) -> Open {
    // Spread over the primaries.
    let user = UserId(200_000_000 + number * 7_919);
    let what = history::Request { user, template, id: id_of(stage, 2, number) };
    Open { request: stage.sim.world().history.request(what), what }
}
