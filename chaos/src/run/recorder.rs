//! Everything that happens, written down as it happens: the history, a sample of each answer, and what is wrong at once.

mod pack;

use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use scrip_client::{BulkJobId, BulkOutcome, Claim, Code, Completion, RequestId, TemplateId, UserId, mint_request_id};
use scrip_protocol::Fault;
use scrip_shard_config::{PrimaryId, Tail, Topology};

use super::orders::What;
use super::watch::Watch;
use crate::history::{
    Action, AskIndex, BulkFact, CodeFact, CodeRef, Deed, DeedIndex, DeedSendIndex, DeedTold, Found, History,
    LostCommits, OperationIndex, OperationTold, Request, RequestIndex, SendIndex, TemplateFact, Told,
};

/// What became of a send, as far as a caller feels it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A coupon.
    Coupon,
    /// A rule of the template says no.
    Rules,
    /// Not applied: overload, an unavailable backend, a deadline.
    Refused(Code),
    /// In doubt.
    Unknown,
}

/// One answer of the load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// When it should have been sent, in microseconds since the start.
    pub(super) intended_us: u64,
    /// When the answer came, in microseconds since the start.
    pub(super) answered_us: u64,
    /// The index of the user's primary.
    pub(super) primary: usize,
    /// Whose.
    pub(super) client: usize,
    pub(super) outcome: Outcome,
}

/// One send: which, and when it should have left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intended {
    pub(super) request: RequestIndex,
    pub(super) at: Duration,
    /// Nobody has sent this request before, and nobody does beside it.
    pub(super) first_try: bool,
}

/// Shared by all who send and all who break things.
#[derive(Debug)]
pub(super) struct Recorder {
    started: Instant,
    /// The same, in milliseconds since 1970-01-01 UTC.
    started_ms: i64,
    /// The template that the load claims; after it those beside it.
    templates: Vec<TemplateId>,
    /// The index of the primary of each tail.
    homes: Vec<usize>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    history: History,
    intended_us: Vec<u64>,
    samples: Vec<Sample>,
    watch: Watch,
    /// What each deed is about.
    deeds: Vec<What>,
    /// Fail-overs whose copy is taken and whose end is not there yet.
    losing: Vec<LostCommits>,
}

impl Recorder {
    /// `fact`: of the template that the load claims; `beside`: of those beside it.
    pub(super) fn new(topology: &Topology, fact: TemplateFact, beside: &[TemplateFact]) -> Self {
        let index = |id: PrimaryId| topology.primaries.iter().position(|p| p.id == id).unwrap_or_default();
        let homes = topology.tails().map(|(_, id)| index(id)).collect();
        let facts = [&[fact], beside].concat();
        let mut history = History::default();
        facts.iter().for_each(|fact| history.created(*fact));
        let watch = Watch::new(&facts);
        let inner = Inner {
            history,
            intended_us: Vec::new(),
            samples: Vec::new(),
            watch,
            deeds: Vec::new(),
            losing: Vec::new(),
        };
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let started_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let templates = facts.iter().map(|fact| fact.template).collect();
        Self { started: Instant::now(), started_ms, templates, homes, inner: Mutex::new(inner) }
    }

