//! Questions what became of a request, and their answers.

use std::time::Duration;

use scrip_client::{Code, Coupon, CouponId, GetClaimError};

use super::{History, RequestIndex, index_of_last, micros};

/// The number of a question in its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskIndex(pub u32);

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No answer yet.
    Nothing,
    /// The request has a coupon.
    Coupon {
        /// Its public id.
        coupon: CouponId,
        /// The user's seq-th of the template.
        seq: u32,
    },
    /// No coupon carries the request id.
    NotFound,
    /// It could not be answered.
    Failed(Code),
}

/// One question what became of a request (`GetClaim`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Of which request.
    pub request: RequestIndex,
    /// Not later than it left, in microseconds since the start.
    pub asked_at_us: u64,
    /// Not sooner than the answer came, in microseconds since the start.
    pub answered_at_us: u64,
    /// What came back.
    pub found: Found,
}

impl Found {
    /// What the client's result means.
    pub fn of(result: &Result<Coupon, GetClaimError>) -> Self {
        match result {
            Ok(coupon) => Self::Coupon { coupon: coupon.coupon_id, seq: coupon.seq },
            Err(GetClaimError::NotFound(_)) => Self::NotFound,
            Err(error) => Self::Failed(error.code()),
        }
    }
}

impl History {
    /// It is about to be asked what became of a request.
    ///
    /// # Panics
    /// With the 4,294,967,296th question.
    pub fn asked(&mut self, request: RequestIndex, at: Duration) -> AskIndex {
        self.asks.push(Asked { request, asked_at_us: micros(at), answered_at_us: 0, found: Found::Nothing });
        AskIndex(index_of_last(self.asks.len()))
    }

    /// The answer to a question has come. Only the first counts: there is no second.
    pub fn found(&mut self, ask: AskIndex, at: Duration, found: Found) {
        if let Some(asked) = self.asks.get_mut(ask.0 as usize).filter(|asked| asked.found == Found::Nothing) {
            asked.found = found;
            asked.answered_at_us = micros(at);
        }
    }

    /// The questions, by number.
    pub fn asks(&self) -> &[Asked] {
        &self.asks
    }
}
