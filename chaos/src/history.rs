//! What clients sent and what they were told: everything, in the order of sending, append-only.
//!
//! Compact, so that a rush of millions of claims fits into memory: arrays indexed by the numbers of requests and
//! sends, and not one heap object for a claim. Time comes in as a parameter, counted from the start of the history.
//!
//! A *request* is what a caller wants once, under one request id. It may be *sent* any number of times, and *asked* about.
//! Beside the claims stand packs, bulk jobs, codes and events, what orders did with coupons, what operators did to templates, and which
//! commits were given up on purpose.

mod asked;
mod beside;
mod deed;
mod lines;
mod lost;
mod operation;
mod pack;

use std::time::Duration;

use scrip_client::{ClaimByCodeError, ClaimError, Code, Coupon, CouponId, Disposition, RequestId, TemplateId, UserId};

pub use self::asked::{AskIndex, Asked, Found};
pub use self::beside::{BulkFact, CodeFact, CodeRef, EventTold};
pub use self::deed::{Act, Deed, DeedIndex, DeedSendIndex, DeedSent, DeedTold};
pub use self::lost::LostCommits;
pub use self::operation::{Action, Operation, OperationIndex, OperationTold};
pub use self::pack::{PackFact, PackIndex};

/// A template as its creator defined it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateFact {
    /// Which.
    pub template: TemplateId,
    /// Units of stock at creation.
    pub total_stock: u64,
    /// Coupons that one user may hold.
    pub per_user_limit: u32,
}

/// What a caller wants once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// For whom.
    pub user: UserId,
    /// Of which template.
    pub template: TemplateId,
    /// Under which id.
    pub id: RequestId,
}

/// The number of a request in its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestIndex(pub u32);

/// The number of a send in its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendIndex(pub u32);

/// What a send brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// No answer yet.
    Nothing,
    /// A coupon.
    Coupon {
        /// Its public id.
        coupon: CouponId,
        /// The user's seq-th of the template.
        seq: u32,
        /// The answer says that it repeats an earlier one.
        replayed: bool,
    },
    /// Not applied, and why.
    NotApplied(Code),
    /// It may or may not have been applied.
    Unknown(Code),
}

/// One send of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Of which request.
    pub request: RequestIndex,
    /// Not later than it left, in microseconds since the start.
    pub sent_at_us: u64,
    /// Not sooner than the answer came, in microseconds since the start.
    pub answered_at_us: u64,
    /// What came back.
    pub told: Told,
}

/// Everything that was sent and told.
#[derive(Debug, Clone, Default)]
pub struct History {
    templates: Vec<TemplateFact>,
    requests: Vec<Request>,
    sends: Vec<Sent>,
    asks: Vec<Asked>,
    operations: Vec<Operation>,
    deeds: Vec<Deed>,
    deed_sends: Vec<DeedSent>,
    losses: Vec<LostCommits>,
    beside: beside::Beside,
    packs: pack::Packs,
}

impl Told {
    /// What the client's result means.
    pub fn of(result: &Result<Coupon, ClaimError>) -> Self {
        match result {
            Ok(coupon) => Self::granted(coupon),
            Err(error) => Self::failed(error.disposition(), error.code()),
        }
    }

    /// What the client's result of a claim by code means.
    pub fn of_code(result: &Result<Coupon, ClaimByCodeError>) -> Self {
        match result {
            Ok(coupon) => Self::granted(coupon),
            Err(error) => Self::failed(error.disposition(), error.code()),
        }
    }

    fn granted(coupon: &Coupon) -> Self {
        Self::Coupon { coupon: coupon.coupon_id, seq: coupon.seq, replayed: coupon.replayed }
    }

    fn failed(disposition: Disposition, code: Code) -> Self {
        match disposition {
            Disposition::NotApplied => Self::NotApplied(code),
            Disposition::Applied | Disposition::Unknown => Self::Unknown(code),
        }
    }
}

impl History {
    /// An empty history with room for so many requests and sends.
    pub fn with_capacity(requests: usize, sends: usize) -> Self {
        Self { requests: Vec::with_capacity(requests), sends: Vec::with_capacity(sends), ..Self::default() }
    }

    /// A template was created.
    pub fn created(&mut self, fact: TemplateFact) {
        self.templates.push(fact);
    }

    /// A request was made up; it is not sent yet.
    ///
    /// # Panics
    /// With the 4,294,967,296th request.
    pub fn request(&mut self, request: Request) -> RequestIndex {
        self.requests.push(request);
        RequestIndex(index_of_last(self.requests.len()))
    }

    /// A request is about to be sent.
    ///
    /// # Panics
    /// With the 4,294,967,296th send.
    pub fn sent(&mut self, request: RequestIndex, at: Duration) -> SendIndex {
        self.sends.push(Sent { request, sent_at_us: micros(at), answered_at_us: 0, told: Told::Nothing });
        SendIndex(index_of_last(self.sends.len()))
    }

    /// The answer to a send has come. Only the first counts: there is no second.
    pub fn answered(&mut self, send: SendIndex, at: Duration, told: Told) {
        if let Some(sent) = self.sends.get_mut(send.0 as usize).filter(|sent| sent.told == Told::Nothing) {
            sent.told = told;
            sent.answered_at_us = micros(at);
        }
    }

    /// The templates, in the order of their creation.
    pub fn templates(&self) -> &[TemplateFact] {
        &self.templates
    }

    /// The requests, by number.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The sends, by number.
    pub fn sends(&self) -> &[Sent] {
        &self.sends
    }
}

fn index_of_last(count: usize) -> u32 {
    u32::try_from(count - 1).expect("a history holds fewer than 2^32 requests and sends")
}

fn micros(at: Duration) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(u64::MAX)
}
