//! Exchange codes: a batch is created, and users race for its codes.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Code, CodeBatchId, UserId};
use scrip_protocol::Fault;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{ClaimByCode, CreateCodeBatch};
use scrip_proxy::coupon_id::CouponKey;
use scrip_proxy::exchange::code::{CodeKey, Codes};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{self, id_of};
use super::fleet::{Asked, Heard};
use super::plan::CodeClaimPlan;
use super::stage::Stage;
use crate::history::{CodeFact, CodeRef, RequestIndex, Told};

const DEADLINE_MS: u64 = 2_000;

/// A claim by code that has no coupon yet.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its number in the history.
    pub request: RequestIndex,
    user: UserId,
    text: String,
}

/// One batch, and everybody who claims with it, until all is healed. Whoever has no coupon comes back.
pub async fn batch(stage: Arc<Stage>, index: usize, begun: Instant) -> Vec<Open> {
    let Some(batch) = create(&stage, index).await else { return Vec::new() };
    let mut claims = JoinSet::new();
    for (number, plan) in stage.plan.codes[index].claims.clone().into_iter().enumerate() {
        claims.spawn(claim(Arc::clone(&stage), (index, number), plan, batch, begun));
    }
    claims.join_all().await.into_iter().flatten().collect()
}

async fn create(stage: &Arc<Stage>, index: usize) -> Option<CodeBatchId> {
    let plan = &stage.plan.codes[index];
    let (request, template) = (id_of(stage, 7, index as u64), stage.templates.lock()[plan.template]);
    let (count, uses) = (plan.count, plan.uses);
    while !stage.is_healed() {
        let create = CreateCodeBatch { request_id: request.to_bytes(), template_id: template.get(), count, uses };
        let heard = stage.ask(stage.any_proxy(), Asked::Codes(create), DEADLINE_MS, DEADLINE_MS + 100).await;
        if let Heard::Answer(response) = heard
            && let Some(Answer::CodeBatch(made)) = response.result
        {
            let batch = CodeBatchId::try_new(made.batch_id).ok()?;
            stage.sim.world().history.code_batch(CodeFact { batch, request, template, count, uses });
            return Some(batch);
        }
        stage.pause(Duration::from_millis(stage.dice(|dice| dice.within(20..=200)))).await;
    }
    None
}

async fn claim(
    stage: Arc<Stage>,
    (index, number): (usize, usize),
    plan: CodeClaimPlan,
    batch: CodeBatchId,
    begun: Instant,
) -> Option<Open> {
    sleep(Duration::from_millis(plan.at_ms).saturating_sub(begun.elapsed())).await;
    let codes = Codes::new(&CouponKey::new([7; 16]));
    let text = codes.encode(CodeKey { batch, index: plan.index }, "");
    let user = UserId(plan.user);
    let template = stage.templates.lock()[stage.plan.codes[index].template];
    let placeholder = id_of(&stage, 8, (index * 1_000 + number) as u64);
    let code = CodeRef { batch, index: plan.index };
    let request = stage.sim.world().history.request_by_code(user, template, code, placeholder);
    let open = Open { request, user, text };
    let (deadline_ms, patience_ms) = (plan.deadline_ms, plan.patience_ms);
    let mut told = if plan.doubled {
        let sends =
            [send(&stage, &open, 0, deadline_ms, patience_ms), send(&stage, &open, 0, deadline_ms, patience_ms)];
        let [one, other] = sends;
        let (one, other) = tokio::join!(biased; one, other);
        if matches!(one, Told::Coupon { .. }) { one } else { other }
    } else {
        send(&stage, &open, 1, deadline_ms, patience_ms).await
    };
    for attempt in 2..=plan.sends_max {
        if is_definite(told) || stage.is_healed() {
            break;
        }
        stage.pause(Duration::from_millis(stage.dice(|dice| dice.within(5..=250)))).await;
        told = send(&stage, &open, attempt, deadline_ms, patience_ms).await;
    }
    (!matches!(told, Told::Coupon { .. })).then_some(open)
}

/// Sends a claim by code again until the answer is definite. Nothing that was sent before is on its way any more.
pub async fn resolve(stage: &Arc<Stage>, open: Open, until: Instant) {
    while Instant::now() < until {
        if is_definite(send(stage, &open, 2, DEADLINE_MS, DEADLINE_MS + 100).await) {
            return;
        }
        sleep(Duration::from_millis(stage.dice(|dice| dice.within(10..=150)))).await;
    }
    stage.sim.world().find(format!("request {} by code: no definite answer after the healing", open.request.0));
}

fn is_definite(told: Told) -> bool {
    match told {
        Told::Coupon { .. } => true,
        Told::NotApplied(code) => code.fault() == Some(Fault::Rules),
        Told::Unknown(_) | Told::Nothing => false,
    }
}

async fn send(stage: &Arc<Stage>, open: &Open, attempt: u32, deadline_ms: u64, patience_ms: u64) -> Told {
    let slot = stage.any_proxy();
    let (number, user) = (open.request.0, open.user);
    let sent = {
        let mut world = stage.sim.world();
        let at = world.at();
        world.note(format_args!("request {number} by code of user {user} to proxy {slot}, attempt {attempt}"));
        world.history.sent(open.request, at)
    };
    let claim = ClaimByCode { user_id: user.get(), code: open.text.clone(), attempt };
    let told = match stage.ask(slot, Asked::ByCode(claim), deadline_ms, patience_ms).await {
        Heard::Answer(response) => client::told(&response),
        // As the client library has it: nothing was sent, nothing is in doubt.
        Heard::NotSent => Told::NotApplied(Code::NotReady),
        Heard::Nothing => Told::Nothing,
    };
    let mut world = stage.sim.world();
    let at = world.at();
    world.note(format_args!("request {number} by code of user {user} is told {told:?}"));
    world.history.answered(sent, at, told);
    told
}
