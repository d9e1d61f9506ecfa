//! Packs while things break: of two or three of the run's templates, for users who claim single coupons of the same templates at
//! the same time, and for others. Some are sent twice at once, whoever is in doubt sends again through any client, and some send
//! again although they know.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use scrip_client::{Client, Code, TemplateId, UserId, mint_request_id};
use scrip_protocol::Fault;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::asking::Asking;
use crate::history::PackIndex;
use crate::run::load;
use crate::run::recorder::Recorder;

/// Users with nothing but packs start here.
const FIRST_USER: u64 = 9_000_000_000;
/// One pack for so many claims.
const SHARE: u64 = 20;
/// Coupons of one template in a pack, at most.
const COUNT_MAX: u8 = 2;
/// Packs under way at once.
const PACKS_MAX: usize = 64;
/// Sends of a pack while things break.
const SENDS_MAX: usize = 4;
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const RESOLVE_LIMIT: Duration = Duration::from_secs(60);
/// Packs that are sent once more at the very end.
const SAMPLE: usize = 200;

/// Whom packs are for.
#[derive(Debug, Clone)]
pub(super) struct Rivals {
    /// On the list of the job.
    pub(super) listed: Vec<UserId>,
    /// Those who race for codes.
    pub(super) racers: Vec<UserId>,
}

/// The packs of one run.
#[derive(Debug)]
pub(super) struct Packs {
    /// What the load claims, what the job issues, and what codes give, with how many of each a pack has at most.
    templates: [(TemplateId, u8); 3],
    rivals: Rivals,
    wanted: u64,
    seed: u64,
}

/// One pack that is about to be sent.
struct Plan {
    pack: PackIndex,
    clients: Vec<Client>,
    doubled: bool,
    /// Sent again although the answer was definite.
    again: bool,
}

/// How many packs are wanted of a run with so many claims.
pub(super) fn wanted(offered: u64) -> u64 {
    (offered / SHARE).clamp(30, 1_500)
}

/// How many units of one template they take at most.
pub(super) fn units_max(offered: u64) -> u64 {
    wanted(offered) * u64::from(COUNT_MAX)
}

impl Packs {
    /// `templates`: what the load claims, what the job issues (one to a user), and what codes give.
    pub(super) fn new([main, listed, coded]: [TemplateId; 3], rivals: Rivals, offered: u64, seed: u64) -> Self {
        Self { templates: [(main, COUNT_MAX), (listed, 1), (coded, COUNT_MAX)], rivals, wanted: wanted(offered), seed }
    }

