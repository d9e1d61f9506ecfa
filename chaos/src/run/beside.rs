//! Beside the claims: a bulk job over a list and races for exchange codes, each with a template of its own, and packs of all of the
//! run's templates, in the same runs. Events and the patrol are on in every proxy; coupons of the job's template live for a few
//! seconds only. One more template is closed for good, and archived.
//!
//! - `bulk`: the job is submitted, submitted again, paused, resumed, at times cancelled. `codes`: users race for codes. `packs`: some
//!   of the same users want packs. `retired`: what is closed is archived.
//! - `asking`: many who ask until the answer is definite.
//! - `stillness`: after healing, until everything was told and what is over is written down.

mod asking;
mod bulk;
mod codes;
mod packs;
mod retired;
mod stillness;

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Client, Template, TemplateDefinition, TemplateId, Validity, mint_request_id};

pub(super) use self::stillness::{Still, still};

use self::bulk::Job;
use self::codes::{Codes, racer};
use self::packs::{Packs, Rivals};
use self::retired::Retired;
use super::bed::Bed;
use super::recorder::Recorder;
use super::{Error, RunSpec};
use crate::history::{History, TemplateFact};
use crate::oracle::{self, StoresView};

/// How long coupons of the job's template can be used.
const SHORT_S: u64 = 2;
const MONTH_S: u64 = 30 * 24 * 3_600;
/// Of a hundred claims that are offered, so many users are on the list.
const LISTED_PERCENT: u64 = 20;

/// What is beside the claims of one run.
#[derive(Debug)]
pub(super) struct Beside {
    listed: Template,
    job: Job,
    codes: Codes,
    packs: Packs,
    retired: Retired,
    rate: u32,
}

impl Beside {
    /// Templates and codes, before anything breaks. `main`: what the load claims. `seed`: of what is random.
    pub(super) async fn prepare(client: &Client, main: TemplateId, spec: &RunSpec, seed: u64) -> Result<Self, Error> {
        let offered = u64::from(spec.rate) * u64::try_from(spec.duration.as_millis()).unwrap_or(u64::MAX) / 1_000;
        let users = (offered * LISTED_PERCENT / 100).clamp(100, 5_000);
        // Every other run the list is longer than the stock.
        let total = if seed.is_multiple_of(2) { users - users / 20 } else { users + users / 10 };
        // What most packs take leaves it so.
        let listed = publish(client, "listed", total + packs::wanted(offered) / 2, 1, SHORT_S).await?;
        // Every code can be used up.
        let codes = Codes::prepare(client, offered, packs::units_max(offered), seed).await?;
        let job = Job::new(listed.template, users, spec.duration, seed);
        let rivals = Rivals { listed: job.users().to_vec(), racers: (0..codes.racers()).map(racer).collect() };
        let packs = Packs::new([main, listed.template, codes.template().template], rivals, offered, seed);
        let retired = Retired::prepare(client, main, offered, seed).await?;
        Ok(Self { job, listed, codes, packs, retired, rate: spec.rate })
    }

    /// Its templates.
    pub(super) fn facts(&self) -> [TemplateFact; 3] {
        [&self.listed, self.codes.template(), self.retired.template()].map(fact)
    }

    /// The template whose coupons are soon over.
    pub(super) fn short(&self) -> TemplateId {
        self.listed.template
    }

    /// For as long as there is load.
    pub(super) async fn run(&self, clients: &[Client], recorder: &Arc<Recorder>, duration: Duration) {
        tokio::join!(
            self.job.run(clients, recorder, duration),
            self.codes.run(clients, recorder, duration),
            self.packs.run(clients, recorder, duration, self.rate),
            self.retired.run(clients, recorder, duration)
        );
    }

    /// After healing: a template is closed, packs in doubt ask again, the job comes to its end, and every code is used up. Returns what did not come to its
    /// end.
    pub(super) async fn finish(&self, client: &Client, recorder: &Arc<Recorder>) -> Vec<String> {
        let mut problems = self.retired.finish(client, recorder).await;
        self.packs.finish(client, recorder).await;
        problems.extend(self.job.finish(client, recorder).await);
        problems.extend(self.codes.finish(client, recorder).await);
        problems
    }

    /// When what was closed is archived: is what its users were told still true? Returns what did not come to its end.
    pub(super) async fn archived(
        &self,
        bed: &Bed,
        client: &Client,
        recorder: &Arc<Recorder>,
    ) -> Result<Vec<String>, Error> {
        self.retired.archived(bed, client, recorder).await
    }

    /// When everything is sold: no pack is in doubt, and is what packs were told still true? Returns what did not come to its end.
    pub(super) async fn ask_again(&self, client: &Client, recorder: &Arc<Recorder>) -> Vec<String> {
        self.packs.ask_again(client, recorder).await
    }
}

/// Whether a finding of the audit is what a fail-over may have left: entries of a job and uses of codes that are gone while meta, or
/// another primary, has what came of them; and coupons of what was sold out by then.
pub(super) fn may_be_lost(history: &History, view: &StoresView, finding: &serde_json::Value) -> bool {
    let kind = finding["kind"].as_str().unwrap_or_default();
    let on_it = || history.losses().iter().any(|lost| finding["primary"].as_u64() == Some(lost.primary.0.into()));
    match kind {
        "bulk_pending" | "bulk_list_differs" => on_it(),
        // A coupon is where its user lives, and the use that may be gone where the code lives.
        "code_use_missing" | "code_coupon_differs" => !history.losses().is_empty(),
        "sold_out_too_soon" => {
            let number = |key: &str| finding[key].as_str().and_then(|text| text.parse::<u64>().ok());
            let template =
                finding["template"].as_u64().and_then(|id| TemplateId::try_new(u32::try_from(id).ok()?).ok());
            let (Some(total), Some(issued), Some(template)) = (number("expected"), number("found"), template) else {
                return false;
            };
            oracle::may_stay_unsold(history, view, template, total.saturating_sub(issued))
        }
        _ => false,
    }
}

/// What the history says of a template.
pub(super) fn fact(template: &Template) -> TemplateFact {
    TemplateFact {
        template: template.template,
        total_stock: template.definition.total_stock,
        per_user_limit: template.definition.per_user_limit,
    }
}

/// A template to claim from.
pub(super) async fn publish(
    client: &Client,
    name: &str,
    total: u64,
    limit: u32,
    lasts_s: u64,
) -> Result<Template, Error> {
    let validity = Validity::Relative { starts_after_s: 0, lasts_s };
    let definition = TemplateDefinition::new(name, total, limit, validity);
    let created = client.create_template(mint_request_id(), definition).await?;
    Ok(client.publish(created.template).await?)
}

/// A template whose coupons last.
pub(super) async fn publish_lasting(client: &Client, name: &str, total: u64, limit: u32) -> Result<Template, Error> {
    publish(client, name, total, limit, MONTH_S).await
}
