//! What the history says of each request, over all its sends.

use scrip_client::{Code, CouponId};
use scrip_protocol::Fault;

use crate::history::{History, Sent, Told};

/// What the sends of one request were told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) first_sent_us: u64,
    /// The coupon that the first answer with one named.
    pub(super) coupon: Option<(CouponId, u32)>,
    /// An answer with a coupon named another one.
    pub(super) coupons_differ: bool,
    /// When the first send that got a coupon left.
    granted_sent_us: u64,
    /// When the last refusal by the rules came, the limit per user apart.
    refused_us: Option<u64>,
    limit_reached: bool,
    /// Some send was told "unknown", or nothing.
    pub(super) in_doubt: bool,
}

impl Request {
    const UNSENT: Self = Self {
        first_sent_us: u64::MAX,
        coupon: None,
        coupons_differ: false,
        granted_sent_us: u64::MAX,
        refused_us: None,
        limit_reached: false,
        in_doubt: false,
    };

    fn is_sent(&self) -> bool {
        self.first_sent_us != u64::MAX
    }

    /// Every send was told that it was not applied.
    pub(super) fn is_refused(&self) -> bool {
        self.is_sent() && self.coupon.is_none() && !self.in_doubt
    }

    /// Granted on one send and refused by the rules on another. A refusal that had come before a later send was
    /// granted is no contradiction: a template can be resumed or replenished. Coupons are never taken away, though, so
    /// a limit that was reached stays reached.
    pub(super) fn is_contradicted(&self) -> bool {
        let refused_meanwhile = self.refused_us.is_some_and(|refused_us| refused_us > self.granted_sent_us);
        self.coupon.is_some() && (self.limit_reached || refused_meanwhile)
    }

    fn add(&mut self, sent: &Sent) {
        self.first_sent_us = self.first_sent_us.min(sent.sent_at_us);
        match sent.told {
            Told::Nothing | Told::Unknown(_) => self.in_doubt = true,
            Told::NotApplied(Code::LimitReached) => self.limit_reached = true,
            Told::NotApplied(code) if code.fault() == Some(Fault::Rules) => {
                self.refused_us = self.refused_us.max(Some(sent.answered_at_us));
            }
            Told::NotApplied(_) => {}
            Told::Coupon { coupon, seq, .. } => {
                self.granted_sent_us = self.granted_sent_us.min(sent.sent_at_us);
                self.coupons_differ |= self.coupon.is_some_and(|first| first != (coupon, seq));
                self.coupon = self.coupon.or(Some((coupon, seq)));
            }
        }
    }
}

/// All requests of a history, by number.
#[derive(Debug)]
pub(super) struct Requests(Vec<Request>);

impl Requests {
    pub(super) fn of(history: &History) -> Self {
        let mut requests = vec![Request::UNSENT; history.requests().len()];
        for sent in history.sends() {
            requests[sent.request.0 as usize].add(sent);
        }
        Self(requests)
    }

    /// Those that were sent, with their numbers.
    pub(super) fn sent(&self) -> impl Iterator<Item = (usize, &Request)> {
        self.0.iter().enumerate().filter(|(_, request)| request.is_sent())
    }

    pub(super) fn get(&self, number: usize) -> &Request {
        &self.0[number]
    }
}
