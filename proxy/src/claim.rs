//! The owned value that flows through the pipeline: one claim on its way.

use std::sync::Arc;

use scrip_protocol::code::Disposition;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{Code, Coupon};
use scrip_protocol::{RequestId, UserId};
use tokio::time::Instant;

use crate::load::OnItsWay;
use crate::outbox::Ticket;
use crate::pack::hand::{Hand, Taken};
use crate::store::StockKey;
use crate::template::Template;

/// What the caller says about earlier sends of the same request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It was never sent before, by anyone: nothing to look up before a refusal on arrival.
    First,
    /// The caller does not know: looked up before it is refused.
    Unsure,
    /// It was sent before: looked up before it takes stock.
    Resend,
}

/// What the record lane has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Insert the coupon; a unit is held.
    Record,
    /// Read the user's coupons of the template first, then go on as [`Absent`] says if the request has none.
    LookUp {
        /// How to go on.
        absent: Absent,
        /// Wait for transactions under way.
        lock: bool,
    },
}

/// How a claim goes on when the look-up finds no coupon of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// To the stock lane.
    Deduct,
    /// Insert it; a unit is held.
    Record,
    /// Refuse it.
    Refuse(Code),
}

/// One unit of stock in the hands of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Which of the template's slots it came from.
    pub slot: usize,
    /// The sub-stock.
    pub key: StockKey,
    /// The epoch of the grant.
    pub epoch: u64,
    /// A record of it was sent and its outcome was unknown: it is never given back.
    pub burned: bool,
}

/// Who is told what becomes of a claim.
#[derive(Debug)]
enum Owner {
    /// The caller gets a coupon.
    Caller(Ticket),
    /// The pack gets a unit, and no coupon yet.
    Pack(Hand),
}

/// One claim on its way.
#[derive(Debug)]
pub struct ClaimTask {
    owner: Option<Owner>,
    /// The user.
    pub user: UserId,
    /// The caller's id.
    pub request: RequestId,
    /// The template, as of admission.
    pub template: Arc<Template>,
    /// What the caller says about earlier sends.
    pub attempt: Attempt,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// When it entered the queue in which it waits: for the account of where time goes, and for nothing else.
    pub since: Instant,
    /// Index of the record lane that serves the user.
    pub lane: usize,
    /// Which of the template's slots it queues at.
    pub slot: usize,
    /// What the record lane does next.
    pub step: Step,
    /// The unit that it holds.
    pub unit: Option<Unit>,
    /// The next number of the user's coupons that it has seen.
    pub seq: u16,
    /// The connection of its record lane on which it saw that.
    pub seen_on: u64,
    /// When the user's coupons below `seq` were claimed, in milliseconds since 1970-01-01 UTC; only of a template with a
    /// limit a day, which counts them.
    pub earlier_ms: Vec<u64>,
    /// The user's coupons were read since it arrived, and the request had none.
    pub looked_up: bool,
    /// Counts it among the claims ahead of others, from the stock lane on.
    pub on_its_way: Option<OnItsWay>,
}

impl ClaimTask {
    /// A claim that has just been admitted.
    pub fn new(
        ticket: Ticket,
        user: UserId,
        request: RequestId,
        template: Arc<Template>,
        attempt: Attempt,
        deadline: Instant,
        lane: usize,
    ) -> Self {
        let since = ticket.received();
        Self { attempt, since, ..Self::owned(Owner::Caller(ticket), user, request, template, deadline, lane) }
    }

    /// One unit for a pack, of which the user will get a coupon.
    pub fn of_pack(
        hand: Hand,
        (user, request): (UserId, RequestId),
        template: Arc<Template>,
        deadline: Instant,
        lane: usize,
    ) -> Self {
        Self::owned(Owner::Pack(hand), user, request, template, deadline, lane)
    }

    fn owned(
        owner: Owner,
        user: UserId,
        request: RequestId,
        template: Arc<Template>,
        deadline: Instant,
        lane: usize,
    ) -> Self {
        Self {
            since: Instant::now(),
            owner: Some(owner),
            user,
            request,
            template,
            attempt: Attempt::Unsure,
            deadline,
            lane,
            slot: 0,
            step: Step::Record,
            unit: None,
            seq: 1,
            seen_on: 0,
            earlier_ms: Vec::new(),
            looked_up: false,
            on_its_way: None,
        }
    }

