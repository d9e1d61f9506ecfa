//! What a link holds under its lock: the queue, and the table of what is in flight.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::Status;
use crate::call::Call;
use crate::reply::{Malformed, Outcome};
use crate::table::{Table, Taken};

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) status: Status,
    pub(super) queue: VecDeque<Call>,
    pub(super) table: Table,
    pub(super) in_flight_max: usize,
    pub(super) request_len_max: usize,
    pub(super) writer_waits: bool,
    /// No deadline in queue or table is earlier. None: both are empty.
    pub(super) earliest: Option<Instant>,
    /// Something was written and nothing was heard since.
    pub(super) unanswered_since: Option<Instant>,
    /// A request that was written passed its deadline, and nothing was heard since.
    pub(super) overdue: bool,
    /// This connection is to be closed.
    pub(super) given_up: bool,
}

impl Lane {
    pub(super) fn new(status: Status) -> Self {
        Self {
            status,
            queue: VecDeque::new(),
            table: Table::default(),
            in_flight_max: 0,
            request_len_max: 0,
            writer_waits: false,
            earliest: None,
            unanswered_since: None,
            overdue: false,
            given_up: false,
        }
    }

    pub(super) fn load(&self) -> usize {
        self.queue.len() + self.table.occupied()
    }

    pub(super) fn note_deadline(&mut self, deadline: Instant) {
        self.earliest = Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
    }

    pub(super) fn write(&mut self, mut call: Call, now: Instant, buffer: &mut BytesMut, too_large: &mut Vec<Call>) {
        if call.exceeds(self.request_len_max, now) {
            too_large.push(call);
            return;
        }
        self.table.insert(call, |id, call| {
            call.encode(id, now, buffer);
            call.sent += 1;
        });
    }

    pub(super) fn answer(
        &mut self,
        id: u64,
        outcome: Outcome,
        answered: &mut Vec<(Call, Outcome)>,
    ) -> Result<(), Malformed> {
        match self.table.take(id) {
            Taken::Late => Ok(()),
            Taken::Strange => Err(Malformed("an answer to a request")),
            Taken::Call(call) => match outcome {
                Ok(answer) if !call.is_answered_by(&answer) => {
                    // Back into the table: it shares the fate of the connection.
                    self.table.insert(call, |_, _| ());
                    Err(Malformed("an answer to this request"))
                }
                outcome => {
                    answered.push((call, outcome));
                    Ok(())
                }
            },
        }
    }

    pub(super) fn expire(&mut self, now: Instant, linger: Duration, queued: &mut Vec<Call>, sent: &mut Vec<Call>) {
        self.earliest = self.table.expire(now, linger, sent);
        self.overdue |= !sent.is_empty();
        let (expired, waiting): (VecDeque<_>, VecDeque<_>) =
            self.queue.drain(..).partition(|call| call.deadline <= now);
        queued.extend(expired);
        self.queue = waiting;
        if let Some(deadline) = self.queue.iter().map(|call| call.deadline).min() {
            self.note_deadline(deadline);
        }
    }
}
