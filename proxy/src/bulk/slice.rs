//! One slice in the hands of this proxy: the entries of one job on one primary.
//!
//! Cancelling it anywhere is a crash: claims in flight end or not, their entries stay pending, and the lease runs out.

use std::time::Duration;

use scrip_protocol::UserId;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{BulkJobState, Code, Response};
use tokio::time::{Instant, sleep};

use super::answers::Answers;
use super::gauges::Share;
use super::pacer::{Pacer, gap};
use super::request_of;
use super::runner::Runner;
use super::verdict::{Verdict, verdict};
use super::window::InFlight;
use crate::claim::Attempt;
use crate::flow::{Arrival, Purpose};
use crate::store::bulk::{BulkStore, Entry, Lease, SliceKey};
use crate::watch::TICK;

/// How long a lease lasts: at most so long nobody works on a slice whose holder died.
const LEASE: Duration = Duration::from_secs(8);
/// How often it is renewed, and the state of the job is looked at.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// The deadline of a claim. With [`LEASE_MARGIN`] well below [`LEASE`].
const PATIENCE: Duration = Duration::from_secs(3);
/// What lies between the last deadline of a claim and the end of the lease.
const LEASE_MARGIN: Duration = Duration::from_secs(1);
/// Entries read at once, and noted at once.
const GROUP: u32 = 512;
/// Before what could not be issued is tried again.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A slice, and the lease of it.
pub(super) struct Slice<'a, B> {
    runner: &'a Runner<B>,
    key: SliceKey,
    lease: Option<Lease>,
    /// When the lease ends, at the earliest.
    until: Instant,
    /// When it was last renewed, or tried to be.
    renewed: Instant,
    pacer: Pacer,
    pending: Share,
}

/// How one reading of the slice ended.
#[derive(Debug, PartialEq, Eq)]
enum Pass {
    /// No entry was pending.
    Nothing,
    /// Every pending entry got its result.
    Decided,
    /// Some are left for later.
    Left,
    /// The job is to do something else, or nothing.
    Stopped,
}

/// What became of one group.
#[derive(Debug, Default)]
struct Group {
    results: Vec<Entry>,
    waits: bool,
    stopped: bool,
}

impl<'a, B: BulkStore> Slice<'a, B> {
    pub(super) fn new(runner: &'a Runner<B>, key: SliceKey) -> Self {
        let now = Instant::now();
        Self {
            runner,
            key,
            lease: None,
            until: now,
            renewed: now,
            pacer: Pacer::new(now),
            pending: runner.pending.share(0),
        }
    }

