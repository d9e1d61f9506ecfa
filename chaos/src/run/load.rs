//! The load: every client sends at its own times, whatever comes back (an open loop).
//!
//! Nine of ten sends are of new users; the rest are double clicks with the same id (through another client), second
//! requests of a user, and resends of earlier requests. What is in doubt is asked for with `GetClaim`. Orders want one of ten
//! coupons (see `orders`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrip_client::{ClaimStream, Client, Completion, RequestId, UserId};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::orders::Orders;
use super::recorder::{Intended, Recorder};
use crate::history::{Found, RequestIndex};

/// How often due sends are looked for.
const TICK: Duration = Duration::from_millis(4);
/// How long after the end of the load answers are waited for; deadlines are far shorter.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// Questions under way at once.
const QUESTIONS_MAX: usize = 32;
/// Requests that may be sent again.
const RECENT_MAX: usize = 500;
/// User ids of the load start here. Those of a client go in steps, so that no two clients have the same.
const FIRST_USER: u64 = 5_000_000_000;
/// Users of the measurement of the peak.
const PEAK_USER: u64 = 2_000_000_000;

/// What the load is.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoadSpec {
    /// Sends a second, of all clients.
    pub(super) rate: u32,
    /// For how long.
    pub(super) duration: Duration,
    pub(super) seed: u64,
    /// Only new users, for measuring capacity.
    pub(super) plain: bool,
}

/// Sends for the whole duration, then waits for the last answers and questions.
pub(super) async fn run(clients: &[Client], recorder: &Arc<Recorder>, spec: LoadSpec) {
    let handed: Arc<Vec<Mutex<VecDeque<Intended>>>> = Arc::new(clients.iter().map(|_| Mutex::default()).collect());
    let mut drivers = JoinSet::new();
    for (number, client) in clients.iter().enumerate() {
        let driver = Driver {
            number,
            count: clients.len(),
            client: client.clone(),
            recorder: Arc::clone(recorder),
            handed: Arc::clone(&handed),
            spec,
            random: StdRng::seed_from_u64(spec.seed.wrapping_mul(1_000_003).wrapping_add(number as u64)),
            users: 0,
            recent: VecDeque::new(),
            questions: JoinSet::new(),
            permits: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            // With a seed of their own: what is offered does not depend on the order of answers.
            orders: Orders::new(client.clone(), Arc::clone(recorder), spec.seed ^ number as u64),
        };
        drivers.spawn(driver.run());
    }
    drivers.join_all().await;
}

struct Driver {
    number: usize,
    count: usize,
    client: Client,
    recorder: Arc<Recorder>,
    /// Requests that other clients sent and that this one sends too.
    handed: Arc<Vec<Mutex<VecDeque<Intended>>>>,
    spec: LoadSpec,
    random: StdRng,
    users: u64,
    recent: VecDeque<(RequestIndex, UserId)>,
    questions: JoinSet<()>,
    permits: Arc<Semaphore>,
    orders: Orders,
}

impl Driver {
    async fn run(mut self) {
        let stream = self.client.claim_stream(1_000_000);
        let gap = Duration::from_secs(self.count as u64) / self.spec.rate.max(1);
        // Clients do not send at the same moments.
        let mut next = self.recorder.now() + gap * (self.number as u32 + 1) / (self.count as u32);
        let end = self.recorder.now() + self.spec.duration;
        let mut batch = Vec::new();
        while self.recorder.now() < end {
            let now = self.recorder.now();
            let mut due = Vec::new();
            while next <= now.min(end) {
                self.next_send(next, &mut due);
                next += gap;
            }
            due.extend(self.handed[self.number].lock().drain(..));
            stream.submit(&mut self.recorder.sending(&due).into_iter());
            self.take(&stream, &mut batch);
            let tick = (self.recorder.now() + TICK).min(next.max(self.recorder.now() + Duration::from_millis(1)));
            sleep_until(Instant::from_std(self.recorder.started() + tick)).await;
        }
        let deadline = Instant::now() + LAST_ANSWERS;
        while stream.outstanding() > 0 && Instant::now() < deadline {
            drop(timeout(Duration::from_millis(50), stream.completed(&mut batch)).await);
            self.note(&batch);
            batch.clear();
        }
        self.questions.join_all().await;
        self.orders.end().await;
    }

    fn take(&mut self, stream: &ClaimStream, batch: &mut Vec<Completion>) {
        stream.try_completed(batch);
        self.note(batch);
        batch.clear();
        while self.questions.try_join_next().is_some() {}
    }

