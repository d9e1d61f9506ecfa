//! Orders: each takes coupons that its user was told of, and locks, redeems, unlocks, returns them.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Code, OrderId, UserId};
use scrip_protocol::Fault;
use scrip_proxy::order::OrderRequest;
use scrip_proxy::order::rules::Wish;
use scrip_proxy::store::steps::CouponKey;
use tokio::time::{Instant, sleep};

use super::fleet::{Asked, Heard};
use super::plan::OrderPlan;
use super::stage::Stage;
use crate::history::{Act, Deed, DeedIndex, DeedTold, Told};

/// How often a user looks whether there is a coupon by now.
const LOOK_EVERY: Duration = Duration::from_millis(40);
const DEADLINE_MS: u64 = 2_000;

/// A deed whose outcome its caller does not know.
#[derive(Debug, Clone, Copy)]
pub struct OpenDeed {
    /// Its number in the history.
    pub deed: DeedIndex,
    /// The number of its order in the plan.
    pub order: usize,
}

/// One order, from its first act to its last before the healing. What is in doubt at its end comes back.
pub async fn order(stage: Arc<Stage>, index: usize, begun: Instant) -> Vec<OpenDeed> {
    let plan = stage.plan.orders[index].clone();
    sleep(Duration::from_millis(plan.at_ms).saturating_sub(begun.elapsed())).await;
    let Some(coupons) = coupons(&stage, &plan).await else { return Vec::new() };
    let (user, mut open) = (UserId(plan.user), Vec::new());
    let Ok(order) = OrderId::try_new(&format!("order-{index}")) else { return open };
    for (at, act) in plan.acts.iter().enumerate() {
        if at > 0 && plan.pause_ms > 0 {
            stage.pause(Duration::from_millis(plan.pause_ms)).await;
        }
        let deed = Deed { user, order: order.clone(), act: *act, coupons: coupons.clone() };
        let deed = OpenDeed { deed: stage.sim.world().history.deed(deed), order: index };
        let told = until_sent(&stage, &plan, deed).await;
        // An unlocking waits for nothing: whatever becomes of the deed before, the order is done then.
        let goes_on = told == DeedTold::Done || plan.acts.get(at + 1) == Some(&Act::Unlock);
        if told.is_doubt() {
            open.push(deed);
        }
        if !goes_on {
            break;
        }
    }
    open
}

/// Sends a deed in doubt again until its answer is definite. Nothing that was sent before is on its way any more.
pub async fn resolve(stage: &Arc<Stage>, open: OpenDeed, until: Instant) {
    let plan =
        OrderPlan { deadline_ms: DEADLINE_MS, patience_ms: DEADLINE_MS + 100, ..stage.plan.orders[open.order].clone() };
    while Instant::now() < until {
        if is_definite(send(stage, &plan, open.deed, stage.any_proxy()).await) {
            return;
        }
        sleep(Duration::from_millis(stage.dice(|dice| dice.within(10..=150)))).await;
    }
    stage.sim.world().find(format!("deed {}: no definite answer after the healing", open.deed.0));
}

/// Coupons of the user, those of its last claims first; `None`: there is none before the healing.
async fn coupons(stage: &Arc<Stage>, plan: &OrderPlan) -> Option<Vec<(scrip_client::TemplateId, u16)>> {
    loop {
        let told: Vec<_> = {
            let world = stage.sim.world();
            let requests = world.history.requests();
            let of_user = |sent: &&crate::history::Sent| requests[sent.request.0 as usize].user.get() == plan.user;
            let coupon = |sent: &crate::history::Sent| match sent.told {
                Told::Coupon { seq, .. } => {
                    Some((requests[sent.request.0 as usize].template, u16::try_from(seq).ok()?))
                }
                Told::Nothing | Told::NotApplied(_) | Told::Unknown(_) => None,
            };
            world.history.sends().iter().rev().filter(of_user).filter_map(coupon).collect()
        };
        let mut coupons: Vec<_> = Vec::new();
        for coupon in told {
            if !coupons.contains(&coupon) && coupons.len() < plan.coupons_max {
                coupons.push(coupon);
            }
        }
        if !coupons.is_empty() {
            return Some(coupons);
        }
        if stage.is_healed() {
            return None;
        }
        stage.pause(LOOK_EVERY).await;
    }
}