    /// Since the start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn started_ms(&self) -> i64 {
        self.started_ms
    }

    /// The template that the load claims.
    pub(super) fn template(&self) -> TemplateId {
        self.templates[0]
    }

    /// All templates.
    pub(super) fn templates(&self) -> Vec<TemplateId> {
        self.templates.clone()
    }

    pub(super) fn home(&self, user: UserId) -> usize {
        self.homes[usize::from(Tail::of_user(user.get()).get())]
    }

    pub(super) fn request(&self, user: UserId, id: RequestId) -> RequestIndex {
        self.request_of(user, self.template(), id)
    }

    pub(super) fn request_of(&self, user: UserId, template: TemplateId, id: RequestId) -> RequestIndex {
        self.inner.lock().history.request(Request { user, template, id })
    }

    /// A claim by code. Its id is not known, so there is a placeholder.
    pub(super) fn request_by_code(&self, user: UserId, template: TemplateId, code: CodeRef) -> RequestIndex {
        self.inner.lock().history.request_by_code(user, template, code, mint_request_id())
    }

    /// Writes sends down before they leave. Returns each with its number.
    pub(super) fn sending(&self, sends: &[Intended]) -> Vec<(u64, Claim)> {
        let mut inner = self.inner.lock();
        let now = self.now();
        let one = |intended: &Intended| {
            let send = inner.history.sent(intended.request, now);
            inner.intended_us.push(micros(intended.at));
            let request = inner.history.requests()[intended.request.0 as usize];
            let claim = Claim::new(request.user, request.template, request.id);
            (u64::from(send.0), if intended.first_try { claim.first_try() } else { claim })
        };
        sends.iter().map(one).collect()
    }

    /// Writes answers down. `client`: it is part of the load, and sampled. Returns the requests that are in doubt now.
    pub(super) fn answered(&self, completions: &[Completion], client: Option<usize>) -> Vec<RequestIndex> {
        let mut inner = self.inner.lock();
        let now = self.now();
        let mut in_doubt = Vec::new();
        for completion in completions {
            // The tag is the number that the history gave.
            let send = SendIndex(completion.tag as u32);
            let told = Told::of(&completion.result);
            inner.history.answered(send, now, told);
            let request = inner.history.sends()[send.0 as usize].request;
            let asked = inner.history.requests()[request.0 as usize];
            if matches!(told, Told::Unknown(_)) {
                in_doubt.push(request);
            }
            let excused = self.is_losing(&inner, asked.user);
            inner.watch.told(request, asked, told, excused);
            if let Some(client) = client {
                let (intended_us, primary) = (inner.intended_us[send.0 as usize], self.home(asked.user));
                let outcome = outcome(told);
                inner.samples.push(Sample { intended_us, answered_us: micros(now), primary, client, outcome });
            }
        }
        in_doubt
    }

    /// Writes a send by code down before it leaves.
    pub(super) fn sending_code(&self, request: RequestIndex) -> SendIndex {
        let mut inner = self.inner.lock();
        let now = self.now();
        // No sample is taken of it.
        inner.intended_us.push(0);
        inner.history.sent(request, now)
    }

    /// Writes the answer to a send by code down.
    pub(super) fn answered_code(&self, send: SendIndex, told: Told) {
        let mut inner = self.inner.lock();
        let now = self.now();
        inner.history.answered(send, now, told);
        let request = inner.history.sends()[send.0 as usize].request;
        let asked = inner.history.requests()[request.0 as usize];
        // Where the code lives, its uses may be gone.
        let home =
            inner.history.code_of(request).map(|code| UserId(u64::from(code.batch.get()) + u64::from(code.index)));
        let excused = self.is_losing(&inner, asked.user) || home.is_some_and(|home| self.is_losing(&inner, home));
        inner.watch.told(request, asked, told, excused);
    }

    pub(super) fn job(&self, job: BulkFact) {
        self.inner.lock().history.job(job);
    }

    pub(super) fn job_told(&self, request: RequestId, id: BulkJobId) {
        self.inner.lock().history.job_told(request, id);
    }

    pub(super) fn job_ended(&self, request: RequestId, results: Vec<(UserId, BulkOutcome)>) {
        self.inner.lock().history.job_ended(request, results);
    }

    pub(super) fn code_batch(&self, batch: CodeFact) {
        self.inner.lock().history.code_batch(batch);
    }

    fn is_losing(&self, inner: &Inner, user: UserId) -> bool {
        inner.losing.iter().chain(inner.history.losses()).any(|lost| lost.is_home_of(user))
    }

    pub(super) fn asking(&self, request: RequestIndex) -> (AskIndex, Request) {
        let mut inner = self.inner.lock();
        let now = self.now();
        (inner.history.asked(request, now), inner.history.requests()[request.0 as usize])
    }

    pub(super) fn found(&self, ask: AskIndex, request: RequestIndex, found: Found) {
        let mut inner = self.inner.lock();
        let now = self.now();
        inner.history.found(ask, now, found);
        let asked = inner.history.requests()[request.0 as usize];
        if let Found::Coupon { coupon, seq } = found {
            let excused = self.is_losing(&inner, asked.user);
            inner.watch.told(request, asked, Told::Coupon { coupon, seq, replayed: true }, excused);
        }
    }

    pub(super) fn operating(&self, template: TemplateId, action: Action) -> OperationIndex {
        let mut inner = self.inner.lock();
        let now = self.now();
        if let Action::Stock { units, .. } = action {
            inner.watch.may_grow(template, units);
        }
        inner.history.operating(template, action, now)
    }

    pub(super) fn operated(&self, operation: OperationIndex, told: OperationTold) {
        let now = self.now();
        self.inner.lock().history.operated(operation, now, told);
    }

    pub(super) fn deed(&self, deed: Deed, what: What) -> DeedIndex {
        let mut inner = self.inner.lock();
        inner.deeds.push(what);
        inner.history.deed(deed)
    }

    pub(super) fn deed_sending(&self, deed: DeedIndex) -> (DeedSendIndex, Deed, What) {
        let mut inner = self.inner.lock();
        let now = self.now();
        let number = deed.0 as usize;
        (inner.history.deed_sent(deed, now), inner.history.deeds()[number].clone(), inner.deeds[number].clone())
    }

    pub(super) fn deed_answered(&self, sent: DeedSendIndex, told: DeedTold) {
        let mut inner = self.inner.lock();
        let now = self.now();
        inner.history.deed_answered(sent, now, told);
    }

    /// Deeds of which a send is in doubt, and none is known to be done.
    pub(super) fn deeds_in_doubt(&self) -> Vec<DeedIndex> {
        let inner = self.inner.lock();
        let mut open: Vec<(bool, bool)> = vec![(false, false); inner.history.deeds().len()];
        for sent in inner.history.deed_sends() {
            let (doubt, done) = &mut open[sent.deed.0 as usize];
            *doubt |= sent.told.is_doubt();
            *done |= sent.told == DeedTold::Done;
        }
        let open = (0u32..).zip(open).filter(|(_, (doubt, done))| *doubt && !done);
        open.map(|(number, _)| DeedIndex(number)).collect()
    }

    /// Changes of stock without a definite answer.
    pub(super) fn orders_in_doubt(&self) -> Vec<Action> {
        let inner = self.inner.lock();
        let operations = inner.history.operations();
        let is_stock = |action: &Action| matches!(action, Action::Stock { .. });
        let definite = |action: Action| {
            let mut tries = operations.iter().filter(|o| o.action == action);
            tries.any(|o| matches!(o.told, OperationTold::Changed { .. })) || {
                let mut tries = operations.iter().filter(|o| o.action == action);
                tries.all(|o| matches!(o.told, OperationTold::NotApplied(_)))
            }
        };
        let mut open: Vec<Action> = Vec::new();
        for action in operations.iter().map(|o| o.action).filter(is_stock) {
            if !open.contains(&action) && !definite(action) {
                open.push(action);
            }
        }
        open
    }

    /// Whether anybody tried to pause the template.
    pub(super) fn was_paused(&self) -> bool {
        self.inner.lock().history.operations().iter().any(|operation| operation.action == Action::Pause)
    }

    /// The copy that a primary fails over to is about to be taken.
    pub(super) fn losing(&self, commits: LostCommits) {
        self.inner.lock().losing.push(commits);
    }

    /// The old server of this primary is gone.
    pub(super) fn lost(&self, primary: PrimaryId) {
        let mut inner = self.inner.lock();
        let until_us = micros(self.now());
        let (ended, open): (Vec<_>, Vec<_>) = inner.losing.drain(..).partition(|lost| lost.primary == primary);
        inner.losing = open;
        for lost in ended {
            inner.history.lost(LostCommits { until_us, ..lost });
        }
    }

    /// What is wrong already.
    pub(super) fn violations(&self) -> Vec<String> {
        self.inner.lock().watch.violations().to_vec()
    }

    /// Sends so far, and coupons of a template that callers know of.
    pub(super) fn counts(&self, template: TemplateId) -> (usize, u64) {
        let inner = self.inner.lock();
        (inner.history.sends().len(), inner.watch.acknowledged(template))
    }

    /// The sends from this number on, with what they were told.
    pub(super) fn told_since(&self, from: usize) -> Vec<Told> {
        self.inner.lock().history.sends()[from..].iter().map(|sent| sent.told).collect()
    }

    pub(super) fn samples(&self) -> Vec<Sample> {
        self.inner.lock().samples.clone()
    }

    pub(super) fn history(&self) -> History {
        self.inner.lock().history.clone()
    }
}

fn outcome(told: Told) -> Outcome {
    match told {
        Told::Coupon { .. } => Outcome::Coupon,
        Told::NotApplied(code) if code.fault() == Some(Fault::Rules) => Outcome::Rules,
        Told::NotApplied(code) => Outcome::Refused(code),
        Told::Unknown(_) | Told::Nothing => Outcome::Unknown,
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
