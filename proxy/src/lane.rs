//! What the lanes of a primary have in common, whatever they carry: claims, requests of orders, packs.
//!
//! A lane takes all that queued while its last call was in flight, and works on that group until each of it has ended. The
//! [`Front`] stands between its queue and its calls: it gets the connection, takes groups, keeps deadlines while calls are in
//! flight, closes and opens the gate of the primary, and says what a failure means for a group. What is read and written is
//! the lane's own.
//!
//! Cancelling a lane is a crash: the transaction in flight commits or not.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use scrip_protocol::v1::Code;
use tokio::time::{Instant, sleep};

use crate::admin::{Component, Health, Status};
use crate::flow::{Flow, LaneQueue};
use crate::gate::Latch;
use crate::meter::{Histogram, Meter};
use crate::pace::{Pace, PaceLimits};
use crate::stock_lane::jitter;
use crate::store::{RecordError, RecordWriter, StoreError};
use crate::watch::{nap, watch};

/// How often one group is tried before what is left of it is refused as contended.
pub const ROUNDS_MAX: usize = 8;

/// A call that takes longer means that the primary is stuck: new work for it is refused until the call returns.
const STUCK_AFTER: Duration = Duration::from_millis(500);

/// How long a primary that failed is left alone before it is dialled again.
const DIAL_FIRST: Duration = Duration::from_millis(20);
const DIAL_MAX: Duration = Duration::from_millis(500);

const UNREACHED: &str = "the primary of this user cannot be written to";
const QUEUE_FULL: &str = "the queue to the primary of this user is full";
const OTHER_TOPOLOGY: &str = "the primary has another topology version than this proxy";

/// What queues for a primary.
pub trait Queued: Send + Sized + 'static {
    /// For people, why one is refused whose deadline has passed, and of which nothing is in flight.
    const LATE: &'static str;

    /// The entrance of the lane with this index.
    fn queue(flow: &Flow, index: usize) -> &LaneQueue<Self>;

    /// Where its lanes account for time.
    fn stages(meter: &Meter) -> LaneStages<'_>;

    /// Its deadline has passed.
    fn is_late(&self, now: Instant) -> bool;

    /// Its caller has had an answer.
    fn is_answered(&self) -> bool;

    /// Something of it was sent, and what became of that is not known: no refusal is definite.
    fn is_burned(&self) -> bool;

    /// When it entered the queue.
    fn since(&self) -> Instant;

    /// It enters a queue now.
    fn enters(&mut self);

    /// Its deadline passes while a call is in flight that reads or writes it: its caller is told, and it stays where it is.
    fn refuse_in_flight(&mut self, during: During);

    /// Its end, while nothing of it is in flight.
    fn end(self, flow: &Flow, code: Code, detail: &str);
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum During {
    /// It reads.
    Read,
    /// It is a transaction.
    Write,
}

/// The stages of one kind of lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneStages<'a> {
    /// Waiting for the lane.
    pub queue: &'a Histogram,
    /// Its reads.
    pub read: &'a Histogram,
    /// Its transactions.
    pub call: &'a Histogram,
}

/// The connection was lost, or never made.
#[derive(Debug)]
pub struct Lost;

/// Everything of a lane that does not depend on what it carries.
#[derive(Debug)]
pub struct Front<T> {
    /// The pipeline.
    pub flow: Arc<Flow>,
    /// What the lane is at work on.
    pub group: Vec<T>,
    index: usize,
    group_max: usize,
    latch: Latch,
    pace: Pace,
    health: Arc<Health>,
    /// The primary refused the last transaction, and it was said.
    is_refused: bool,
}

impl<T: Queued> Front<T> {
    /// The front of the lane with this index, which takes at most `group_max` at once.
    pub fn new(flow: Arc<Flow>, index: usize, group_max: usize, pace: PaceLimits, health: Arc<Health>) -> Self {
        let (latch, pace, group) = (Latch::default(), Pace::new(pace), Vec::new());
        Self { flow, group, index, group_max, latch, pace, health, is_refused: false }
    }

    /// The lane's entrance.
    pub fn queue(&self) -> &LaneQueue<T> {
        T::queue(&self.flow, self.index)
    }