    /// Answers with the coupon.
    pub fn grant(&mut self, coupon: Coupon) {
        if let Some(Owner::Caller(ticket)) = self.owner.take() {
            ticket.answer(Answer::Coupon(coupon));
        }
    }

    /// Answers with a code other than OK. A resend that was not looked up may have been applied by an earlier send:
    /// for it every *not applied* becomes *unknown*.
    pub fn refuse(&mut self, code: Code, detail: &str) {
        match self.owner.take() {
            Some(Owner::Caller(ticket)) => {
                refuse(ticket, self.attempt == Attempt::Resend && !self.looked_up, code, detail);
            }
            Some(Owner::Pack(hand)) => drop(hand.give(Taken::Refused { code, detail: detail.to_owned() })),
            None => {}
        }
    }

    /// Its unit, or what there is instead, goes to a pack: to nobody else, and nowhere further.
    pub fn is_of_pack(&self) -> bool {
        matches!(self.owner, Some(Owner::Pack(_)))
    }

    /// It is of a pack that holds units of other templates, and must not wait for this one.
    pub fn must_not_wait(&self) -> bool {
        matches!(&self.owner, Some(Owner::Pack(hand)) if !hand.waits())
    }

    /// Tells the pack.
    ///
    /// # Errors
    /// Gives it back when the pack is gone, or was told already.
    pub fn tell_pack(&mut self, taken: Taken) -> Result<(), Taken> {
        match self.owner.take() {
            Some(Owner::Pack(hand)) => hand.give(taken),
            other => {
                self.owner = other;
                Err(taken)
            }
        }
    }

    /// The user's last coupon of the template, as read on this connection, has that number: this one is the next.
    pub fn saw(&mut self, last: u16, connection: u64) {
        self.seq = last.saturating_add(1);
        self.seen_on = connection;
    }

    /// The number is above the limit per user.
    pub fn is_above_limit(&self) -> bool {
        self.seq > self.template.per_user_limit()
    }

    /// A coupon of this time would be above the limit of its day, as far as the coupons before it were read. None were read
    /// for a first coupon: that there are none is for the primary key to say.
    pub fn is_day_full(&self, now_ms: u64) -> bool {
        !self.earlier_ms.is_empty() && self.template.is_day_full(&self.earlier_ms, now_ms)
    }

    /// Its caller has had an answer.
    pub fn is_answered(&self) -> bool {
        self.owner.is_none()
    }

    /// Its deadline has passed.
    pub fn is_late(&self, now: Instant) -> bool {
        now >= self.deadline
    }
}

/// `hidden`: an earlier send may have been applied, and nobody looked.
pub(crate) fn refuse(ticket: Ticket, hidden: bool, code: Code, detail: &str) {
    let (code, detail, retry_after_ms) = as_told(hidden, code, detail);
    ticket.refuse(code, detail, retry_after_ms);
}

/// What a caller is told: the code, the detail, and when to try again.
pub(crate) fn as_told(hidden: bool, code: Code, detail: &str) -> (Code, String, u32) {
    if hidden && code.disposition() == Some(Disposition::NotApplied) {
        let detail = format!("this send was not applied ({detail}), but an earlier one may have been");
        (Code::OutcomeUnknown, detail, RETRY_AFTER_MS)
    } else {
        (code, detail.to_owned(), retry_after_ms(code))
    }
}

/// A hint for callers whose trouble is likely to pass.
const RETRY_AFTER_MS: u32 = 50;

/// After so long guesses are allowed again.
const GUESSING_RETRY_AFTER_MS: u32 = 1_000;

fn retry_after_ms(code: Code) -> u32 {
    if code == Code::CodeGuessing {
        return GUESSING_RETRY_AFTER_MS;
    }
    let soon = [Code::Overloaded, Code::PrimaryUnavailable, Code::StockUnavailable, Code::OutcomeUnknown];
    if soon.contains(&code) { RETRY_AFTER_MS } else { 0 }
}
