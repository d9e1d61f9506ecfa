//! What orders do with coupons: lock, redeem, unlock, return.
//!
//! ```text
//! connection -> admission -> templates -> order lane (one a primary) -> connection
//! ```
//!
//! A lane takes all that queued while its last transaction was in flight, reads the logs of the coupons, decides each
//! request by [`rules`], and appends the steps of all of them in one transaction. Nothing is locked in between: steps are
//! numbered densely, so a step that was decided on a log that has grown since meets a row with its number, and the whole
//! transaction is undone and decided anew.
//!
//! | where it breaks                    | what is there                   | what the caller learns                        |
//! |------------------------------------|---------------------------------|-----------------------------------------------|
//! | before the transaction is sent     | nothing                         | *not applied*; or sends it again, to any proxy |
//! | in the transaction                 | all of its steps or none        | the proxy reads the logs under a lock and decides anew; *unknown* at the deadline |
//! | after the commit                   | all of its steps                | sends it again: its own steps are there, *done* |
//! | the primary lost the steps in a fail-over | a shorter log            | what was acknowledged may be gone, as for coupons; numbers that were read before it count no more |

pub mod funds;
pub mod lane;
mod plan;
pub mod rules;

use std::sync::Arc;

use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{Code, Coupon, OrderCoupons, StepKind};
use scrip_protocol::{CouponId, OrderId};
use tokio::time::Instant;

use self::rules::Wish;
use crate::outbox::Ticket;
use crate::store::steps::{CouponKey, NewStep};
use crate::template::Template;

/// One coupon that an order names.
#[derive(Debug)]
pub struct Item {
    /// The coupon.
    pub key: CouponKey,
    /// What is wanted of it.
    pub wish: Wish,
    /// Its template.
    pub template: Arc<Template>,
}

/// What an order wants, before its templates are known.
#[derive(Debug)]
pub struct OrderRequest {
    /// The order.
    pub order: OrderId,
    /// The coupons, and what is wanted of each.
    pub wishes: Vec<(CouponKey, Wish)>,
}

/// A step that was sent in a transaction of unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Of which coupon.
    pub key: CouponKey,
    /// Its number.
    pub number: u16,
    /// What it does.
    pub kind: StepKind,
}

impl Sent {
    /// What identifies it.
    pub fn new(new: &NewStep) -> Self {
        Self { key: new.key, number: new.step.number, kind: new.step.kind }
    }
}

/// One request of an order on its way: all of its coupons or none.
#[derive(Debug)]
pub struct OrderTask {
    ticket: Option<Ticket>,
    /// The order.
    pub order: OrderId,
    /// Its coupons, in the caller's order. All of one user.
    pub items: Vec<Item>,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// When it entered the queue: for the account of where time goes, and for nothing else.
    pub since: Instant,
    /// Steps that were sent and may have been written, or may yet be.
    pub sent: Vec<Sent>,
}

impl OrderTask {
    /// A request that has just been admitted.
    pub fn new(ticket: Ticket, order: OrderId, items: Vec<Item>, deadline: Instant) -> Self {
        Self { ticket: Some(ticket), order, items, deadline, since: Instant::now(), sent: Vec::new() }
    }

    /// Answers with the coupons as they stand now.
    pub fn grant(&mut self, coupons: Vec<Coupon>) {
        if let Some(ticket) = self.ticket.take() {
            ticket.answer(Answer::OrderCoupons(OrderCoupons { coupons }));
        }
    }

    /// Answers with a code other than OK. While steps of it may yet be written, no refusal is definite.
    pub fn refuse(&mut self, code: Code, detail: &str) {
        let Some(ticket) = self.ticket.take() else { return };
        if self.is_burned() {
            let detail = format!("{detail}; whether it was applied is not known yet");
            return crate::claim::refuse(ticket, false, Code::OutcomeUnknown, &detail);
        }
        crate::claim::refuse(ticket, false, code, detail);
    }

    /// Steps of it were sent, and what became of them is not known.
    pub fn is_burned(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Its caller has had an answer.
    pub fn is_answered(&self) -> bool {
        self.ticket.is_none()
    }

    /// Its deadline has passed.
    pub fn is_late(&self, now: Instant) -> bool {
        now >= self.deadline
    }
}

/// Why the coupons that a request names cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCoupon {
    /// The id was not made here.
    Unknown(CouponId),
    /// It is another user's.
    Foreign(CouponId),
}

impl NoCoupon {
    /// The code that says so.
    pub fn code(self) -> Code {
        match self {
            Self::Unknown(_) => Code::CouponNotFound,
            Self::Foreign(_) => Code::CouponForeign,
        }
    }

    /// For people.
    pub fn detail(self) -> String {
        let (Self::Unknown(id) | Self::Foreign(id)) = self;
        format!("coupon {id}: {}", self.code().cause())
    }
}
