//! What becomes of a call after an attempt: the one piece of code for answers, losses and deadlines.
//!
//! Once an attempt of a request with an effect was written and its outcome is not known, the call is in doubt until an answer
//! settles it, and it never ends as *not applied*.

use std::time::{Duration, Instant};

use scrip_protocol::Disposition;
use scrip_protocol::v1::Code;

use super::Shared;
use crate::call::Call;
use crate::delivery::Deliveries;
use crate::failure::Failure;
use crate::policy::{self, Advice};
use crate::reply::Outcome;

const LOST: &str = "the connection was lost after the request was written";
const NO_ANSWER: &str = "the deadline passed before an answer came";
const NOT_SENT: &str = "the deadline passed before the request could be sent";
const EARLIER: &str = "an earlier attempt may have taken effect";

impl Shared {
    /// The proxy answered.
    pub(crate) fn answered(&self, call: Call, outcome: Outcome, proxy: u16, now: Instant, out: &mut Deliveries) {
        match outcome {
            Ok(answer) => {
                self.note(&call, now);
                out.push(call.sink, Ok(answer), now);
            }
            Err(failure) => self.refused(call, failure, proxy, now, out),
        }
    }

    fn refused(&self, mut call: Call, failure: Failure, proxy: u16, now: Instant, out: &mut Deliveries) {
        call.in_doubt |= call.has_effect() && failure.disposition() == Disposition::Unknown;
        let Some(wait) = self.wait(&call, &failure, now) else { return self.give_up(call, failure, now, out) };
        call.avoid = match policy::advice(failure.code) {
            Advice::Final | Advice::Again => None,
            Advice::Elsewhere | Advice::MoveOn => Some(proxy),
        };
        call.refused = Some(Box::new(failure));
        self.resend(call, wait, now, out);
    }

    /// How long to wait before the next attempt; `None` when there is none.
    fn wait(&self, call: &Call, failure: &Failure, now: Instant) -> Option<Duration> {
        let backoff = self.dice.backoff(&self.config.retry.backoff, call.sent);
        let wait = match policy::advice(failure.code) {
            Advice::Final => return None,
            // Each connection says so once and then takes nothing new, so the wait is for a proxy that says it again and again.
            Advice::MoveOn if call.sent as usize <= self.links.len() => Duration::ZERO,
            Advice::MoveOn => backoff,
            Advice::Again | Advice::Elsewhere => {
                let advised =
                    failure.retry_after.map_or(Duration::ZERO, |advised| advised + self.dice.jitter(advised / 4));
                backoff.max(advised)
            }
        };
        let moves_on = policy::advice(failure.code) == Advice::MoveOn;
        let allowed = moves_on || call.sent < self.config.retry.attempts_max;
        (allowed && self.may_resend(call, wait, moves_on, now)).then_some(wait)
    }

    /// The connection went away after the call was written. The first such resend costs no budget: it adds no load that the lost
    /// proxy would not have had, and without it every crash of a proxy would leave its callers in doubt.
    pub(super) fn lost(&self, mut call: Call, proxy: u16, now: Instant, out: &mut Deliveries) {
        let is_free = call.losses == 0;
        let wait = if is_free { Duration::ZERO } else { self.dice.backoff(&self.config.retry.backoff, call.sent) };
        call.losses += 1;
        call.in_doubt |= call.has_effect();
        call.avoid = Some(proxy);
        if call.sent < self.config.retry.attempts_max && self.may_resend(&call, wait, is_free, now) {
            return self.resend(call, wait, now, out);
        }
        let failure = match call.in_doubt {
            true => Failure::in_doubt(call.refused.as_deref(), LOST),
            false => Failure::local(Code::NotReady, LOST),
        };
        self.give_up(call, failure, now, out);
    }

    fn may_resend(&self, call: &Call, wait: Duration, is_free: bool, now: Instant) -> bool {
        let in_time = now.checked_add(wait).is_some_and(|due| due < call.deadline);
        in_time && !call.sink.is_abandoned() && !self.room.is_closed() && (is_free || self.budget.spend(now))
    }

    fn resend(&self, call: Call, wait: Duration, now: Instant, out: &mut Deliveries) {
        if wait.is_zero() {
            self.send(call, now);
        } else if let Err(call) = self.room.delay(call, now + wait) {
            self.give_up(call, self.no_room(), now, out);
        }
    }

    /// The deadline passed while the call waited for its first or next attempt.
    pub(super) fn expired_unsent(&self, mut call: Call, now: Instant, out: &mut Deliveries) {
        let failure = match call.refused.take() {
            Some(refused) => *refused,
            None => Failure::local(Code::DeadlineExceeded, NOT_SENT),
        };
        self.give_up(call, failure, now, out);
    }

    /// The deadline passed and the answer to a written attempt did not come.
    pub(super) fn expired_sent(&self, mut call: Call, now: Instant, out: &mut Deliveries) {
        call.in_doubt |= call.has_effect();
        let failure = match call.in_doubt {
            true => Failure::in_doubt(call.refused.as_deref(), NO_ANSWER),
            false => Failure::local(Code::DeadlineExceeded, NO_ANSWER),
        };
        self.give_up(call, failure, now, out);
    }

    /// Before its caller knows: from then on the caller's reads show what it did, also where that is not known.
    fn note(&self, call: &Call, now: Instant) {
        if let Some(written) = call.written().filter(|_| call.sent > 0) {
            self.writes.note(written, now);
        }
    }

    /// The end of a call without success. This is where a refusal of the last attempt is kept from hiding an earlier one in doubt.
    pub(super) fn give_up(&self, call: Call, mut failure: Failure, now: Instant, out: &mut Deliveries) {
        let hides_doubt = call.in_doubt
            && failure.disposition() != Disposition::Unknown
            && !policy::settles_earlier_attempts(failure.code);
        if hides_doubt {
            failure = Failure::in_doubt(Some(&failure), EARLIER);
        }
        self.note(&call, now);
        failure.sent = call.sent;
        out.push(call.sink, Err(failure), now);
    }
}
