//! Answers off the wire: checked and typed before anything acts on them.

use std::time::Duration;

use bytes::BytesMut;
use prost::Message;
use scrip_protocol::frame::{self, FrameError};
use scrip_protocol::v1::response::Result as Wire;
use scrip_protocol::v1::{Code, GoAway, Response};
use scrip_protocol::{BulkJobId, TemplateId};

use crate::bulk::{BulkJob, BulkJobPage, BulkProgress, BulkResultPage};
use crate::coupon::{Coupon, CouponCounts, CouponPage};
use crate::exchange::{CodeBatch, CodeBatchPage, CodePage};
use crate::failure::Failure;
use crate::order::CouponHistory;
use crate::quote::Quote;
use crate::template::{StockChange, Template, TemplatePage};

/// What a proxy answered, when it was OK.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Pong(u64),
    Coupon(Coupon),
    CouponPage(CouponPage),
    CouponCounts(CouponCounts),
    OrderCoupons(Vec<Coupon>),
    PackCoupons(Vec<Coupon>),
    CouponHistory(CouponHistory),
    Quote(Box<Quote>),
    Template(Box<Template>),
    TemplatePage(TemplatePage),
    StockChange(StockChange),
    BulkJob(BulkJob),
    BulkUsersAdded(BulkJobId),
    BulkProgress(Box<BulkProgress>),
    BulkJobPage(BulkJobPage),
    BulkResultPage(BulkResultPage),
    CodeBatch(CodeBatch),
    CodeBatchPage(CodeBatchPage),
    CodePage(CodePage),
}

pub(crate) type Outcome = Result<Answer, Failure>;

/// One frame from the proxy.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The answer to a request.
    Reply { id: u64, outcome: Outcome },
    /// The proxy is about to stop.
    GoAway(GoAway),
    /// The error that closes the connection.
    Closing(Failure),
}

/// A part of an answer that cannot be what it says. Whatever the request did, this side cannot know it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy sent {0} that is not one")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Why the bytes of a connection cannot be trusted any longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Garbage {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Decodes every whole frame in the buffer. What came before a broken frame is still good and is in `found`.
pub(crate) fn decode_all(buffer: &mut BytesMut, len_max: usize, found: &mut Vec<Incoming>) -> Result<(), Garbage> {
    while let Some(bytes) = frame::take(buffer, len_max)? {
        let response = Response::decode(bytes).map_err(FrameError::from)?;
        found.push(incoming(response)?);
    }
    Ok(())
}

fn incoming(response: Response) -> Result<Incoming, Malformed> {
    if response.id != 0 {
        return Ok(Incoming::Reply { id: response.id, outcome: outcome(response)? });
    }
    match response.result {
        Some(Wire::GoAway(notice)) => Ok(Incoming::GoAway(notice)),
        _ => Ok(Incoming::Closing(failure(response))),
    }
}

fn outcome(response: Response) -> Result<Outcome, Malformed> {
    match Code::try_from(response.code) {
        Ok(Code::Ok) => {}
        Ok(Code::Unspecified) => return Err(Malformed("an answer without a code")),
        Ok(Code::DuplicateCorrelationId) => return Err(Malformed("a duplicate of an id that is never used twice")),
        Ok(_) | Err(_) => return Ok(Err(failure(response))),
    }
    let staleness = (response.staleness_ms > 0).then(|| Duration::from_millis(response.staleness_ms.into()));
    Ok(Ok(match response.result {
        Some(Wire::Coupon(coupon)) => Answer::Coupon(Coupon::from_wire(coupon)?),
        Some(Wire::CouponPage(page)) => Answer::CouponPage(CouponPage::from_wire(page, staleness)?),
        Some(Wire::CouponCounts(counts)) => Answer::CouponCounts(CouponCounts::from_wire(counts, staleness)),
        Some(Wire::OrderCoupons(order)) => {
            Answer::OrderCoupons(order.coupons.into_iter().map(Coupon::from_wire).collect::<Result<_, _>>()?)
        }
        Some(Wire::PackCoupons(pack)) => {
            Answer::PackCoupons(pack.coupons.into_iter().map(Coupon::from_wire).collect::<Result<_, _>>()?)
        }
        Some(Wire::QuoteResult(quote)) => Answer::Quote(Box::new(Quote::from_wire(*quote)?)),
        Some(Wire::CouponHistory(history)) => Answer::CouponHistory(CouponHistory::from_wire(history, staleness)?),
        Some(Wire::Template(template)) => Answer::Template(Box::new(Template::from_wire(*template)?)),
        Some(Wire::TemplatePage(page)) => Answer::TemplatePage(TemplatePage::from_wire(page, staleness)?),
        Some(Wire::StockChange(change)) => Answer::StockChange(StockChange::from_wire(change)?),
        Some(Wire::BulkJob(job)) => Answer::BulkJob(BulkJob::from_wire(&job)?),
        Some(Wire::BulkUsersAdded(added)) => {
            Answer::BulkUsersAdded(BulkJobId::try_new(added.job_id).map_err(|_| Malformed("the id of a bulk job"))?)
        }
        Some(Wire::BulkProgress(progress)) => Answer::BulkProgress(Box::new(BulkProgress::from_wire(&progress)?)),
        Some(Wire::BulkJobPage(page)) => Answer::BulkJobPage(BulkJobPage::from_wire(&page)?),
        Some(Wire::BulkResultPage(page)) => Answer::BulkResultPage(BulkResultPage::from_wire(page)?),
        Some(Wire::CodeBatch(batch)) => Answer::CodeBatch(CodeBatch::from_wire(&batch)?),
        Some(Wire::CodeBatchPage(page)) => Answer::CodeBatchPage(CodeBatchPage::from_wire(&page)?),
        Some(Wire::CodePage(page)) => Answer::CodePage(CodePage::from_wire(page)?),
        Some(Wire::Pong(pong)) => Answer::Pong(pong.nonce),
        Some(Wire::Welcome(_) | Wire::GoAway(_) | Wire::PackRefusal(_)) | None => {
            return Err(Malformed("an OK without its result"));
        }
    }))
}

pub(crate) fn failure(response: Response) -> Failure {
    let retry_after = (response.retry_after_ms > 0).then(|| Duration::from_millis(response.retry_after_ms.into()));
    let code = Code::try_from(response.code).unwrap_or_default();
    // What it is about helps people; a refusal is one without it too.
    let template = match response.result {
        Some(Wire::PackRefusal(refusal)) => TemplateId::try_new(refusal.template_id).ok(),
        _ => None,
    };
    Failure { code, number: response.code, detail: response.detail.into(), retry_after, template, sent: 0 }
}

/// An OK that answers another operation.
pub(crate) fn wrong_kind() -> Failure {
    Failure::local(Code::OutcomeUnknown, "the answer is of another kind")
}