    fn note(&mut self, batch: &[Completion]) {
        for request in self.recorder.answered(batch, Some(self.number)) {
            self.ask(request);
        }
        if !self.spec.plain {
            batch.iter().filter_map(|completion| completion.result.as_ref().ok()).for_each(|got| self.orders.got(got));
        }
    }

    /// What a caller does who does not know: asks, with the same id.
    fn ask(&mut self, request: RequestIndex) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let (client, recorder) = (self.client.clone(), Arc::clone(&self.recorder));
        self.questions.spawn(async move {
            sleep(Duration::from_millis(20)).await;
            ask(&client, &recorder, request).await;
            drop(permit);
        });
    }

    fn next_send(&mut self, at: Duration, due: &mut Vec<Intended>) {
        let dice = if self.spec.plain { 100 } else { self.random.random_range(0..100) };
        match dice {
            // A double click that arrives over another client.
            0..4 => {
                let (request, _) = self.new_request();
                let other = self.random.random_range(0..self.count);
                self.handed[other].lock().push_back(Intended { request, at, first_try: false });
                due.push(Intended { request, at, first_try: false });
            }
            // Another coupon for the same user, and perhaps one too many.
            4..7 => {
                if let Some((_, user)) = self.earlier() {
                    let request = self.recorder.request(user, RequestId(self.random.random()));
                    due.push(Intended { request, at, first_try: true });
                }
            }
            // Sent again, some time later.
            7..10 => {
                if let Some((request, _)) = self.earlier() {
                    due.push(Intended { request, at, first_try: false });
                }
            }
            // Half of them keep the promise that goes with a first try: they are never sent again while under way.
            _ => {
                let (request, user) = self.new_request();
                let first_try = self.spec.plain || self.random.random();
                if !first_try {
                    self.recent.push_front((request, user));
                    self.recent.truncate(RECENT_MAX);
                }
                due.push(Intended { request, at, first_try });
            }
        }
    }

    fn new_request(&mut self) -> (RequestIndex, UserId) {
        let user = user(self.users * self.count as u64 + self.number as u64);
        self.users += 1;
        (self.recorder.request(user, RequestId(self.random.random())), user)
    }

    fn earlier(&mut self) -> Option<(RequestIndex, UserId)> {
        let index = self.random.random_range(0..self.recent.len().max(1));
        self.recent.get(index).copied()
    }
}

/// The users of the load, in the order in which they first claim.
pub(super) fn user(number: u64) -> UserId {
    // A stride that is prime to the number of tails: users of all tails in turn, in no order.
    UserId(FIRST_USER + number.wrapping_mul(7_919) % 4_000_000_000)
}

/// Asks what became of a request, and writes the answer down.
pub(super) async fn ask(client: &Client, recorder: &Recorder, request: RequestIndex) {
    let (ask, asked) = recorder.asking(request);
    let result = client.get_claim(asked.user, asked.template, asked.id).await;
    recorder.found(ask, request, Found::of(&result));
}

/// The most that the proxies serve: `in_flight` claims at once for `duration`, each answer followed by the next claim (a closed
/// loop). Coupons a second.
pub(super) async fn peak(client: &Client, recorder: &Recorder, in_flight: usize, duration: Duration) -> f64 {
    let stream = client.claim_stream(in_flight);
    let (from, mut coupons, mut users) = (recorder.now(), 0usize, 0u64);
    let mut batch = Vec::new();
    while recorder.now() < from + duration {
        let next = |_| {
            users += 1;
            let user = UserId(PEAK_USER + users.wrapping_mul(7_919) % 1_000_000_000);
            let request = recorder.request(user, scrip_client::mint_request_id());
            Intended { request, at: recorder.now(), first_try: true }
        };
        let sends: Vec<Intended> = (0..stream.room()).map(next).collect();
        stream.submit(&mut recorder.sending(&sends).into_iter());
        drop(timeout(Duration::from_millis(50), stream.completed(&mut batch)).await);
        recorder.answered(&batch, None);
        coupons += batch.iter().filter(|completion| completion.result.is_ok()).count();
        batch.clear();
    }
    let rate = coupons as f64 / (recorder.now() - from).as_secs_f64();
    drain(&stream, recorder).await;
    rate
}

/// Takes the last answers.
pub(super) async fn drain(stream: &ClaimStream, recorder: &Recorder) {
    let deadline = Instant::now() + LAST_ANSWERS;
    let mut batch = Vec::new();
    while stream.outstanding() > 0 && Instant::now() < deadline {
        drop(timeout(Duration::from_millis(50), stream.completed(&mut batch)).await);
        recorder.answered(&batch, None);
        batch.clear();
    }
}
