//! What a client sends.

use super::bulk::{
    check_add_bulk_users, check_create_bulk_job, check_get_bulk_job, check_list_bulk_jobs, check_list_bulk_results,
    check_set_bulk_job_state, check_start_bulk_job,
};
use super::exchange::{
    check_claim_by_code, check_create_code_batch, check_export_codes, check_get_code_batch, check_list_code_batches,
    check_revoke_code_batch,
};
use super::order::{
    check_get_coupon, check_lock_coupons, check_redeem_coupons, check_return_coupons, check_unlock_coupons,
};
use super::{Violation, Violations, check_claim_pack, check_definition, check_quote, quoted};
use crate::limits::{
    CALLER_LEN_MAX, CURSOR_LEN_MAX, DEADLINE_MAX_MS, FINGERPRINT_LEN_MAX, TOKEN_LEN_MAX, TOTAL_STOCK_MAX,
};
use crate::v1::request::Operation;
use crate::v1::{
    Claim, CountCoupons, CouponOrder, CouponStatus, CreateTemplate, GetClaim, GetTemplate, Hello, ListCoupons,
    ListTemplates, Replenish, Request, SetTemplateStatus, TemplateAction, TemplateStatus,
};

/// What is wrong with a request and its operation; empty: nothing. One that is right is far below the frame limit.
pub fn check_request(request: &Request) -> Vec<Violation> {
    let mut found = Violations::default();
    if request.id == 0 {
        found.add("id", 0, "number the requests of a connection 1, 2, 3, ...");
    }
    if request.deadline_ms > DEADLINE_MAX_MS {
        found.add("deadline_ms", request.deadline_ms, format!("give at most {DEADLINE_MAX_MS}, or 0 for the default"));
    }
    match &request.operation {
        None => found.add("operation", "missing", "give one that this version knows"),
        Some(operation) => found.0.extend(check_operation(operation)),
    }
    found.0
}

fn check_operation(operation: &Operation) -> Vec<Violation> {
    match operation {
        Operation::Hello(hello) => check_hello(hello),
        Operation::Ping(_) => Vec::new(),
        Operation::Claim(claim) => check_claim(claim),
        Operation::GetClaim(get) => check_get_claim(get),
        Operation::ListCoupons(list) => check_list_coupons(list),
        Operation::CountCoupons(count) => check_count_coupons(count),
        Operation::LockCoupons(lock) => check_lock_coupons(lock),
        Operation::RedeemCoupons(redeem) => check_redeem_coupons(redeem),
        Operation::UnlockCoupons(unlock) => check_unlock_coupons(unlock),
        Operation::ReturnCoupons(back) => check_return_coupons(back),
        Operation::GetCoupon(get) => check_get_coupon(get),
        Operation::Quote(quote) => check_quote(quote),
        Operation::CreateTemplate(create) => check_create_template(create),
        Operation::GetTemplate(get) => check_get_template(get),
        Operation::ListTemplates(list) => check_list_templates(list),
        Operation::SetTemplateStatus(set) => check_set_template_status(set),
        Operation::Replenish(replenish) => check_replenish(replenish),
        Operation::CreateBulkJob(create) => check_create_bulk_job(create),
        Operation::AddBulkUsers(add) => check_add_bulk_users(add),
        Operation::StartBulkJob(start) => check_start_bulk_job(start),
        Operation::SetBulkJobState(set) => check_set_bulk_job_state(set),
        Operation::GetBulkJob(get) => check_get_bulk_job(get),
        Operation::ListBulkJobs(list) => check_list_bulk_jobs(list),
        Operation::ListBulkResults(list) => check_list_bulk_results(list),
        Operation::CreateCodeBatch(create) => check_create_code_batch(create),
        Operation::GetCodeBatch(get) => check_get_code_batch(get),
        Operation::ListCodeBatches(list) => check_list_code_batches(list),
        Operation::RevokeCodeBatch(revoke) => check_revoke_code_batch(revoke),
        Operation::ExportCodes(export) => check_export_codes(export),
        Operation::ClaimByCode(claim) => check_claim_by_code(claim),
        Operation::ClaimPack(claim) => check_claim_pack(claim),
    }
}

