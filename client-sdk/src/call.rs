//! One request over all of its attempts: an owned value that moves from queue to connection and back until it is delivered.

use std::mem;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use prost::Message;
use scrip_protocol::frame;
use scrip_protocol::limits::DEADLINE_MAX_MS;
use scrip_protocol::v1::request::Operation as Wire;
use scrip_protocol::v1::{self, Request};
use scrip_protocol::{RequestId, TemplateId, UserId};

use crate::coupon::{Claim, Coupon};
use crate::delivery::Sink;
use crate::failure::Failure;
use crate::quote::Combination;
use crate::reply::Answer;
use crate::writes::Written;

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// One for all attempts.
    pub(crate) deadline: Instant,
    /// Attempts that were written, or may have been.
    pub(crate) sent: u32,
    /// An attempt was written and its outcome is not known.
    pub(crate) in_doubt: bool,
    /// How many connections were lost under it.
    pub(crate) losses: u32,
    /// The proxy that a resend should avoid.
    pub(crate) avoid: Option<u16>,
    /// The last refusal, for the case that nothing better is heard.
    pub(crate) refused: Option<Box<Failure>>,
    pub(crate) sink: Sink,
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Operation {
    /// By far the most frequent: kept small.
    Claim(ClaimCall),
    Other(Box<Wire>),
}

/// A claim without its deadline, which is the call's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClaimCall {
    pub(crate) user: UserId,
    template: TemplateId,
    request_id: RequestId,
    first_try: bool,
}

impl From<Claim> for ClaimCall {
    fn from(Claim { user, template, request_id, first_try, deadline: _ }: Claim) -> Self {
        Self { user, template, request_id, first_try }
    }
}

impl Call {
    pub(crate) fn new(operation: Operation, deadline: Instant, sink: Sink) -> Self {
        Self { operation, deadline, sent: 0, in_doubt: false, losses: 0, avoid: None, refused: None, sink }
    }

    /// Appends this attempt as a frame; the proxy is told how much time is left.
    pub(crate) fn encode(&mut self, id: u64, now: Instant, buffer: &mut BytesMut) {
        self.with_request(id, now, |request| frame::put(request, buffer));
    }

    /// Whether its frame is above the limit of the proxy. Claims never are.
    pub(crate) fn exceeds(&mut self, len_max: usize, now: Instant) -> bool {
        match &self.operation {
            Operation::Claim(_) => false,
            Operation::Other(_) => self.with_request(u64::MAX, now, |request| request.encoded_len() > len_max),
        }
    }

    /// Lends this attempt as a message. The operation is moved in and out: it may be large, and each attempt would copy it.
    fn with_request<T>(&mut self, id: u64, now: Instant, use_it: impl FnOnce(&Request) -> T) -> T {
        let left_ms = self.deadline.saturating_duration_since(now).as_millis().clamp(1, DEADLINE_MAX_MS.into());
        let first_try = matches!(&self.operation, Operation::Claim(claim) if claim.first_try);
        let attempt = self.wire_attempt(first_try);
        let mut request = Request { id, deadline_ms: left_ms as u32, operation: None };
        match &mut self.operation {
            Operation::Claim(claim) => {
                request.operation = Some(Wire::Claim(wire_claim(claim, attempt)));
                use_it(&request)
            }
            Operation::Other(operation) => {
                match &mut **operation {
                    Wire::ClaimByCode(claim) => claim.attempt = attempt,
                    Wire::ClaimPack(claim) => claim.attempt = attempt,
                    _ => {}
                }
                request.operation = Some(mem::replace(operation, Wire::Ping(v1::Ping::default())));
                let used = use_it(&request);
                if let Some(lent) = request.operation {
                    **operation = lent;
                }
                used
            }
        }
    }