    /// Until there is a connection, what queues is refused; what is of unknown outcome waits for its deadline.
    pub async fn connect<W: RecordWriter>(&mut self, writer: &mut W) {
        let Self { flow, group, index, latch, health, .. } = self;
        let queue = T::queue(flow, *index);
        let mut sweep = |latch: &Latch| {
            end_late(flow, group);
            sweep_queue(flow, queue, latch);
        };
        let mut pause = DIAL_FIRST;
        loop {
            let dialled = watch(writer.connect(), |took| {
                if took > STUCK_AFTER {
                    latch.close(&queue.gate);
                }
                sweep(latch);
            });
            let Err(error) = dialled.await else { break };
            if latch.close(&queue.gate) {
                tracing::warn!(primary = %queue.primary, %error, "primary cannot be written to; its users are refused");
            }
            health.set(Component::Primary(queue.primary), Status::Down(error.to_string()));
            nap(jitter(pause, flow.roll()), |_| sweep(latch)).await;
            pause = (pause * 2).min(DIAL_MAX);
        }
        if latch.open(&queue.gate) {
            tracing::info!(primary = %queue.primary, "primary can be written to");
        }
        health.set(Component::Primary(queue.primary), Status::Up);
    }

    /// Takes what has queued, once there is something, and the pace allows.
    pub async fn take(&mut self) {
        let Self { flow, group, index, group_max, latch, pace, .. } = self;
        let queue = T::queue(flow, *index);
        queue.tasks.wait().await;
        pace.wait(&queue.tasks, || sweep_queue(flow, queue, latch)).await;
        queue.tasks.take(*group_max, group);
        let taken = Instant::now();
        T::stages(&flow.meter).queue.record_each(group.iter().map(|task| taken - task.since()));
    }

    /// What is late is refused before it costs the primary anything; what has an answer needs nothing more.
    pub fn drop_late(&mut self) {
        end_late(&self.flow, &mut self.group);
    }

    /// A query about so many keys of the group.
    ///
    /// # Errors
    /// When it fails: nothing was written, so what is not burned is refused, and the rest waits for a connection.
    pub async fn read<R>(&mut self, keys: usize, call: impl Future<Output = Result<R, StoreError>>) -> Result<R, Lost> {
        let sent = Instant::now();
        let found = self.find(call).await;
        let took = sent.elapsed();
        T::stages(&self.flow.meter).read.record(took, keys);
        self.queue().calls.add(keys, took);
        found
    }

    /// The same of a query that is in no account.
    ///
    /// # Errors
    /// As of [`Front::read`].
    pub async fn find<R>(&mut self, call: impl Future<Output = Result<R, StoreError>>) -> Result<R, Lost> {
        self.ask(call).await.map_err(|error| self.lost(&error))
    }

    /// Waits for anything that writes nothing of the group, while deadlines hold.
    pub async fn ask<R>(&mut self, call: impl Future<Output = R>) -> R {
        let Self { flow, group, index, latch, .. } = self;
        let queue = T::queue(flow, *index);
        watch(call, |_| {
            refuse_late(group, During::Read);
            sweep_queue(flow, queue, latch);
        })
        .await
    }

    /// One transaction for the group, of so many rows.
    pub async fn write(
        &mut self,
        rows: usize,
        call: impl Future<Output = Result<(), RecordError>>,
    ) -> Result<(), RecordError> {
        let Self { flow, group, index, latch, pace, is_refused, .. } = self;
        let queue = T::queue(flow, *index);
        let began = Instant::now();
        let result = watch(call, |took| {
            refuse_late(group, During::Write);
            if took > STUCK_AFTER && latch.close(&queue.gate) {
                tracing::warn!(primary = %queue.primary, "primary is stuck; its users are refused");
            }
            sweep_queue(flow, queue, latch);
        })
        .await;
        let took = began.elapsed();
        pace.called(took);
        T::stages(&flow.meter).call.record(took, rows);
        queue.calls.add(rows, took);
        let answered = !matches!(result, Err(RecordError::Unknown(_) | RecordError::Unreachable(_)));
        if answered && latch.open(&queue.gate) {
            tracing::info!(primary = %queue.primary, "primary answers again");
        }
        match &result {
            Ok(()) => *is_refused = false,
            Err(RecordError::Refused(detail)) if !std::mem::replace(is_refused, true) => {
                tracing::warn!(primary = %queue.primary, detail, "primary refuses a transaction; so are its requests");
            }
            Err(RecordError::Unknown(detail)) => {
                flow.meter.unknowns.add(1);
                tracing::warn!(primary = %queue.primary, detail, requests = group.len(), "outcome of a commit unknown");
            }
            Err(RecordError::Conflict) => flow.meter.conflicts.add(1),
            Err(_) => {}
        }
        result
    }

