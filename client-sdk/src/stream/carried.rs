//! What a stream can carry.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::StreamState;
use crate::call::Operation;
use crate::client::Client;
use crate::coupon::{Claim, Coupon};
use crate::delivery::Sink;
use crate::error::{ClaimError, OrderError};
use crate::order::OrderRequest;
use crate::reply::{Answer, Outcome, wrong_kind};

/// A request that a [`RequestStream`](crate::RequestStream) can carry: a [`Claim`] or an [`OrderRequest`], and nothing else.
#[expect(private_interfaces, reason = "sealed: nobody else can write these signatures")]
pub trait Streamed: Sized {
    /// What comes of one.
    type Result: fmt::Debug;

    #[doc(hidden)]
    fn deadline(&self, client: &Client) -> Duration;

    #[doc(hidden)]
    fn operation(self) -> Operation;

    #[doc(hidden)]
    fn sink(state: Arc<StreamState<Self::Result>>, tag: u64, submitted: Instant) -> Sink;
}

#[expect(private_interfaces, reason = "sealed")]
impl Streamed for Claim {
    type Result = Result<Coupon, ClaimError>;

    fn deadline(&self, client: &Client) -> Duration {
        client.deadline_of(self)
    }

    fn operation(self) -> Operation {
        Operation::Claim(self.into())
    }

    fn sink(state: Arc<StreamState<Self::Result>>, tag: u64, submitted: Instant) -> Sink {
        Sink::Claims { state, tag, submitted }
    }
}

#[expect(private_interfaces, reason = "sealed")]
impl Streamed for OrderRequest {
    type Result = Result<Vec<Coupon>, OrderError>;

    fn deadline(&self, client: &Client) -> Duration {
        client.deadline()
    }

    fn operation(self) -> Operation {
        Operation::Other(Box::new(self.0))
    }

    fn sink(state: Arc<StreamState<Self::Result>>, tag: u64, submitted: Instant) -> Sink {
        Sink::Orders { state, tag, submitted }
    }
}

pub(crate) fn coupon_of(outcome: Outcome) -> Result<Coupon, ClaimError> {
    match outcome? {
        Answer::Coupon(coupon) => Ok(coupon),
        _ => Err(wrong_kind().into()),
    }
}

pub(crate) fn coupons_of(outcome: Outcome) -> Result<Vec<Coupon>, OrderError> {
    match outcome? {
        Answer::OrderCoupons(coupons) => Ok(coupons),
        _ => Err(wrong_kind().into()),
    }
}
