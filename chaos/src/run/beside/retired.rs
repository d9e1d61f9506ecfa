//! A template that is closed for good while things break: its coupons end soon, and the patrol moves them to files, whoever of the
//! proxies lives. Afterwards everybody who claimed from it asks again: the coupons are gone, and the answers stay.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrip_client::{Client, Template, TemplateId, UserId, mint_request_id};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::packs;
use crate::history::{Action, OperationTold, PackIndex, RequestIndex};
use crate::oracle::{StoresView, parts};
use crate::run::bed::Bed;
use crate::run::load::drain;
use crate::run::operator::operate;
use crate::run::recorder::{Intended, Recorder};
use crate::run::{Error, finish};

/// Users who claim from it start here.
const FIRST_USER: u64 = 9_100_000_000;
/// How long its coupons can be used.
const LASTS_S: u64 = 1;
/// Coupons that one user may have.
const LIMIT: u32 = 2;
/// One claim from it for so many claims.
const SHARE: u64 = 10;
/// One pack with a coupon of it for so many claims from it.
const PACK_SHARE: u64 = 8;
/// What part of the load's time it is open for.
const OPEN: f64 = 0.25;
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const CLOSE_LIMIT: Duration = Duration::from_secs(30);
/// The lease of a dead patrol runs out, and a few rounds are walked.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(90);

/// The template of one run.
#[derive(Debug)]
pub(super) struct Retired {
    template: Template,
    /// What the load claims: packs are of both.
    main: TemplateId,
    claims: u64,
    seed: u64,
}

impl Retired {
    /// `offered`: claims of the run. Every user gets what is wanted.
    pub(super) async fn prepare(client: &Client, main: TemplateId, offered: u64, seed: u64) -> Result<Self, Error> {
        let claims = (offered / SHARE).clamp(60, 2_000);
        let template = super::publish(client, "retired", 2 * claims, LIMIT, LASTS_S).await?;
        Ok(Self { template, main, claims, seed })
    }

    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// Claims for a while, then closes it. Until the load ends.
    pub(super) async fn run(&self, clients: &[Client], recorder: &Arc<Recorder>, duration: Duration) {
        let mut random = StdRng::seed_from_u64(self.seed ^ 0xdead);
        let (mut streams, mut sends) = (Vec::new(), JoinSet::new());
        streams.extend(clients.iter().map(|client| client.claim_stream(4 * self.claims as usize)));
        let gap = duration.mul_f64(OPEN) / u32::try_from(self.claims).unwrap_or(u32::MAX);
        for number in 0..self.claims {
            // Half of the users want two coupons, and some a third.
            let user = UserId(FIRST_USER + number * 2 / 3 * 7_919);
            let request = recorder.request_of(user, self.template.template, mint_request_id());
            for _ in 0..random.random_range(1..=2) {
                let intended = Intended { request, at: recorder.now(), first_try: false };
                let stream = &streams[random.random_range(0..streams.len())];
                stream.submit(&mut recorder.sending(&[intended]).into_iter());
            }
            if number % PACK_SHARE == 0 {
                let (pack, client) =
                    (self.pack(recorder, user), clients[random.random_range(0..clients.len())].clone());
                let recorder = Arc::clone(recorder);
                sends.spawn(async move { packs::send(&client, &recorder, pack).await });
            }
            sleep(gap).await;
        }
        let end = Instant::now() + duration.mul_f64(1.0 - OPEN);
        while Instant::now() < end && !self.close(&clients[random.random_range(0..clients.len())], recorder).await {
            sleep(AGAIN_AFTER).await;
        }
        for stream in &streams {
            drain(stream, recorder).await;
        }
        sends.join_all().await;
    }

    fn pack(&self, recorder: &Recorder, user: UserId) -> PackIndex {
        recorder.pack(user, mint_request_id(), vec![(self.template.template, 1), (self.main, 1)])
    }

    /// One try.
    async fn close(&self, client: &Client, recorder: &Recorder) -> bool {
        operate(client, recorder, self.template.template, Action::Close).await == OperationTold::Done
    }

    /// After healing: it is closed. Returns what did not come to its end.
    pub(super) async fn finish(&self, client: &Client, recorder: &Recorder) -> Vec<String> {
        let deadline = Instant::now() + CLOSE_LIMIT;
        while Instant::now() < deadline {
            if self.close(client, recorder).await {
                return Vec::new();
            }
            sleep(AGAIN_AFTER).await;
        }
        vec![format!("template {} is not closed {CLOSE_LIMIT:?} after healing", self.template.template)]
    }

    /// Waits until all of its coupons are in files; then whoever claimed asks again, and sends again. Returns what did not come to
    /// its end.
    pub(super) async fn archived(
        &self,
        bed: &Bed,
        client: &Client,
        recorder: &Arc<Recorder>,
    ) -> Result<Vec<String>, Error> {
        let (deadline, template) = (Instant::now() + ARCHIVE_LIMIT, self.template.template);
        let mut problems = Vec::new();
        loop {
            let view = StoresView::read(&bed.testbed, &bed.topology).await?.only(&[template]);
            let left = view.coupons.iter().filter(|row| !row.archived).count();
            let parts = parts(&bed.testbed.archive_folder()).unwrap_or(usize::MAX);
            if (left, parts) == (0, 0) {
                break;
            }
            if Instant::now() >= deadline {
                problems
                    .push(format!("{left} coupons are not archived after {ARCHIVE_LIMIT:?}, {parts} parts are left"));
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        let history = recorder.history();
        let own = (0u32..).zip(history.requests()).filter(|(_, request)| request.template == template);
        let own: Vec<RequestIndex> = own.map(|(number, _)| RequestIndex(number)).collect();
        finish::ask_about(client, recorder, &history, own).await;
        let packs = (0u32..).zip(history.packs()).filter(|(_, pack)| pack.templates().any(|of| of == template));
        problems.extend(packs::all_definite(client, recorder, packs.map(|(number, _)| PackIndex(number))).await);
        Ok(problems)
    }
}
