//! What the vectors of exchange codes mean.

use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result;
use scrip_protocol::v1::{
    ClaimByCode, CodeBatch, CodeBatchPage, CodeBatchStatus, CodePage, CreateCodeBatch, ExportCodes, GetCodeBatch,
    ListCodeBatches, RevokeCodeBatch,
};

const CODE: &str = "TEA-ABCD-EFGH-JKLM-NPQR-S";

pub(super) fn operations() -> Vec<(&'static str, u64, u32, Operation)> {
    let create = CreateCodeBatch { request_id: b"fedcba9876543210"[..].into(), template_id: 7, count: 10_000, uses: 3 };
    let list = ListCodeBatches { page_size: 100, after_batch_id: 9 };
    let export = ExportCodes { batch_id: 9, first_index: 500, page_size: 500 };
    let claim = ClaimByCode { user_id: 1234, code: CODE.to_owned(), attempt: 2 };
    vec![
        ("request_create_code_batch", 28, 0, Operation::CreateCodeBatch(create)),
        ("request_get_code_batch", 29, 0, Operation::GetCodeBatch(GetCodeBatch { batch_id: 9 })),
        ("request_list_code_batches", 30, 0, Operation::ListCodeBatches(list)),
        ("request_revoke_code_batch", 31, 0, Operation::RevokeCodeBatch(RevokeCodeBatch { batch_id: 9 })),
        ("request_export_codes", 32, 0, Operation::ExportCodes(export)),
        ("request_claim_by_code", 33, 0, Operation::ClaimByCode(claim)),
    ]
}

pub(super) fn results() -> Vec<(&'static str, u64, Result)> {
    let batch = CodeBatch {
        batch_id: 9,
        request_id: b"fedcba9876543210"[..].into(),
        template_id: 7,
        count: 10_000,
        uses: 3,
        status: CodeBatchStatus::Open.into(),
        created_at_ms: 1_767_139_200_000,
    };
    let codes = vec![CODE.to_owned(), "TEA-2345-6789-ABCD-EFGH-J".to_owned()];
    let page = CodePage { batch_id: 9, first_index: 500, codes, next_index: 502 };
    let batches = CodeBatchPage { batches: vec![batch.clone()], next_after_batch_id: 9 };
    vec![
        ("response_code_batch", 28, Result::CodeBatch(batch)),
        ("response_code_batch_page", 30, Result::CodeBatchPage(batches)),
        ("response_code_page", 32, Result::CodePage(page)),
    ]
}