/// What is wrong with a Hello. The version is not judged here: it has a code of its own, and comes first.
pub fn check_hello(hello: &Hello) -> Vec<Violation> {
    let mut found = Violations::default();
    found.bytes("caller", hello.caller.len(), 1..=CALLER_LEN_MAX);
    if hello.caller.chars().any(char::is_control) {
        found.add("caller", quoted(&hello.caller), "leave out control characters");
    }
    found.bytes("token", hello.token.len(), 1..=TOKEN_LEN_MAX);
    found.bytes("topology_fingerprint", hello.topology_fingerprint.len(), 0..=FINGERPRINT_LEN_MAX);
    found.0
}

/// What is wrong with a claim.
pub fn check_claim(claim: &Claim) -> Vec<Violation> {
    let mut found = Violations::default();
    found.template_id("template_id", claim.template_id);
    found.request_id("request_id", &claim.request_id);
    found.0
}

/// What is wrong with a question about a claim.
pub fn check_get_claim(get: &GetClaim) -> Vec<Violation> {
    let mut found = Violations::default();
    found.template_id("template_id", get.template_id);
    found.request_id("request_id", &get.request_id);
    found.0
}

/// What is wrong with a listing of coupons.
pub fn check_list_coupons(list: &ListCoupons) -> Vec<Violation> {
    let mut found = Violations::default();
    if CouponStatus::try_from(list.status).is_err() {
        found.add("status", list.status, "give a status that this version knows, or none for every one");
    }
    if CouponOrder::try_from(list.order).is_err() {
        found.add("order", list.order, "give newest or ending, or none for the order of templates");
    }
    found.page_size(list.page_size);
    found.bytes("cursor", list.cursor.len(), 0..=CURSOR_LEN_MAX);
    found.max_staleness_ms(list.max_staleness_ms);
    found.0
}

/// What is wrong with a count of coupons. Every user has a number of coupons, and of every template.
pub fn check_count_coupons(count: &CountCoupons) -> Vec<Violation> {
    let mut found = Violations::default();
    found.max_staleness_ms(count.max_staleness_ms);
    found.0
}

/// What is wrong with the creation of a template.
pub fn check_create_template(create: &CreateTemplate) -> Vec<Violation> {
    let mut found = Violations::default();
    found.request_id("request_id", &create.request_id);
    match &create.definition {
        None => found.add("definition", "missing", "give one"),
        Some(definition) => found.0.extend(check_definition(definition)),
    }
    found.0
}

/// What is wrong with a question for a template.
pub fn check_get_template(get: &GetTemplate) -> Vec<Violation> {
    let mut found = Violations::default();
    found.template_id("template_id", get.template_id);
    found.max_staleness_ms(get.max_staleness_ms);
    found.0
}

/// What is wrong with a listing of templates.
pub fn check_list_templates(list: &ListTemplates) -> Vec<Violation> {
    let mut found = Violations::default();
    if TemplateStatus::try_from(list.status).is_err() {
        found.add("status", list.status, "give a status that this version knows, or none for every one");
    }
    found.page_size(list.page_size);
    found.max_staleness_ms(list.max_staleness_ms);
    found.0
}

/// What is wrong with a change of status.
pub fn check_set_template_status(set: &SetTemplateStatus) -> Vec<Violation> {
    let mut found = Violations::default();
    found.template_id("template_id", set.template_id);
    if matches!(TemplateAction::try_from(set.action), Err(_) | Ok(TemplateAction::Unspecified)) {
        found.add("action", set.action, "give publish, pause, resume or close");
    }
    found.0
}

/// What is wrong with a change of stock. The total after it: [`check_total_after`](super::check_total_after).
pub fn check_replenish(replenish: &Replenish) -> Vec<Violation> {
    let mut found = Violations::default();
    found.template_id("template_id", replenish.template_id);
    found.request_id("request_id", &replenish.request_id);
    if replenish.units == 0 || replenish.units.unsigned_abs() > TOTAL_STOCK_MAX {
        let fix = format!("give 1 to {TOTAL_STOCK_MAX} to add, -1 to -{TOTAL_STOCK_MAX} to withdraw");
        found.add("units", replenish.units, fix);
    }
    found.0
}