    /// What it may have changed that reads show.
    pub(crate) fn written(&self) -> Option<Written> {
        let user = |id| Some(Written::User(UserId(id)));
        match &self.operation {
            Operation::Claim(claim) => Some(Written::User(claim.user)),
            Operation::Other(operation) => match &**operation {
                Wire::Claim(claim) => user(claim.user_id),
                Wire::ClaimByCode(claim) => user(claim.user_id),
                Wire::ClaimPack(claim) => user(claim.user_id),
                Wire::LockCoupons(lock) => user(lock.user_id),
                Wire::RedeemCoupons(redeem) => user(redeem.user_id),
                Wire::UnlockCoupons(unlock) => user(unlock.user_id),
                Wire::ReturnCoupons(back) => user(back.user_id),
                Wire::CreateTemplate(_) | Wire::SetTemplateStatus(_) | Wire::Replenish(_) => Some(Written::Templates),
                Wire::Hello(_)
                | Wire::Ping(_)
                | Wire::GetClaim(_)
                | Wire::ListCoupons(_)
                | Wire::CountCoupons(_)
                | Wire::GetCoupon(_)
                | Wire::Quote(_)
                | Wire::GetTemplate(_)
                | Wire::ListTemplates(_)
                | Wire::CreateBulkJob(_)
                | Wire::AddBulkUsers(_)
                | Wire::StartBulkJob(_)
                | Wire::SetBulkJobState(_)
                | Wire::GetBulkJob(_)
                | Wire::ListBulkJobs(_)
                | Wire::ListBulkResults(_)
                | Wire::CreateCodeBatch(_)
                | Wire::GetCodeBatch(_)
                | Wire::ListCodeBatches(_)
                | Wire::RevokeCodeBatch(_)
                | Wire::ExportCodes(_) => None,
            },
        }
    }

    /// Whether an attempt without an answer leaves something in doubt: reading twice does no harm.
    pub(crate) fn has_effect(&self) -> bool {
        match &self.operation {
            Operation::Claim(_) => true,
            Operation::Other(operation) => match **operation {
                Wire::Claim(_)
                | Wire::LockCoupons(_)
                | Wire::RedeemCoupons(_)
                | Wire::UnlockCoupons(_)
                | Wire::ReturnCoupons(_)
                | Wire::CreateTemplate(_)
                | Wire::SetTemplateStatus(_)
                | Wire::Replenish(_)
                | Wire::CreateBulkJob(_)
                | Wire::AddBulkUsers(_)
                | Wire::StartBulkJob(_)
                | Wire::SetBulkJobState(_)
                | Wire::CreateCodeBatch(_)
                | Wire::RevokeCodeBatch(_)
                | Wire::ClaimByCode(_)
                | Wire::ClaimPack(_) => true,
                Wire::Hello(_)
                | Wire::Ping(_)
                | Wire::GetClaim(_)
                | Wire::ListCoupons(_)
                | Wire::CountCoupons(_)
                | Wire::GetCoupon(_)
                | Wire::Quote(_)
                | Wire::GetTemplate(_)
                | Wire::ListTemplates(_)
                | Wire::GetBulkJob(_)
                | Wire::ListBulkJobs(_)
                | Wire::ListBulkResults(_)
                | Wire::GetCodeBatch(_)
                | Wire::ListCodeBatches(_)
                | Wire::ExportCodes(_) => false,
            },
        }
    }

    /// Whether an OK with this result answers this request. A proxy that mixes answers up cannot be trusted.
    pub(crate) fn is_answered_by(&self, answer: &Answer) -> bool {
        match (&self.operation, answer) {
            (Operation::Claim(claim), Answer::Coupon(coupon)) => {
                coupon.request_id == claim.request_id && coupon.user == claim.user && coupon.template == claim.template
            }
            (Operation::Claim(_), _) => false,
            (Operation::Other(operation), answer) => fits(operation, answer),
        }
    }

    /// 2 or more: an earlier send may have been applied. Sends that were refused as not applied leave it what it was
    /// before them: 1, known to be the first, or 0, the caller made no promise.
    fn wire_attempt(&self, first_try: bool) -> u32 {
        if self.in_doubt { self.sent + 1 } else { u32::from(first_try) }
    }
}

fn wire_claim(claim: &ClaimCall, attempt: u32) -> v1::Claim {
    let (user_id, template_id) = (claim.user.get(), claim.template.get());
    v1::Claim { user_id, template_id, request_id: claim.request_id.to_bytes(), attempt }
}

/// The coupons that were asked for, in their order.
fn are<'a>(ids: impl IntoIterator<Item = &'a Bytes>, answer: &Answer) -> bool {
    let Answer::OrderCoupons(coupons) = answer else { return false };
    ids.into_iter().map(|id| &id[..]).eq(coupons.iter().map(|coupon| &coupon.coupon_id.0[..]))
}

