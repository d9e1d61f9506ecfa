//! One slice in the hands of this proxy: the entries of one job on one primary.
//!
//! Cancelling it anywhere is a crash: claims in flight end or not, their entries stay pending, and the lease runs out.

use std::time::Duration;

use scrip_protocol::UserId;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{BulkJobState, Code, Response};
use tokio::time::{Instant, sleep, timeout};

use super::answers::Answers;
use super::gauges::Share;
use super::lease::{Holding, RENEW_EVERY};
use super::pacer::{Pacer, gap};
use super::request_of;
use super::runner::Runner;
use super::verdict::{Verdict, verdict};
use super::window::InFlight;
use crate::flow::{Arrival, Purpose};
use crate::store::bulk::{BulkStore, Entry, NewJob, SliceKey};
use crate::watch::TICK;

/// Entries read at once.
const GROUP: u32 = 512;
/// Results wait at most about so long to be noted, however slow the rate.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// For counting what is pending.
const COUNT_MAX: Duration = Duration::from_secs(1);
/// Before what could not be issued is tried again.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A slice, as long as it is worked on.
pub(super) struct Slice<'a, B> {
    runner: &'a Runner<B>,
    key: SliceKey,
    holding: Holding<'a, B>,
    pacer: Pacer,
    pending: Share,
}

/// How one reading of the slice ended.
#[derive(Debug, PartialEq, Eq)]
enum Pass {
    /// No entry was pending, of so many.
    Nothing(u64),
    /// Every pending entry got its result.
    Decided,
    /// Some are left for later.
    Left,
    /// The job is to do something else, or nothing.
    Stopped,
}

/// What became of one group.
#[derive(Debug)]
struct Group {
    /// Of the job.
    new: NewJob,
    /// Decided and not yet noted.
    results: Vec<Entry>,
    /// How many were noted.
    noted: usize,
    /// When there was last something to note, or nothing.
    looked: Instant,
    /// The template cannot be claimed yet.
    waits: bool,
    /// The job is to do something else, or nothing.
    stopped: bool,
}

impl Group {
    /// Nothing more is sent.
    fn is_over(&self) -> bool {
        self.waits || self.stopped
    }
}

impl<'a, B: BulkStore> Slice<'a, B> {
    pub(super) fn new(runner: &'a Runner<B>, key: SliceKey) -> Self {
        let (holding, pacer) = (Holding::new(runner, key), Pacer::new(Instant::now()));
        Self { runner, key, holding, pacer, pending: runner.pending.share(0) }
    }