    /// Until nothing is pending, the job stops, or the lease is lost.
    pub(super) async fn run(mut self) {
        self.renew().await;
        self.count().await;
        let mut pause = PAUSE_FIRST;
        while let Some(purpose) = self.purpose() {
            match self.pass(purpose).await {
                Pass::Nothing => return self.close().await,
                Pass::Decided | Pass::Stopped => pause = PAUSE_FIRST,
                Pass::Left => {
                    self.nap(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        if self.lease.is_some()
            && let Err(error) = self.runner.store.release(self.key, self.runner.owner).await
        {
            tracing::debug!(%error, "a lease of a bulk job was not given back; it runs out");
        }
    }

    /// For the gauge and for nothing else.
    async fn count(&mut self) {
        if self.lease.is_none() {
            return;
        }
        let counts = self.runner.store.counts(self.key, 0).await.unwrap_or_default();
        let pending = counts.iter().find(|count| count.result == Code::Unspecified).map_or(0, |count| count.users);
        self.pending = self.runner.pending.share(pending);
    }

    /// What is to be done with pending entries; `None`: nothing, or not by us.
    fn purpose(&self) -> Option<Purpose> {
        match self.lease?.job.state {
            // Not even the first send is said to be the first: a crash may lie behind it.
            BulkJobState::Running => Some(Purpose::Claim(Attempt::Unsure)),
            BulkJobState::Cancelling => Some(Purpose::Ask),
            BulkJobState::Unspecified
            | BulkJobState::Uploading
            | BulkJobState::Starting
            | BulkJobState::Paused
            | BulkJobState::Cancelled
            | BulkJobState::Finished => None,
        }
    }

    /// Takes the lease or renews it. While meta does not answer the lease lasts as long as it was given.
    async fn renew(&mut self) {
        self.renewed = Instant::now();
        match self.runner.store.lease(self.key, self.runner.owner, LEASE).await {
            Ok(lease) => {
                self.lease = lease;
                self.until = self.renewed + LEASE;
            }
            Err(error) => {
                tracing::debug!(%error, "the lease of a bulk job was not renewed");
                if Instant::now() >= self.until {
                    self.lease = None;
                }
            }
        }
    }

    async fn renew_if_due(&mut self) {
        if self.renewed.elapsed() >= RENEW_EVERY {
            self.renew().await;
        }
    }

    async fn nap(&mut self, pause: Duration) {
        let end = Instant::now() + pause;
        while Instant::now() < end && self.lease.is_some() {
            sleep(end.saturating_duration_since(Instant::now()).min(RENEW_EVERY)).await;
            self.renew_if_due().await;
        }
    }

    async fn close(&self) {
        match self.runner.store.close_slice(self.key).await {
            Ok(job) => {
                tracing::info!(job = %job.job, primary = %self.key.primary, state = job.state.as_str_name(), "done")
            }
            Err(error) => tracing::debug!(%error, "the end of a slice was not noted; it is looked at again"),
        }
    }

    /// Reads the slice from its first entry to its last.
    async fn pass(&mut self, purpose: Purpose) -> Pass {
        let (mut after, mut left) = (None, false);
        loop {
            self.renew_if_due().await;
            if self.purpose() != Some(purpose) {
                return Pass::Stopped;
            }
            let users = match self.runner.store.pending(self.key, after, GROUP).await {
                Ok(users) => users,
                Err(error) => {
                    tracing::debug!(%error, "entries of a bulk job were not read");
                    return Pass::Left;
                }
            };
            let Some(last) = users.last() else {
                return match (after, left) {
                    (None, _) => Pass::Nothing,
                    (Some(_), true) => Pass::Left,
                    (Some(_), false) => Pass::Decided,
                };
            };
            after = Some(*last);
            let group = self.issue(&users, purpose).await;
            left |= group.results.len() < users.len() || !self.note(&group.results).await;
            if group.stopped {
                return Pass::Stopped;
            }
            // What all of a group is refused for, the others would be refused for as well.
            if group.waits || group.results.is_empty() {
                return Pass::Left;
            }
        }
    }

    /// True if it is done.
    async fn note(&mut self, results: &[Entry]) -> bool {
        match self.runner.store.note(self.key, results).await {
            Ok(()) => {
                results.iter().for_each(|entry| self.runner.done.add(entry.result));
                self.pending.done(results.len());
                true
            }
            Err(error) => {
                // The same claims are sent again, and get the same answers.
                tracing::debug!(%error, "results of a bulk job were not noted");
                false
            }
        }
    }

    /// Sends a claim for each user, as fast as rate, window and lease allow, and waits for all that it sent.
    async fn issue(&mut self, users: &[UserId], purpose: Purpose) -> Group {
        let mut answers = Answers::new(&self.runner.meter);
        let mut in_flight: Vec<Option<InFlight>> = Vec::with_capacity(users.len());
        let mut group = Group::default();
        loop {
            while !group.stopped && !group.waits && in_flight.len() < users.len() {
                let Some(entered) = self.may_send(users[in_flight.len()]) else { break };
                self.send(&answers, in_flight.len(), users[in_flight.len()], purpose);
                in_flight.push(Some(entered));
            }
            let all_sent = in_flight.len() == users.len() || group.stopped || group.waits;
            if all_sent && answers.in_flight() == 0 {
                self.take(answers.taken(), users, &mut in_flight, &mut group);
                return group;
            }
            tokio::select! {
                biased;
                found = answers.next() => self.take(found, users, &mut in_flight, &mut group),
                () = sleep(TICK) => {}
            }
            self.renew_if_due().await;
            group.stopped |= self.purpose() != Some(purpose);
        }
    }

    /// Now, by the lease, the rate and the load of the user's primary.
    fn may_send(&mut self, user: UserId) -> Option<InFlight> {
        let now = Instant::now();
        let lease = self.lease?;
        if now + PATIENCE + LEASE_MARGIN > self.until {
            return None;
        }
        let lane = self.runner.flow.lane_of(user);
        let entered = self.runner.windows[lane].enter(&self.runner.flow.record[lane].load)?;
        self.pacer.take(now, gap(lease.job.new.rate_per_s, lease.open_slices)).then_some(entered)
    }

    fn send(&self, answers: &Answers, index: usize, user: UserId, purpose: Purpose) {
        let Some(job) = self.lease.map(|lease| lease.job) else { return };
        let flow = &self.runner.flow;
        let arrival = Arrival {
            ticket: answers.ticket(index as u64 + 1),
            user,
            template: job.new.template,
            request: request_of(job.new.request, user),
            purpose,
            // Also when this process was frozen since it looked at the lease.
            deadline: (Instant::now() + PATIENCE).min(self.until.checked_sub(LEASE_MARGIN).unwrap_or(self.until)),
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
