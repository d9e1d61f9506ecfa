//! What a proxy answers.

use super::{Violation, Violations};
use crate::id::CouponId;
use crate::limits::{COUPON_STEPS_MAX, DETAIL_LEN_MAX, RETRY_AFTER_MAX_MS, SUB_STOCKS_MAX};
use crate::v1::response::Result;
use crate::v1::{BulkJob, BulkResult, Code, CodeBatch, Coupon, CouponHistory, QuoteResult, Response, Template};

/// What is wrong with a response; empty: nothing. A client that finds something treats the outcome as unknown: the
/// proxy is broken, or is not one.
pub fn check_response(response: &Response) -> Vec<Violation> {
    let mut found = Violations::default();
    if response.code == Code::Unspecified as i32 {
        found.add("code", response.code, "a response carries a code");
    }
    found.bytes("detail", response.detail.len(), 0..=DETAIL_LEN_MAX);
    found.range("retry_after_ms", response.retry_after_ms, 0..=RETRY_AFTER_MAX_MS);
    match &response.result {
        Some(Result::Coupon(coupon)) => check_coupon(&mut found, coupon),
        Some(Result::CouponPage(page)) => page.coupons.iter().for_each(|coupon| check_coupon(&mut found, coupon)),
        Some(Result::OrderCoupons(order)) => order.coupons.iter().for_each(|coupon| check_coupon(&mut found, coupon)),
        Some(Result::PackCoupons(pack)) => pack.coupons.iter().for_each(|coupon| check_coupon(&mut found, coupon)),
        Some(Result::PackRefusal(refusal)) => found.template_id("pack_refusal.template_id", refusal.template_id),
        Some(Result::CouponHistory(history)) => check_history(&mut found, history),
        Some(Result::QuoteResult(quote)) => check_quote_result(&mut found, quote),
        Some(Result::Template(template)) => check_template(&mut found, template),
        Some(Result::TemplatePage(page)) => page.templates.iter().for_each(|one| check_template(&mut found, one)),
        Some(Result::StockChange(change)) => found.template_id("stock_change.template_id", change.template_id),
        Some(Result::BulkJob(job)) => check_bulk_job(&mut found, job),
        Some(Result::BulkUsersAdded(added)) => found.bulk_job_id("bulk_users_added.job_id", added.job_id),
        Some(Result::BulkProgress(progress)) => match &progress.job {
            Some(job) => check_bulk_job(&mut found, job),
            None => found.add("bulk_progress.job", "missing", "progress is that of a job"),
        },
        Some(Result::BulkJobPage(page)) => page.jobs.iter().for_each(|job| check_bulk_job(&mut found, job)),
        Some(Result::BulkResultPage(page)) => page.results.iter().for_each(|one| check_bulk_result(&mut found, one)),
        Some(Result::CodeBatch(batch)) => check_code_batch(&mut found, batch),
        Some(Result::CodeBatchPage(page)) => page.batches.iter().for_each(|one| check_code_batch(&mut found, one)),
        Some(Result::CodePage(page)) => found.code_batch_id("code_page.batch_id", page.batch_id),
        Some(Result::CouponCounts(_) | Result::Welcome(_) | Result::Pong(_) | Result::GoAway(_)) | None => {}
    }
    found.0
}

fn check_coupon(found: &mut Violations, coupon: &Coupon) {
    if CouponId::try_from_slice(&coupon.coupon_id).is_err() {
        found.add("coupon.coupon_id", format!("{} bytes", coupon.coupon_id.len()), "a coupon id has 16 bytes");
    }
    found.template_id("coupon.template_id", coupon.template_id);
    found.request_id("coupon.request_id", &coupon.request_id);
    if coupon.seq == 0 {
        found.add("coupon.seq", 0, "the first coupon of a user is 1");
    }
}

fn check_history(found: &mut Violations, history: &CouponHistory) {
    match &history.coupon {
        None => found.add("coupon_history.coupon", "missing", "a history is one of a coupon"),
        Some(coupon) => check_coupon(found, coupon),
    }
    if history.steps.len() > usize::from(COUPON_STEPS_MAX) {
        let value = format!("{} steps", history.steps.len());
        found.add("coupon_history.steps", value, format!("a coupon has at most {COUPON_STEPS_MAX}"));
    }
}

fn check_bulk_job(found: &mut Violations, job: &BulkJob) {
    found.bulk_job_id("bulk_job.job_id", job.job_id);
    found.request_id("bulk_job.request_id", &job.request_id);
    found.template_id("bulk_job.template_id", job.template_id);
}

fn check_bulk_result(found: &mut Violations, result: &BulkResult) {
    let len = if result.code() == Code::Ok { 16 } else { 0 };
    found.bytes("bulk_result.coupon_id", result.coupon_id.len(), len..=len);
}

fn check_code_batch(found: &mut Violations, batch: &CodeBatch) {
    found.code_batch_id("code_batch.batch_id", batch.batch_id);
    found.request_id("code_batch.request_id", &batch.request_id);
    found.template_id("code_batch.template_id", batch.template_id);
}

fn check_quote_result(found: &mut Violations, quote: &QuoteResult) {
    let applicable = quote.applicable.iter().map(|coupon| &coupon.coupon_id);
    let inapplicable = quote.inapplicable.iter().map(|coupon| &coupon.coupon_id);
    let combined = quote.best.iter().flat_map(|best| &best.coupons).map(|coupon| &coupon.coupon_id);
    for id in applicable.chain(inapplicable).chain(combined).filter(|id| CouponId::try_from_slice(id).is_err()) {
        found.add("quote_result.coupon_id", format!("{} bytes", id.len()), "a coupon id has 16 bytes");
    }
}

fn check_template(found: &mut Violations, template: &Template) {
    found.template_id("template.template_id", template.template_id);
    if template.definition.is_none() {
        found.add("template.definition", "missing", "a template has one");
    }
    if template.sub_stocks.len() > SUB_STOCKS_MAX {
        let value = format!("{} suffixes", template.sub_stocks.len());
        found.add("template.sub_stocks", value, format!("a template has at most {SUB_STOCKS_MAX}"));
    }
}