/// What the caller knows in the end.
async fn until_sent(stage: &Arc<Stage>, plan: &OrderPlan, open: OpenDeed) -> DeedTold {
    let mut told = if plan.doubled {
        let sends = [stage.any_proxy(), stage.any_proxy()].map(|slot| send(stage, plan, open.deed, slot));
        let [one, other] = sends;
        let (one, other) = tokio::join!(biased; one, other);
        both(one, other)
    } else {
        send_alone(stage, plan, open.deed, false).await
    };
    for _ in 1..plan.sends_max {
        if is_definite(told) || stage.is_healed() {
            break;
        }
        stage.pause(Duration::from_millis(stage.dice(|dice| dice.within(1..=200)))).await;
        let again = send_alone(stage, plan, open.deed, told.is_doubt()).await;
        told = after(told, again);
    }
    told
}

/// Of two sends of one deed at once.
fn both(one: DeedTold, other: DeedTold) -> DeedTold {
    match (one, other) {
        (DeedTold::Done, _) | (_, DeedTold::Done) => DeedTold::Done,
        (doubt, _) | (_, doubt) if doubt.is_doubt() => doubt,
        (one, _) => one,
    }
}

/// A refusal does not say what becomes of an earlier send in doubt.
fn after(before: DeedTold, again: DeedTold) -> DeedTold {
    match again {
        DeedTold::NotApplied(_) if before.is_doubt() => before,
        again => again,
    }
}

fn is_definite(told: DeedTold) -> bool {
    match told {
        DeedTold::Done => true,
        DeedTold::NotApplied(code) => code.fault() == Some(Fault::Rules),
        DeedTold::Nothing | DeedTold::Unknown(_) => false,
    }
}

/// One send with no other one at the same time. Told *not applied*, the deed has no step at that moment.
async fn send_alone(stage: &Arc<Stage>, plan: &OrderPlan, deed: DeedIndex, in_doubt: bool) -> DeedTold {
    let told = send(stage, plan, deed, stage.any_proxy()).await;
    if let (DeedTold::NotApplied(code), false) = (told, in_doubt) {
        let mut world = stage.sim.world();
        if world.has_step(deed) {
            world.find(format!("deed {}: told {}, not applied, and applied", deed.0, code.as_str_name()));
        }
    }
    told
}

async fn send(stage: &Arc<Stage>, plan: &OrderPlan, deed: DeedIndex, slot: usize) -> DeedTold {
    let (request, sent) = {
        let mut world = stage.sim.world();
        let Deed { user, order, act, coupons } = world.history.deeds()[deed.0 as usize].clone();
        let (at, number) = (world.at(), deed.0);
        world.note(format_args!("deed {number} to proxy {slot}: order {order} of user {user}: {act:?} {coupons:?}"));
        let wish = match act {
            Act::Lock => Wish::Lock { ttl_ms: plan.ttl_ms },
            Act::Redeem => Wish::Redeem { amount_minor: plan.amount_minor },
            Act::Unlock => Wish::Unlock,
            Act::Return => Wish::Return,
        };
        let wishes = coupons.into_iter().map(|(template, seq)| (CouponKey { user, template, seq }, wish)).collect();
        (OrderRequest { order, wishes }, world.history.deed_sent(deed, at))
    };
    let told = match stage.ask(slot, Asked::Order(request), plan.deadline_ms, plan.patience_ms).await {
        Heard::Answer(response) => match Code::try_from(response.code).unwrap_or(Code::Unspecified) {
            Code::Ok => DeedTold::Done,
            code => DeedTold::refused(code),
        },
        Heard::NotSent => DeedTold::NotApplied(Code::NotReady),
        Heard::Nothing => DeedTold::Nothing,
    };
    let mut world = stage.sim.world();
    let (at, number) = (world.at(), deed.0);
    world.note(format_args!("deed {number} is told {told:?}"));
    world.history.deed_answered(sent, at, told);
    told
}
