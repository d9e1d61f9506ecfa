//! The end of a run: all faults are over. Whatever is in doubt is asked until it is known, and everybody claims until all
//! is sold.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Code, TemplateId};
use scrip_protocol::v1::TemplateAction;
use tokio::time::{Instant, sleep};

use super::client::{self, Open, newcomer, send_to};
use super::order::{self, OpenDeed};
use super::pack::{self, OpenPack};
use super::stage::Stage;
use super::{bulk, code, operator};
use crate::history::Told;

/// How long after the healing a request may take until its answer is definite: the longest time limit of a store, what a
/// settle that was left behind waits for, and then some.
const PATIENCE: Duration = Duration::from_secs(25);
/// A job waits for the lease of a proxy that died, and for its rate.
const JOB_PATIENCE: Duration = Duration::from_secs(60);
const DEADLINE_MS: u64 = 2_000;
/// Everything that was on the way has arrived by then.
pub(super) const QUIET: Duration = Duration::from_secs(9);
/// By then every proxy has read the templates anew.
const REFRESHED: Duration = Duration::from_secs(3);
/// By then somebody patrols each primary, even if the lease of a proxy that is dead was taken late.
pub(super) const PATROLS: Duration = Duration::from_secs(16);
/// More than any template has left.
const NEWCOMERS_MAX: u64 = 400;

/// What is in doubt when all is healed.
#[derive(Debug)]
pub struct Left {
    /// Claims.
    pub open: Vec<Open>,
    /// Claims by code.
    pub by_code: Vec<code::Open>,
    /// What orders wanted.
    pub deeds: Vec<OpenDeed>,
    /// Packs.
    pub packs: Vec<OpenPack>,
}

/// From the healing to the moment when everything is still.
pub async fn run(stage: &Arc<Stage>, Left { open, by_code, deeds, packs }: Left) {
    let templates = stage.templates.lock().clone();
    if stage.plan.pauses() {
        // A pause that was on the way for long may arrive after the resumption that its operator sent later.
        sleep(QUIET).await;
        for template in &templates {
            operator::set_status(stage, *template, TemplateAction::Resume).await;
        }
    }
    for open in open {
        resolve(stage, open).await;
    }
    for open in by_code {
        code::resolve(stage, open, Instant::now() + PATIENCE).await;
    }
    for index in 0..stage.plan.jobs.len() {
        bulk::finish(stage, index, Instant::now() + JOB_PATIENCE).await;
    }
    if !deeds.is_empty() {
        // What was sent before has arrived or never will, so that the next answer is the last word.
        sleep(QUIET).await;
    }
    for open in deeds {
        order::resolve(stage, open, Instant::now() + PATIENCE).await;
    }
    if stage.plan.patrol.is_some() {
        sleep(PATROLS).await;
    }
    // A proxy may say "sold out" until it has read of a replenishment.
    sleep(REFRESHED).await;
    let mut number = 0;
    for template in templates {
        sell_out(stage, template, &mut number).await;
    }
    // Not before: a pack of more units than are left is refused for good only when none is.
    for open in packs {
        pack::resolve(stage, open, Instant::now() + PATIENCE).await;
    }
    sleep(QUIET).await;
    if stage.plan.patrol.is_some() {
        // The last coupons come to their end as well.
        let lasts_s = stage.plan.templates.iter().map(|template| template.lasts_s).max().unwrap_or(0);
        sleep(Duration::from_secs(lasts_s)).await;
    }
    stage.sim.world().note(format_args!("THE END"));
}

/// Sends a request in doubt again until its answer is definite.
async fn resolve(stage: &Arc<Stage>, open: Open) {
    if stage.dice(|dice| dice.chance(300)) {
        client::ask(stage, open, DEADLINE_MS).await;
    }
    if until_definite(stage, open, 2).await.is_none() {
        let number = open.request.0;
        stage.sim.world().find(format!("request {number}: no definite answer after the healing"));
    }
}

async fn until_definite(stage: &Arc<Stage>, open: Open, attempt: u32) -> Option<Told> {
    let patience = Instant::now() + PATIENCE;
    let mut attempt = attempt;
    while Instant::now() < patience {
        let told = send_to(stage, stage.any_proxy(), open, attempt, DEADLINE_MS, DEADLINE_MS + 100).await;
        match told {
            Told::Coupon { .. } => return Some(told),
            Told::NotApplied(Code::SoldOut | Code::LimitReached | Code::DailyLimitReached | Code::TemplateClosed) => {
                return Some(told);
            }
            Told::NotApplied(_) => {}
            Told::Nothing | Told::Unknown(_) => attempt = attempt.max(1) + 1,
        }
        sleep(Duration::from_millis(stage.dice(|dice| dice.within(10..=150)))).await;
    }
    None
}

/// New users claim until they are told that all is sold, by every proxy.
async fn sell_out(stage: &Arc<Stage>, template: TemplateId, number: &mut u64) {
    let mut refused = 0;
    for _ in 0..NEWCOMERS_MAX {
        *number += 1;
        let open = newcomer(stage, template, *number);
        match until_definite(stage, open, 1).await {
            Some(Told::NotApplied(_)) => refused += 1,
            Some(_) => refused = 0,
            None => {
                let text = format!("template {template}: a claim has no definite answer after the healing");
                return stage.sim.world().find(text);
            }
        }
        if refused >= stage.plan.size.proxies {
            return;
        }
    }
    stage.sim.world().find(format!("template {template} does not sell out"));
}