    /// Until the load ends.
    pub(super) async fn run(&self, clients: &[Client], recorder: &Arc<Recorder>, duration: Duration, rate: u32) {
        let mut random = StdRng::seed_from_u64(self.seed ^ 0x9ac4);
        let gap = duration / u32::try_from(self.wanted).unwrap_or(u32::MAX);
        let (permits, mut sends) = (Arc::new(Semaphore::new(PACKS_MAX)), JoinSet::new());
        for number in 0..self.wanted {
            let sent_by_now = (gap * u32::try_from(number).unwrap_or(u32::MAX)).as_secs_f64() * f64::from(rate);
            let user = self.user(&mut random, number, sent_by_now as u64);
            // Not from the seed: on the servers of another run with this seed, it would be that run's pack.
            let pack = recorder.pack(user, mint_request_id(), self.items(&mut random));
            let plan = Plan {
                pack,
                clients: (0..SENDS_MAX).filter_map(|_| clients.choose(&mut random).cloned()).collect(),
                doubled: random.random_bool(0.2),
                again: random.random_bool(0.3),
            };
            if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
                let recorder = Arc::clone(recorder);
                sends.spawn(async move {
                    plan.carry_out(&recorder).await;
                    drop(permit);
                });
            }
            while sends.try_join_next().is_some() {}
            sleep(gap).await;
        }
        sends.join_all().await;
    }

    /// Somebody who claims just about now, is on the list, races for codes, or none of these.
    fn user(&self, random: &mut StdRng, number: u64, sent_by_now: u64) -> UserId {
        let rival = match random.random_range(0..10) {
            0..5 => Some(load::user((sent_by_now + random.random_range(0..60)).saturating_sub(30))),
            5..7 => self.rivals.listed.choose(random).copied(),
            7..9 => self.rivals.racers.choose(random).copied(),
            _ => None,
        };
        rival.unwrap_or(UserId(FIRST_USER + number * 7_919))
    }

    /// All templates or two of them, in any order.
    fn items(&self, random: &mut StdRng) -> Vec<(TemplateId, u8)> {
        let mut items: Vec<_> =
            self.templates.iter().map(|&(template, most)| (template, random.random_range(1..=most))).collect();
        items.rotate_left(random.random_range(0..self.templates.len()));
        if random.random() {
            items.reverse();
        }
        items.truncate(random.random_range(2..=self.templates.len()));
        items
    }

    /// Whoever is in doubt sends once more, while units are left. A pack that wants more than these is refused for sure only when
    /// they are sold.
    pub(super) async fn finish(&self, client: &Client, recorder: &Arc<Recorder>) {
        let mut asking = JoinSet::new();
        for pack in recorder.packs_in_doubt() {
            let (client, recorder) = (client.clone(), Arc::clone(recorder));
            asking.spawn(async move { send(&client, &recorder, pack).await });
        }
        asking.join_all().await;
    }

    /// When everything is sold: who is in doubt sends again until the answer is definite, and so do some, whatever they were told.
    /// Returns what did not come to its end.
    pub(super) async fn ask_again(&self, client: &Client, recorder: &Arc<Recorder>) -> Vec<String> {
        let count = recorder.pack_count();
        let step = (count as usize).div_ceil(SAMPLE).max(1);
        let some = (0..count).step_by(step).map(PackIndex);
        let packs: BTreeSet<PackIndex> = recorder.packs_in_doubt().into_iter().chain(some).collect();
        all_definite(client, recorder, packs).await
    }
}

impl Plan {
    async fn carry_out(&self, recorder: &Recorder) {
        let Some((first, others)) = self.clients.split_first() else { return };
        let mut definite = match others.first().filter(|_| self.doubled) {
            Some(other) => {
                let both = tokio::join!(send(first, recorder, self.pack), send(other, recorder, self.pack));
                both.0 && both.1
            }
            None => send(first, recorder, self.pack).await,
        };
        let mut again = self.again;
        for client in others {
            if definite && !std::mem::take(&mut again) {
                return;
            }
            sleep(AGAIN_AFTER).await;
            definite = send(client, recorder, self.pack).await;
        }
    }
}

/// Each is sent until its answer is definite. Returns what did not come to its end.
pub(super) async fn all_definite(
    client: &Client,
    recorder: &Arc<Recorder>,
    packs: impl IntoIterator<Item = PackIndex>,
) -> Vec<String> {
    let mut asking = Asking::default();
    for pack in packs {
        let (client, recorder) = (client.clone(), Arc::clone(recorder));
        asking.add(async move { until_definite(&client, &recorder, pack).await }).await;
    }
    asking.end().await;
    asking.problems()
}

async fn until_definite(client: &Client, recorder: &Recorder, pack: PackIndex) -> Option<String> {
    let deadline = Instant::now() + RESOLVE_LIMIT;
    while Instant::now() < deadline {
        if send(client, recorder, pack).await {
            return None;
        }
        sleep(Duration::from_millis(50)).await;
    }
    Some(format!("pack {} has no definite answer {RESOLVE_LIMIT:?} after healing", pack.0))
}

/// One call, written down. Whether its answer is definite; a pause ends.
pub(super) async fn send(client: &Client, recorder: &Recorder, pack: PackIndex) -> bool {
    let (sent, wanted) = recorder.sending_pack(pack);
    let result = client.claim_pack(&wanted).await;
    recorder.answered_pack(pack, &sent, &result);
    match result {
        Ok(_) => true,
        Err(error) => error.code().fault() == Some(Fault::Rules) && error.code() != Code::TemplatePaused,
    }
}
