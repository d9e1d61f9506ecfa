//! Drives the SDK: one task, tens of thousands of claims in flight, everything written down.

use std::time::{Duration, Instant};

use scrip_client::{Claim, ClaimStream, Client, Completion, Template};
use scrip_protocol::Fault;
use tokio::time::{sleep, timeout};

use super::Error;
use super::gauge::Gauge;
use super::plan::{Plan, Send};
use super::progress::Progress;
use super::tally::Tally;
use crate::history::{History, RequestIndex, SendIndex, TemplateFact, Told};
use crate::number::grouped;
use crate::screen::Screen;
use crate::testbed::ProxyProcess;

/// How often the display is updated while no answer comes.
const TICK: Duration = Duration::from_millis(100);
/// How long the follow-up may take.
const FOLLOW_UP_LIMIT: Duration = Duration::from_secs(30);
const FOLLOW_UP_PAUSE: Duration = Duration::from_millis(50);
/// Requests that are sent once more to find out whether anything is left.
const PROBES: usize = 50;

/// A rush to be run.
pub(super) struct Rush<'a> {
    pub(super) client: &'a Client,
    pub(super) template: &'a Template,
    pub(super) plan: &'a Plan,
    pub(super) gauge: &'a Gauge,
    /// Killed when a third of the answers are there.
    pub(super) victim: Option<&'a ProxyProcess>,
    pub(super) in_flight: usize,
    pub(super) screen: &'a Screen,
}

/// What a rush leaves.
pub(super) struct Outcome {
    pub(super) history: History,
    /// Of the plan, without the follow-up.
    pub(super) tally: Tally,
    /// Of the plan, without the follow-up.
    pub(super) took: Duration,
    /// Sends of the follow-up.
    pub(super) follow_up: u64,
}

/// A rush under way.
struct Running<'a> {
    rush: &'a Rush<'a>,
    stream: ClaimStream,
    history: History,
    started: Instant,
    batch: Vec<Completion>,
}

impl Rush<'_> {
    /// Sends the plan and waits for all answers; then follows up what has none that is definite, until the template says
    /// that it is sold out, if more is wanted than there is.
    pub(super) async fn run(self) -> Result<Outcome, Error> {
        let mut running = Running::new(&self);
        let units = self.template.total_stock;
        let mut progress = Progress::new(self.screen, self.plan.sends.len() as u64, units, self.gauge.left().len());
        let mut tally = Tally::new();
        running.send_plan(&mut tally, &mut progress).await;
        let took = running.started.elapsed();
        drop(progress);
        let planned = running.history.sends().len();
        running.follow_up().await?;
        let follow_up = (running.history.sends().len() - planned) as u64;
        Ok(Outcome { history: running.history, tally, took, follow_up })
    }
}

impl<'a> Running<'a> {
    fn new(rush: &'a Rush<'a>) -> Self {
        let definition = &rush.template.definition;
        let mut history = History::with_capacity(rush.plan.sends.len(), rush.plan.sends.len());
        history.created(TemplateFact {
            template: rush.template.template,
            total_stock: definition.total_stock,
            per_user_limit: definition.per_user_limit,
        });
        for request in rush.plan.requests(rush.template.template) {
            history.request(request);
        }
        let stream = rush.client.claim_stream(rush.in_flight);
        Self { rush, stream, history, started: Instant::now(), batch: Vec::new() }
    }

    async fn send_plan(&mut self, tally: &mut Tally, progress: &mut Progress<'_>) {
        let mut unsent = self.rush.plan.sends.iter();
        let mut victim = self.rush.victim;
        let kill_at = self.rush.plan.sends.len() as u64 / 3;
        while unsent.len() > 0 || self.stream.outstanding() > 0 {
            self.submit(&mut unsent);
            self.take_answers(|completion| {
                tally.add(completion);
                progress.answered_in(completion.latency);
            })
            .await;
            tally.note_sold_out(self.started.elapsed());
            progress.show(tally, self.stream.outstanding(), || self.rush.gauge.left());
            if let Some(proxy) = victim.take_if(|_| tally.answered() >= kill_at) {
                proxy.kill();
                let (name, answered) = (proxy.name(), grouped(tally.answered()));
                progress.say(&format!("    {name} was killed (SIGKILL) after {answered} answers"));
            }
        }
    }

    /// As many as there is room for. What is sent is in the history before it leaves.
    fn submit<'s>(&mut self, sends: &mut impl Iterator<Item = &'s Send>) {
        let (history, started, template) = (&mut self.history, self.started, self.rush.template.template);
        let mut claims = sends.map(|send| {
            let tag = history.sent(RequestIndex(send.request), started.elapsed());
            let request = history.requests()[send.request as usize];
            let claim = Claim::new(request.user, template, request.id);
            (u64::from(tag.0), if send.first_try { claim.first_try() } else { claim })
        });
        self.stream.submit(&mut claims);
    }

    /// Waits for answers, but not for ever, and writes them down.
    async fn take_answers(&mut self, mut each: impl FnMut(&Completion)) {
        // Nothing is lost by giving up: answers stay until they are taken.
        if timeout(TICK, self.stream.completed(&mut self.batch)).await.is_err() {
            self.batch.clear();
        }
        let at = self.started.elapsed();
        for completion in &self.batch {
            // The tag is the number that the history gave.
            self.history.answered(SendIndex(completion.tag as u32), at, Told::of(&completion.result));
            each(completion);
        }
    }

    /// Sends again whatever has no definite answer, and asks until the template says that it is sold out.
    async fn follow_up(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + FOLLOW_UP_LIMIT;
        let all_wanted = self.rush.plan.demand > self.rush.template.total_stock;
        while Instant::now() < deadline {
            let (undecided, ungranted) = self.open_requests();
            let sold_out = !all_wanted || self.rush.client.get_template(self.rush.template.template).await?.sold_out;
            if undecided.is_empty() && sold_out {
                return Ok(());
            }
            let again = if undecided.is_empty() { ungranted } else { undecided };
            self.send_again(&again).await;
            sleep(FOLLOW_UP_PAUSE).await;
        }
        Ok(())
    }

    async fn send_again(&mut self, requests: &[u32]) {
        let sends: Vec<Send> = requests.iter().map(|&request| Send { request, first_try: false }).collect();
        let mut unsent = sends.iter();
        while unsent.len() > 0 || self.stream.outstanding() > 0 {
            self.submit(&mut unsent);
            self.take_answers(|_| ()).await;
        }
    }

    /// Requests without a definite answer; and some without a coupon.
    fn open_requests(&self) -> (Vec<u32>, Vec<u32>) {
        let mut states = vec![(false, false); self.history.requests().len()];
        for sent in self.history.sends() {
            let (decided, granted) = &mut states[sent.request.0 as usize];
            *granted |= matches!(sent.told, Told::Coupon { .. });
            *decided |= *granted || matches!(sent.told, Told::NotApplied(code) if code.fault() == Some(Fault::Rules));
        }
        let numbered = || states.iter().zip(0u32..);
        let undecided = numbered().filter(|((decided, _), _)| !decided).map(|(_, number)| number).collect();
        let ungranted = numbered().filter(|((_, granted), _)| !granted).map(|(_, number)| number);
        (undecided, ungranted.take(PROBES).collect())
    }
}
