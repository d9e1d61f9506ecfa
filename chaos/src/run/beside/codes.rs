//! Exchange codes while things break: several users race for a code, each through any client, some of them twice at once; whoever
//! is in doubt asks again with the same code, which finds the same use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrip_client::{Client, CodeBatch, NewCodeBatch, Template, UserId, mint_request_id};
use scrip_protocol::Fault;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::asking::Asking;
use super::publish_lasting;
use crate::history::{CodeFact, CodeRef, RequestIndex, Told};
use crate::run::Error;
use crate::run::recorder::Recorder;

/// Users who race start here; those who use the codes up in the end, there.
const FIRST_USER: u64 = 4_000_000_000;
const LAST_USER: u64 = 4_500_000_000;
/// Coupons of the codes that one user may have: some take a use and cannot have its coupon.
const LIMIT: u32 = 3;
/// Uses of a code of the second batch.
const USES: u32 = 5;
/// Units beyond the uses, and those that packs want.
const SPARE: u64 = 20;
/// One claim by code for so many claims.
const SHARE: u64 = 10;
/// Claims by code under way at once.
const CLAIMS_MAX: usize = 64;
/// Codes that are raced for at a time.
const OPEN_CODES: usize = 4;
const RESOLVE_LIMIT: Duration = Duration::from_secs(60);

/// The codes of one run.
#[derive(Debug)]
pub(super) struct Codes {
    template: Template,
    batches: [CodeBatch; 2],
    codes: Vec<(CodeRef, String)>,
    claims: u64,
    seed: u64,
    known: Arc<Mutex<HashMap<(CodeRef, UserId), RequestIndex>>>,
}

impl Codes {
    /// A batch of single-use codes, and one of codes that several can use. `offered`: claims of the run; `packed`: units
    /// for others.
    pub(super) async fn prepare(client: &Client, offered: u64, packed: u64, seed: u64) -> Result<Self, Error> {
        let claims = (offered / SHARE).clamp(60, 3_000);
        // Far below 2^32.
        let (single, several) = ((claims / 4) as u32, (claims / 40).max(2) as u32);
        let total = u64::from(single) + u64::from(several * USES) + SPARE + packed;
        let template = publish_lasting(client, "coded", total, LIMIT).await?;
        let create = |count, uses| {
            let new = NewCodeBatch { uses, ..NewCodeBatch::new(template.template, count) };
            async move { client.codes().create(mint_request_id(), new).await }
        };
        let batches = [create(single, 1).await?, create(several, USES).await?];
        let mut codes = Vec::new();
        for batch in &batches {
            let (mut exported, mut index) = (client.codes().export(batch.batch), 0);
            while let Some(code) = exported.next().await? {
                codes.push((CodeRef { batch: batch.batch, index }, code));
                index += 1;
            }
        }
        let mut random = StdRng::seed_from_u64(seed ^ 0xc0de);
        // Those of both batches all over the time.
        for at in (1..codes.len()).rev() {
            codes.swap(at, random.random_range(0..=at));
        }
        Ok(Self { template, batches, codes, claims, seed, known: Arc::default() })
    }

    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// How many users race.
    pub(super) fn racers(&self) -> u64 {
        self.claims / 3
    }

    /// Until the load ends.
    pub(super) async fn run(&self, clients: &[Client], recorder: &Arc<Recorder>, duration: Duration) {
        for CodeBatch { batch, request_id, new, .. } in self.batches {
            let NewCodeBatch { template, count, uses } = new;
            recorder.code_batch(CodeFact { batch, request: request_id, template, count, uses });
        }
        let mut random = StdRng::seed_from_u64(self.seed ^ 0xc0de_0001);
        let gap = duration / u32::try_from(self.claims).unwrap_or(u32::MAX);
        let (permits, mut sends) = (Arc::new(Semaphore::new(CLAIMS_MAX)), JoinSet::new());
        for number in 0..self.claims {
            let open = (number as usize * self.codes.len() / self.claims as usize) + random.random_range(0..OPEN_CODES);
            let (code, text) = &self.codes[open.min(self.codes.len() - 1)];
            let user = racer(random.random_range(0..self.racers()));
            let again = if random.random_bool(0.2) { 2 } else { 1 };
            let request = self.request(recorder, *code, user);
            for _ in 0..again {
                let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else { continue };
                let client = clients[random.random_range(0..clients.len())].clone();
                let (recorder, text) = (Arc::clone(recorder), text.clone());
                sends.spawn(async move {
                    send(&client, &recorder, request, user, &text).await;
                    drop(permit);
                });
            }
            while sends.try_join_next().is_some() {}
            sleep(gap).await;
        }
        sends.join_all().await;
    }

