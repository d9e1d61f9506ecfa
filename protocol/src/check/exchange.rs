//! Exchange codes.

use super::{Violation, Violations};
use crate::limits::{CODE_BATCH_CODES_MAX, CODE_LEN_MAX, CODE_USES_MAX};
use crate::v1::{ClaimByCode, CreateCodeBatch, ExportCodes, GetCodeBatch, ListCodeBatches, RevokeCodeBatch};

/// What is wrong with the creation of a batch.
pub fn check_create_code_batch(create: &CreateCodeBatch) -> Vec<Violation> {
    let mut found = Violations::default();
    found.request_id("request_id", &create.request_id);
    found.template_id("template_id", create.template_id);
    found.range("count", create.count, 1..=CODE_BATCH_CODES_MAX);
    found.range("uses", create.uses, 1..=CODE_USES_MAX);
    found.0
}

/// What is wrong with a question for a batch.
pub fn check_get_code_batch(get: &GetCodeBatch) -> Vec<Violation> {
    of_batch(get.batch_id)
}

/// What is wrong with a revocation.
pub fn check_revoke_code_batch(revoke: &RevokeCodeBatch) -> Vec<Violation> {
    of_batch(revoke.batch_id)
}

fn of_batch(batch_id: u32) -> Vec<Violation> {
    let mut found = Violations::default();
    found.code_batch_id("batch_id", batch_id);
    found.0
}

/// What is wrong with a listing of batches.
pub fn check_list_code_batches(list: &ListCodeBatches) -> Vec<Violation> {
    let mut found = Violations::default();
    found.page_size(list.page_size);
    found.0
}

/// What is wrong with an export.
pub fn check_export_codes(export: &ExportCodes) -> Vec<Violation> {
    let mut found = Violations::default();
    found.code_batch_id("batch_id", export.batch_id);
    found.range("first_index", export.first_index, 0..=CODE_BATCH_CODES_MAX - 1);
    found.page_size(export.page_size);
    found.0
}

/// What is wrong with a claim by code. Whether the code is one is the proxy's to say; what it holds is never repeated.
pub fn check_claim_by_code(claim: &ClaimByCode) -> Vec<Violation> {
    let mut found = Violations::default();
    found.bytes("code", claim.code.len(), 1..=CODE_LEN_MAX);
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &[Violation], fields: &[&str]) {
        assert_eq!(found.iter().map(|violation| violation.field).collect::<Vec<_>>(), fields);
    }

    #[test]
    fn batches() {
        let sound = CreateCodeBatch { request_id: vec![7; 16].into(), template_id: 1, count: 10_000_000, uses: 1 };
        check(&check_create_code_batch(&sound), &[]);
        check(&check_create_code_batch(&CreateCodeBatch::default()), &["request_id", "template_id", "count", "uses"]);
        let large = CreateCodeBatch { count: 10_000_001, uses: 1_000_001, ..sound };
        check(&check_create_code_batch(&large), &["count", "uses"]);
        check(&check_get_code_batch(&GetCodeBatch { batch_id: (1 << 24) - 1 }), &[]);
        check(&check_revoke_code_batch(&RevokeCodeBatch { batch_id: 1 << 24 }), &["batch_id"]);
        check(&check_list_code_batches(&ListCodeBatches { page_size: 501, after_batch_id: 0 }), &["page_size"]);
        let export = ExportCodes { batch_id: 0, first_index: 10_000_000, page_size: 501 };
        check(&check_export_codes(&export), &["batch_id", "first_index", "page_size"]);
    }

    #[test]
    fn claims() {
        let claim = |len| ClaimByCode { user_id: 0, code: "A".repeat(len), attempt: 1 };
        check(&check_claim_by_code(&claim(0)), &["code"]);
        check(&check_claim_by_code(&claim(64)), &[]);
        check(&check_claim_by_code(&claim(65)), &["code"]);
        assert!(!check_claim_by_code(&claim(65))[0].to_string().contains("AAAA"), "a code is a secret");
    }
}