/// As many coupons of each template as were asked for, in the order of the items.
fn is_pack(claim: &v1::ClaimPack, answer: &Answer) -> bool {
    let Answer::PackCoupons(coupons) = answer else { return false };
    let templates = claim.items.iter().flat_map(|item| std::iter::repeat_n(item.template_id, item.count as usize));
    templates.eq(coupons.iter().map(|coupon| coupon.template.get()))
        && coupons.iter().all(|coupon| coupon.user.get() == claim.user_id)
}

fn fits(operation: &Wire, answer: &Answer) -> bool {
    match operation {
        Wire::Claim(_) => false,
        Wire::GetClaim(get) => matches!(answer, Answer::Coupon(coupon) if coupon.request_id.0 == *get.request_id),
        Wire::ListCoupons(_) => matches!(answer, Answer::CouponPage(_)),
        Wire::CountCoupons(_) => matches!(answer, Answer::CouponCounts(_)),
        Wire::LockCoupons(lock) => are(&lock.coupon_ids, answer),
        Wire::RedeemCoupons(redeem) => are(redeem.coupons.iter().map(|coupon| &coupon.coupon_id), answer),
        Wire::UnlockCoupons(unlock) => are(&unlock.coupon_ids, answer),
        Wire::ReturnCoupons(back) => are(&back.coupon_ids, answer),
        Wire::GetCoupon(get) => {
            matches!(answer, Answer::CouponHistory(history) if is_asked_for(&history.coupon, get))
        }
        Wire::Quote(quote) => {
            let lines = quote.order.as_ref().map_or(0, |order| order.lines.len());
            let is_of_lines = |best: &Combination| best.line_discounts_minor.len() == lines;
            matches!(answer, Answer::Quote(answer) if answer.best.iter().all(is_of_lines))
        }
        Wire::CreateTemplate(_) | Wire::GetTemplate(_) | Wire::SetTemplateStatus(_) => {
            matches!(answer, Answer::Template(_))
        }
        Wire::ListTemplates(_) => matches!(answer, Answer::TemplatePage(_)),
        Wire::Replenish(_) => matches!(answer, Answer::StockChange(_)),
        Wire::CreateBulkJob(create) => {
            matches!(answer, Answer::BulkJob(job) if job.request_id.0 == *create.request_id)
        }
        Wire::AddBulkUsers(add) => matches!(answer, Answer::BulkUsersAdded(job) if job.get() == add.job_id),
        Wire::StartBulkJob(start) => matches!(answer, Answer::BulkJob(job) if job.job.get() == start.job_id),
        Wire::SetBulkJobState(set) => matches!(answer, Answer::BulkJob(job) if job.job.get() == set.job_id),
        Wire::GetBulkJob(get) => matches!(answer, Answer::BulkProgress(now) if now.job.job.get() == get.job_id),
        Wire::ListBulkJobs(_) => matches!(answer, Answer::BulkJobPage(_)),
        Wire::ListBulkResults(_) => matches!(answer, Answer::BulkResultPage(_)),
        Wire::CreateCodeBatch(create) => {
            matches!(answer, Answer::CodeBatch(batch) if batch.request_id.0 == *create.request_id)
        }
        Wire::GetCodeBatch(get) => matches!(answer, Answer::CodeBatch(batch) if batch.batch.get() == get.batch_id),
        Wire::RevokeCodeBatch(revoke) => {
            matches!(answer, Answer::CodeBatch(batch) if batch.batch.get() == revoke.batch_id)
        }
        Wire::ListCodeBatches(_) => matches!(answer, Answer::CodeBatchPage(_)),
        Wire::ExportCodes(export) => matches!(
            answer,
            Answer::CodePage(page) if page.batch.get() == export.batch_id && page.first_index == export.first_index
        ),
        Wire::ClaimByCode(claim) => matches!(answer, Answer::Coupon(coupon) if coupon.user.get() == claim.user_id),
        Wire::ClaimPack(claim) => is_pack(claim, answer),
        Wire::Ping(ping) => matches!(answer, Answer::Pong(nonce) if *nonce == ping.nonce),
        Wire::Hello(_) => false,
    }
}

fn is_asked_for(coupon: &Coupon, get: &v1::GetCoupon) -> bool {
    match get.number.is_empty() {
        true => coupon.coupon_id.0 == *get.coupon_id,
        false => coupon.number.is_some_and(|number| number.as_str() == get.number),
    }
}