    /// What every kind of lane does after a transaction that did not happen: with `Ok` the group is tried again.
    ///
    /// # Errors
    /// When a connection is needed first. What is left of the group was marked by the lane as of unknown outcome.
    pub async fn go_on_after(&mut self, error: RecordError) -> Result<(), Lost> {
        match error {
            RecordError::Conflict | RecordError::Fenced => Ok(()),
            RecordError::RolledBack(detail) => {
                tracing::debug!(primary = %self.queue().primary, detail, "rolled back; trying again");
                sleep(Duration::from_millis(1 + self.flow.roll() % 5)).await;
                Ok(())
            }
            RecordError::Refused(detail) => {
                self.give_up(Code::StoreRefused, &detail);
                Ok(())
            }
            RecordError::Unreachable(detail) => {
                self.give_up(Code::PrimaryUnavailable, &detail);
                Err(Lost)
            }
            RecordError::Unknown(_) => Err(Lost),
        }
    }

    /// A transaction was fenced, and every fence is as it was thought to be: dialling the primary anew tells.
    pub fn has_other_topology(&mut self) -> Lost {
        self.give_up(Code::PrimaryUnavailable, OTHER_TOPOLOGY);
        Lost
    }

    /// The end of all that is left of the group.
    pub fn give_up(&mut self, code: Code, detail: &str) {
        self.group.drain(..).for_each(|task| task.end(&self.flow, code, detail));
    }

    /// Back to the end of the queue, to be read and tried with a later group.
    pub fn put_back(&self, mut task: T) {
        task.enters();
        if let Err(task) = self.queue().tasks.push(task) {
            task.end(&self.flow, Code::Overloaded, QUEUE_FULL);
        }
    }

    /// A read failed, so nothing was written: what is not burned is refused, the rest waits for a connection.
    fn lost(&mut self, error: &StoreError) -> Lost {
        let detail = error.to_string();
        let refused = self.group.extract_if(.., |task| !task.is_burned());
        refused.for_each(|task| task.end(&self.flow, Code::PrimaryUnavailable, &detail));
        Lost
    }
}

impl<T: Queued> LaneQueue<T> {
    /// Into the queue, if the primary may be used.
    pub fn enter(&self, flow: &Flow, task: T) {
        if !self.gate.is_open() {
            task.end(flow, Code::PrimaryUnavailable, UNREACHED);
        } else if let Err(task) = self.tasks.push(task) {
            task.end(flow, Code::Overloaded, QUEUE_FULL);
        }
    }
}

fn end_late<T: Queued>(flow: &Flow, group: &mut Vec<T>) {
    let now = Instant::now();
    let gone = group.extract_if(.., |task| task.is_late(now) || task.is_answered());
    gone.for_each(|task| task.end(flow, Code::DeadlineExceeded, T::LATE));
}

fn refuse_late<T: Queued>(group: &mut [T], during: During) {
    let now = Instant::now();
    group.iter_mut().filter(|task| task.is_late(now)).for_each(|task| task.refuse_in_flight(during));
}

/// With the gate closed all that queues is doomed and refused at once; else what is late.
fn sweep_queue<T: Queued>(flow: &Flow, queue: &LaneQueue<T>, latch: &Latch) {
    let now = Instant::now();
    let doomed = latch.is_closed();
    for task in queue.tasks.take_where(|task| doomed || task.is_late(now)) {
        if task.is_late(now) {
            task.end(flow, Code::DeadlineExceeded, T::LATE);
        } else {
            task.end(flow, Code::PrimaryUnavailable, UNREACHED);
        }
    }
}