    /// The same user and code are one request.
    fn request(&self, recorder: &Recorder, code: CodeRef, user: UserId) -> RequestIndex {
        let new = || recorder.request_by_code(user, self.template.template, code);
        *self.known.lock().entry((code, user)).or_insert_with(new)
    }

    /// Whoever asked asks once more, until the answer is definite; then others use up every code. Returns what did not come to
    /// its end.
    pub(super) async fn finish(&self, client: &Client, recorder: &Arc<Recorder>) -> Vec<String> {
        let mut known: Vec<_> = self.known.lock().iter().map(|(key, request)| (*key, *request)).collect();
        known.sort_by_key(|(_, request)| *request);
        let texts: HashMap<CodeRef, &String> = self.codes.iter().map(|(code, text)| (*code, text)).collect();
        let mut asking = Asking::default();
        for ((code, user), request) in known {
            let (client, recorder, text) = (client.clone(), Arc::clone(recorder), texts[&code].clone());
            asking.add(async move { until_definite(&client, &recorder, request, user, &text).await.err() }).await;
        }
        asking.end().await;
        for (number, (code, text)) in self.codes.iter().enumerate() {
            let users: Vec<(UserId, RequestIndex)> = (0..u64::from(USES) + 1)
                .map(|try_no| UserId(LAST_USER + (number as u64 * 100 + try_no) * 7_919))
                .map(|user| (user, self.request(recorder, *code, user)))
                .collect();
            let (client, recorder, text, code) = (client.clone(), Arc::clone(recorder), text.clone(), *code);
            asking.add(async move { use_up(&client, &recorder, (code, &text), &users).await }).await;
        }
        asking.end().await;
        asking.problems()
    }
}

/// One of those who race.
pub(super) fn racer(number: u64) -> UserId {
    UserId(FIRST_USER + number * 7_919)
}

/// New users take what is left of a code, until one is told that it is used up.
async fn use_up(
    client: &Client,
    recorder: &Recorder,
    (code, text): (CodeRef, &str),
    users: &[(UserId, RequestIndex)],
) -> Option<String> {
    for (user, request) in users {
        match until_definite(client, recorder, *request, *user, text).await {
            Ok(Told::NotApplied(scrip_client::Code::CodeUsedUp)) => return None,
            Ok(_) => {}
            Err(problem) => return Some(problem),
        }
    }
    Some(format!("{code:?} is not used up by {} more users", users.len()))
}

async fn until_definite(
    client: &Client,
    recorder: &Recorder,
    request: RequestIndex,
    user: UserId,
    text: &str,
) -> Result<Told, String> {
    let deadline = Instant::now() + RESOLVE_LIMIT;
    let mut told = Told::Nothing;
    while Instant::now() < deadline {
        told = send(client, recorder, request, user, text).await;
        match told {
            Told::Coupon { .. } => return Ok(told),
            Told::NotApplied(code) if code.fault() == Some(Fault::Rules) => return Ok(told),
            Told::NotApplied(_) | Told::Unknown(_) | Told::Nothing => sleep(Duration::from_millis(50)).await,
        }
    }
    Err(format!("a claim by code of user {user} has no definite answer {RESOLVE_LIMIT:?} after healing: {told:?}"))
}

/// One call, written down.
async fn send(client: &Client, recorder: &Recorder, request: RequestIndex, user: UserId, text: &str) -> Told {
    let sent = recorder.sending_code(request);
    let told = Told::of_code(&client.claim_by_code(user, text).await);
    recorder.answered_code(sent, told);
    told
}
