//! What the history says of each request, over all its sends and the questions about it.

use scrip_client::{Code, CouponId};
use scrip_protocol::Fault;

use crate::history::{Asked, Found, History, Sent, Told};

/// What the sends of one request, and the questions about it, were told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) first_sent_us: u64,
    last_sent_us: u64,
    /// When a coupon was first told.
    pub(super) known_us: u64,
    /// When "no such coupon" was last asked for.
    not_found_asked_us: Option<u64>,
    /// The coupon that the first answer with one named.
    pub(super) coupon: Option<(CouponId, u32)>,
    /// An answer with a coupon named another one.
    pub(super) coupons_differ: bool,
    /// When the first send that got a coupon left.
    granted_sent_us: u64,
    /// When the last refusal by the rules came that holds for what is under way, the limit per user apart.
    refused_us: Option<u64>,
    /// When the last send that was refused by the rules left.
    refused_sent_us: Option<u64>,
    /// When the last "sold out" or "limit reached" came: what is under way then will not be applied.
    settled_us: Option<u64>,
    sold_out_us: Option<u64>,
    /// When the last refusal came that says that it is over with the template.
    ended_us: Option<u64>,
    limit_reached: bool,
    /// When the last send left that brought no definite answer.
    doubt_sent_us: Option<u64>,
    /// Some send was told "unknown", or nothing.
    pub(super) in_doubt: bool,
}

impl Request {
    const UNSENT: Self = Self {
        first_sent_us: u64::MAX,
        last_sent_us: 0,
        known_us: u64::MAX,
        not_found_asked_us: None,
        coupon: None,
        coupons_differ: false,
        granted_sent_us: u64::MAX,
        refused_us: None,
        refused_sent_us: None,
        settled_us: None,
        sold_out_us: None,
        ended_us: None,
        limit_reached: false,
        doubt_sent_us: None,
        in_doubt: false,
    };

    fn is_sent(&self) -> bool {
        self.first_sent_us != u64::MAX
    }

    /// Every send was told that it was not applied.
    pub(super) fn is_refused(&self) -> bool {
        self.is_sent() && self.coupon.is_none() && !self.in_doubt
    }

    /// Some send was refused by the rules.
    pub(super) fn is_refused_by_rules(&self) -> bool {
        self.refused_sent_us.is_some()
    }

    /// Granted on one send and refused by the rules on another. A refusal that had come before a later send was
    /// granted is no contradiction: a template can be resumed or replenished. Coupons are never taken away, though, so
    /// a limit that was reached stays reached.
    pub(super) fn is_contradicted(&self) -> bool {
        let refused_meanwhile = self.refused_us.is_some_and(|refused_us| refused_us > self.granted_sent_us);
        let refused_afterwards = self.refused_sent_us.is_some_and(|sent_us| sent_us > self.known_us);
        self.coupon.is_some() && (self.limit_reached || refused_meanwhile || refused_afterwards)
    }

    /// A refusal told that nothing which was under way will be applied, and nothing was sent afterwards. "Sold out" does not
    /// say so of a template that is replenished.
    pub(super) fn is_settled(&self, replenished: bool) -> bool {
        let settled_us = if replenished { self.settled_us } else { self.settled_us.max(self.sold_out_us) };
        settled_us.is_some_and(|settled_us| settled_us >= self.last_sent_us)
    }

    /// Neither a coupon nor a refusal by the rules after the last send that is in doubt.
    pub(super) fn is_undecided(&self) -> bool {
        let refused_us = self.refused_us.max(self.ended_us);
        self.coupon.is_none() && self.doubt_sent_us.is_some_and(|sent_us| refused_us < Some(sent_us))
    }

    /// The coupon was not found by somebody who asked when it was known.
    pub(super) fn is_forgotten(&self) -> bool {
        self.not_found_asked_us.is_some_and(|asked_us| asked_us > self.known_us)
    }

    fn add(&mut self, sent: &Sent) {
        self.first_sent_us = self.first_sent_us.min(sent.sent_at_us);
        self.last_sent_us = self.last_sent_us.max(sent.sent_at_us);
        match sent.told {
            Told::Nothing | Told::Unknown(_) => {
                self.in_doubt = true;
                self.doubt_sent_us = self.doubt_sent_us.max(Some(sent.sent_at_us));
            }
            Told::NotApplied(code) if code.fault() == Some(Fault::Rules) => self.refused(sent, code),
            Told::NotApplied(_) => {}
            Told::Coupon { coupon, seq, .. } => {
                self.granted_sent_us = self.granted_sent_us.min(sent.sent_at_us);
                self.told_of((coupon, seq), sent.answered_at_us);
            }
        }
    }

    fn refused(&mut self, sent: &Sent, code: Code) {
        match code {
            Code::LimitReached => {
                self.limit_reached = true;
                self.settled_us = self.settled_us.max(Some(sent.answered_at_us));
            }
            Code::SoldOut => self.sold_out_us = self.sold_out_us.max(Some(sent.answered_at_us)),
            Code::TemplateClosed | Code::ClaimEnded => self.ended_us = self.ended_us.max(Some(sent.answered_at_us)),
            _ => {}
        }
        // Proxies see a pause, and the end of a day or of a template, one after the other: of two sends at once, one may be
        // refused and the other granted.
        let is_seen_later = matches!(code, Code::TemplatePaused | Code::DailyLimitReached);
        if !is_seen_later && !matches!(code, Code::TemplateClosed | Code::ClaimEnded) {
            self.refused_us = self.refused_us.max(Some(sent.answered_at_us));
        }
        self.refused_sent_us = self.refused_sent_us.max(Some(sent.sent_at_us));
    }

    fn add_answer(&mut self, asked: &Asked) {
        match asked.found {
            Found::Coupon { coupon, seq } => self.told_of((coupon, seq), asked.answered_at_us),
            Found::NotFound => self.not_found_asked_us = self.not_found_asked_us.max(Some(asked.asked_at_us)),
            Found::Nothing | Found::Failed(_) => {}
        }
    }

    fn told_of(&mut self, coupon: (CouponId, u32), answered_at_us: u64) {
        self.known_us = self.known_us.min(answered_at_us);
        self.coupons_differ |= self.coupon.is_some_and(|first| first != coupon);
        self.coupon = self.coupon.or(Some(coupon));
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
        for asked in history.asks() {
            requests[asked.request.0 as usize].add_answer(asked);
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
