//! What stands beside plain claims: bulk jobs, exchange codes, and what consumers of events were told.

use std::collections::BTreeMap;
use std::time::Duration;

use scrip_client::event::Event;
use scrip_client::{BulkJobId, BulkOutcome, CodeBatchId, RequestId, TemplateId, UserId};

use super::{History, Request, RequestIndex, micros};

/// A job, as whoever submitted it knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkFact {
    /// The request that creates it.
    pub request: RequestId,
    /// What is issued.
    pub template: TemplateId,
    /// Its list: different users.
    pub users: Vec<UserId>,
    /// The ids of the job that submissions of it were told.
    pub told: Vec<BulkJobId>,
    /// The result of each user, as listed after its end; none: it was not seen to end.
    pub results: Option<Vec<(UserId, BulkOutcome)>>,
}

/// A batch of codes, as its creator was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeFact {
    /// Which.
    pub batch: CodeBatchId,
    /// The request that created it.
    pub request: RequestId,
    /// What a code gives.
    pub template: TemplateId,
    /// How many codes.
    pub count: u32,
    /// How many users can use each.
    pub uses: u32,
}

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeRef {
    /// Of which batch.
    pub batch: CodeBatchId,
    /// Which of it, from 0.
    pub index: u32,
}

/// An event that a consumer read, repeats left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTold {
    /// What it says.
    pub event: Event,
    /// When it came to be by the clock of its proxy, in microseconds since the start; 0: before.
    pub at_us: u64,
}

/// What stands beside plain claims.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    jobs: Vec<BulkFact>,
    batches: Vec<CodeFact>,
    by_code: BTreeMap<RequestIndex, CodeRef>,
    events: Option<Vec<EventTold>>,
}

impl History {
    /// A job is about to be submitted.
    pub fn job(&mut self, job: BulkFact) {
        self.beside.jobs.push(job);
    }

    /// The submission of a job was told its id.
    pub fn job_told(&mut self, request: RequestId, id: BulkJobId) {
        if let Some(job) = self.beside.jobs.iter_mut().find(|job| job.request == request) {
            job.told.push(id);
        }
    }

    /// A job has ended, and its results were listed.
    pub fn job_ended(&mut self, request: RequestId, results: Vec<(UserId, BulkOutcome)>) {
        if let Some(job) = self.beside.jobs.iter_mut().find(|job| job.request == request) {
            job.results = Some(results);
        }
    }

    /// The results of the job that this request created.
    pub fn results_of(&self, request: RequestId) -> Option<&[(UserId, BulkOutcome)]> {
        self.beside.jobs.iter().find(|job| job.request == request)?.results.as_deref()
    }

    /// The jobs.
    pub fn jobs(&self) -> &[BulkFact] {
        &self.beside.jobs
    }

    /// A batch of codes was created.
    pub fn code_batch(&mut self, batch: CodeFact) {
        self.beside.batches.push(batch);
    }

    /// The batches of codes.
    pub fn code_batches(&self) -> &[CodeFact] {
        &self.beside.batches
    }

    /// A claim by code was made up. It is a request like any other, but for its id: the proxies derive that from the use of
    /// the code that the user gets, so `placeholder` stands in for it.
    ///
    /// # Panics
    /// With the 4,294,967,296th request.
    pub fn request_by_code(
        &mut self,
        user: UserId,
        template: TemplateId,
        code: CodeRef,
        placeholder: RequestId,
    ) -> RequestIndex {
        let request = self.request(Request { user, template, id: placeholder });
        self.beside.by_code.insert(request, code);
        request
    }

    /// The code of a claim by code.
    pub fn code_of(&self, request: RequestIndex) -> Option<CodeRef> {
        self.beside.by_code.get(&request).copied()
    }

    /// The claims by code.
    pub fn by_code(&self) -> impl Iterator<Item = (RequestIndex, CodeRef)> {
        self.beside.by_code.iter().map(|(request, code)| (*request, *code))
    }

    /// The same, where the ids of these requests are known.
    #[must_use]
    pub fn with_ids(&self, ids: &BTreeMap<RequestIndex, RequestId>) -> Self {
        let mut history = self.clone();
        for (request, id) in ids {
            if let Some(request) = history.requests.get_mut(request.0 as usize) {
                request.id = *id;
            }
        }
        history
    }

    /// Takes over what stands beside the claims of another history with the same requests, but for what was told of events.
    /// `outcome`: of a user of a job, given the one that was told.
    pub fn beside_of(&mut self, other: &Self, outcome: impl Fn(&BulkFact, UserId, BulkOutcome) -> BulkOutcome) {
        self.beside = other.beside.clone();
        for job in &mut self.beside.jobs {
            let before = job.clone();
            for (user, told) in job.results.iter_mut().flatten() {
                *told = outcome(&before, *user, *told);
            }
        }
        self.beside.events = None;
    }

    /// Events were followed from the start, and this is all that was told of them, in the order in which each stream told it.
    pub fn events_followed(&mut self, events: Vec<EventTold>) {
        self.beside.events = Some(events);
    }

    /// What was told; none: nobody followed events.
    pub fn events(&self) -> Option<&[EventTold]> {
        self.beside.events.as_deref()
    }
}

impl EventTold {
    /// An event that was told to somebody for whom the history began at this time, in milliseconds since 1970-01-01 UTC.
    pub fn new(event: Event, started_ms: i64) -> Self {
        let since_ms = u64::try_from(event.at_ms.saturating_sub(started_ms)).unwrap_or(0);
        Self { event, at_us: micros(Duration::from_millis(since_ms)) }
    }
}