    /// Until nothing is pending, the job stops, or the lease is lost.
    pub(super) async fn run(mut self) {
        self.holding.renew().await;
        self.count().await;
        let mut pause = PAUSE_FIRST;
        while let Some(purpose) = self.holding.purpose() {
            match self.pass(purpose).await {
                Pass::Nothing(users) => return self.close(users).await,
                Pass::Decided | Pass::Stopped => pause = PAUSE_FIRST,
                Pass::Left => {
                    self.nap(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        self.holding.release().await;
    }

    /// For the gauge and for nothing else.
    async fn count(&mut self) {
        if self.holding.lease().is_none() {
            return;
        }
        // Not at the cost of the lease, where there are very many.
        let counts = timeout(COUNT_MAX, self.runner.store.counts(self.key, 0)).await;
        let counts = counts.unwrap_or(Ok(Vec::new())).unwrap_or_default();
        let pending = counts.iter().find(|count| count.result == Code::Unspecified).map_or(0, |count| count.users);
        self.pending = self.runner.pending.share(pending);
    }

    async fn nap(&mut self, pause: Duration) {
        let end = Instant::now() + pause;
        while Instant::now() < end && self.holding.lease().is_some() {
            sleep(end.saturating_duration_since(Instant::now()).min(RENEW_EVERY)).await;
            self.holding.renew_if_due().await;
        }
    }

    async fn close(&self, users: u64) {
        let primary = self.key.primary;
        match self.runner.store.close_slice(self.key, users).await {
            Ok(job) if job.state == BulkJobState::Uploading => tracing::warn!(
                job = %job.job, %primary, users,
                "the primary has lost a part of the job's list, which is to be submitted again"
            ),
            Ok(job) => {
                tracing::info!(job = %job.job, %primary, state = job.state.as_str_name(), "done")
            }
            Err(error) => tracing::debug!(%error, "the end of a slice was not noted; it is looked at again"),
        }
    }

    /// Reads the slice from its first entry to its last.
    async fn pass(&mut self, purpose: Purpose) -> Pass {
        let (mut after, mut users, mut end) = (None, 0, None);
        loop {
            self.holding.renew_if_due().await;
            if self.holding.purpose() != Some(purpose) {
                return Pass::Stopped;
            }
            let entries = match self.runner.store.entries(self.key, after, GROUP).await {
                Ok(entries) => entries,
                Err(error) => {
                    tracing::debug!(%error, "entries of a bulk job were not read");
                    return Pass::Left;
                }
            };
            let Some(last) = entries.last() else { return end.unwrap_or(Pass::Nothing(users)) };
            after = Some(last.user);
            users += entries.len() as u64;
            let pending = entries.iter().filter(|entry| entry.result == Code::Unspecified);
            let pending: Vec<UserId> = pending.map(|entry| entry.user).collect();
            if pending.is_empty() {
                continue;
            }
            let Some(new) = self.holding.lease().map(|lease| lease.job.new) else { return Pass::Stopped };
            let group = self.issue(&pending, new, purpose).await;
            if group.stopped {
                return Pass::Stopped;
            }
            // What all of a group is refused for, the others would be refused for as well.
            if group.waits || group.noted == 0 {
                return Pass::Left;
            }
            if group.noted < pending.len() {
                end = Some(Pass::Left);
            }
            end.get_or_insert(Pass::Decided);
        }
    }

    /// Notes what is decided. A coupon that is gone since (its primary failed over) leaves its entry pending, for the next
    /// reading of the slice. What cannot be noted stays, and is noted with what follows; in the end its claims are sent
    /// again, and get the same answers.
    async fn note(&mut self, group: &mut Group) {
        group.looked = Instant::now();
        if group.results.is_empty() {
            return;
        }
        match self.runner.store.note(self.key, &group.new, &group.results).await {
            Ok(()) => {
                group.results.iter().for_each(|entry| self.runner.done.add(entry.result));
                self.pending.done(group.results.len());
                group.noted += group.results.len();
                group.results.clear();
            }
            Err(error) => tracing::debug!(%error, "results of a bulk job were not noted"),
        }
    }

    /// Sends a claim for each user, as fast as rate, window and lease allow, waits for all that it sent, and notes the
    /// results.
    async fn issue(&mut self, users: &[UserId], new: NewJob, purpose: Purpose) -> Group {
        let mut answers = Answers::new(&self.runner.meter);
        let mut in_flight: Vec<Option<InFlight>> = Vec::with_capacity(users.len());
        let mut group =
            Group { new, results: Vec::new(), noted: 0, looked: Instant::now(), waits: false, stopped: false };
        loop {
            while !group.is_over() && in_flight.len() < users.len() {
                let Some(entered) = self.may_send(users[in_flight.len()]) else { break };
                self.send(&answers, in_flight.len(), users[in_flight.len()], purpose);
                in_flight.push(Some(entered));
            }
            if (in_flight.len() == users.len() || group.is_over()) && answers.in_flight() == 0 {
                self.take(answers.taken(), users, &mut in_flight, &mut group);
                self.note(&mut group).await;
                return group;
            }
            tokio::select! {
                biased;
                found = answers.next() => self.take(found, users, &mut in_flight, &mut group),
                () = sleep(TICK) => {}
            }
            if group.looked.elapsed() >= NOTE_EVERY {
                self.note(&mut group).await;
            }
            self.holding.renew_if_due().await;
            group.stopped |= self.holding.purpose() != Some(purpose);
        }
    }

    /// Now, by the lease, the rate and the load of the user's primary.
    fn may_send(&mut self, user: UserId) -> Option<InFlight> {
        let now = Instant::now();
        let lease = self.holding.lease().filter(|_| self.holding.has_time(now))?;
        let lane = self.runner.flow.lane_of(user);
        let entered = self.runner.windows[lane].enter(&self.runner.flow.loads[lane])?;
        self.pacer.take(now, gap(lease.job.new.rate_per_s, lease.open_slices)).then_some(entered)
    }

    fn send(&self, answers: &Answers, index: usize, user: UserId, purpose: Purpose) {
        let Some(job) = self.holding.lease().map(|lease| lease.job) else { return };
        let flow = &self.runner.flow;
        let arrival = Arrival {
            ticket: answers.ticket(index as u64 + 1),
            user,
            template: job.new.template,
            request: request_of(job.new.request, user),
            purpose,
            deadline: self.holding.deadline(),
        };
        flow.arrive(arrival, flow.clock.now_ms());
    }

    fn take(&self, found: Vec<Response>, users: &[UserId], in_flight: &mut [Option<InFlight>], group: &mut Group) {
        let done_at_ms = self.runner.flow.clock.now_ms();
        for answer in found {
            let index = (answer.id as usize).wrapping_sub(1);
            let (Some(user), Some(slot)) = (users.get(index), in_flight.get_mut(index)) else { continue };
            *slot = None;
            match verdict(answer.code()) {
                Verdict::Result(Code::Ok) => {
                    // A coupon is what an OK carries.
                    let Some(Answer::Coupon(coupon)) = answer.result else { continue };
                    let seq = u16::try_from(coupon.seq).unwrap_or(u16::MAX);
                    group.results.push(Entry { user: *user, result: Code::Ok, seq, done_at_ms });
                }
                Verdict::Result(result) => group.results.push(Entry { user: *user, result, seq: 0, done_at_ms }),
                Verdict::Again => {}
                Verdict::Wait => group.waits = true,
            }
        }
    }
}
