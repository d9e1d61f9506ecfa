//! What the vectors of bulk jobs mean.

use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result;
use scrip_protocol::v1::{
    AddBulkUsers, BulkCount, BulkJob, BulkJobAction, BulkJobPage, BulkJobState, BulkProgress, BulkResult,
    BulkResultPage, BulkUsersAdded, Code, CreateBulkJob, GetBulkJob, ListBulkJobs, ListBulkResults, SetBulkJobState,
    StartBulkJob, UserRange,
};

pub(super) fn operations() -> Vec<(&'static str, u64, u32, Operation)> {
    let create = CreateBulkJob {
        request_id: b"fedcba9876543210"[..].into(),
        template_id: 7,
        rate_per_s: 500,
        start_at_ms: 1_767_225_600_000,
    };
    let list = AddBulkUsers { job_id: 3, users: vec![0, 1234, u64::MAX], range: None };
    let range = Some(UserRange { first_user: 1_000, last_user: 50_999 });
    let range = AddBulkUsers { job_id: 3, users: Vec::new(), range };
    let set = |action: BulkJobAction| Operation::SetBulkJobState(SetBulkJobState { job_id: 3, action: action.into() });
    let start = StartBulkJob { job_id: 3, users: 50_003, ..StartBulkJob::default() };
    let digest = StartBulkJob { list_digest: b"01234567"[..].into(), ..start.clone() };
    let jobs = ListBulkJobs { state: BulkJobState::Running.into(), page_size: 100, after_job_id: 3 };
    let results = ListBulkResults { job_id: 3, page_size: 500, cursor: b"opaque\x00\xff"[..].into() };
    vec![
        ("request_create_bulk_job", 18, 0, Operation::CreateBulkJob(create)),
        ("request_add_bulk_users", 19, 0, Operation::AddBulkUsers(list)),
        ("request_add_bulk_users_range", 20, 0, Operation::AddBulkUsers(range)),
        ("request_start_bulk_job", 21, 0, Operation::StartBulkJob(start)),
        ("request_start_bulk_job_digest", 28, 0, Operation::StartBulkJob(digest)),
        ("request_set_bulk_job_state_pause", 22, 0, set(BulkJobAction::Pause)),
        ("request_set_bulk_job_state_resume", 23, 0, set(BulkJobAction::Resume)),
        ("request_set_bulk_job_state_cancel", 24, 0, set(BulkJobAction::Cancel)),
        ("request_get_bulk_job", 25, 0, Operation::GetBulkJob(GetBulkJob { job_id: 3 })),
        ("request_list_bulk_jobs", 26, 0, Operation::ListBulkJobs(jobs)),
        ("request_list_bulk_results", 27, 0, Operation::ListBulkResults(results)),
    ]
}

pub(super) fn results() -> Vec<(&'static str, u64, Result)> {
    let count = |code: Code, users| BulkCount { code: code.into(), users };
    let counts = vec![count(Code::Unspecified, 50_000), count(Code::Ok, 2), count(Code::LimitReached, 1)];
    let progress = BulkProgress { job: Some(job()), counts, recent_per_s: 500, left_ms: 100_000 };
    let got = BulkResult {
        user_id: 0,
        code: Code::Ok.into(),
        coupon_id: b"0123456789abcdef"[..].into(),
        done_at_ms: 1_767_225_600_001,
    };
    let refused = BulkResult {
        user_id: 1234,
        code: Code::LimitReached.into(),
        done_at_ms: 1_767_225_600_002,
        ..BulkResult::default()
    };
    let pending = BulkResult { user_id: u64::MAX, ..BulkResult::default() };
    let page = BulkResultPage { results: vec![got, refused, pending], next_cursor: b"opaque\x00\xff"[..].into() };
    vec![
        ("response_bulk_job", 18, Result::BulkJob(job())),
        ("response_bulk_users_added", 19, Result::BulkUsersAdded(BulkUsersAdded { job_id: 3 })),
        ("response_bulk_progress", 25, Result::BulkProgress(progress)),
        ("response_bulk_job_page", 26, Result::BulkJobPage(BulkJobPage { jobs: vec![job()], next_after_job_id: 3 })),
        ("response_bulk_result_page", 27, Result::BulkResultPage(page)),
    ]
}

fn job() -> BulkJob {
    BulkJob {
        job_id: 3,
        request_id: b"fedcba9876543210"[..].into(),
        template_id: 7,
        state: BulkJobState::Running.into(),
        rate_per_s: 500,
        start_at_ms: 1_767_225_600_000,
        created_at_ms: 1_767_139_200_000,
        users: 50_003,
    }
}
