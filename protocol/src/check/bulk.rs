//! Bulk jobs.

use super::{Violation, Violations};
use crate::limits::{
    BULK_RANGE_PER_REQUEST_MAX, BULK_RATE_MAX, BULK_USERS_PER_REQUEST_MAX, CURSOR_LEN_MAX, TIME_MAX_MS,
};
use crate::v1::{
    AddBulkUsers, BulkJobAction, BulkJobState, CreateBulkJob, GetBulkJob, ListBulkJobs, ListBulkResults,
    SetBulkJobState, StartBulkJob, UserRange,
};

/// What is wrong with the creation of a job.
pub fn check_create_bulk_job(create: &CreateBulkJob) -> Vec<Violation> {
    let mut found = Violations::default();
    found.request_id("request_id", &create.request_id);
    found.template_id("template_id", create.template_id);
    found.range("rate_per_s", create.rate_per_s, 0..=BULK_RATE_MAX);
    found.range("start_at_ms", create.start_at_ms, 0..=TIME_MAX_MS);
    found.0
}

/// What is wrong with a piece of a list.
pub fn check_add_bulk_users(add: &AddBulkUsers) -> Vec<Violation> {
    let mut found = Violations::default();
    found.bulk_job_id("job_id", add.job_id);
    match &add.range {
        None => {
            let len = add.users.len();
            if !(1..=BULK_USERS_PER_REQUEST_MAX).contains(&len) {
                let fix = format!("give 1 to {BULK_USERS_PER_REQUEST_MAX} in a request, or a range");
                found.add("users", format!("{len} users"), fix);
            }
        }
        Some(range) => {
            if !add.users.is_empty() {
                found.add("users", format!("{} users", add.users.len()), "leave them out where there is a range");
            }
            user_range(&mut found, range);
        }
    }
    found.0
}

fn user_range(found: &mut Violations, range: &UserRange) {
    let UserRange { first_user, last_user } = *range;
    if last_user < first_user {
        found.add("range.last_user", last_user, format!("give at least first_user ({first_user})"));
    } else if last_user - first_user >= BULK_RANGE_PER_REQUEST_MAX {
        let fix = format!(
            "give at most {}: {BULK_RANGE_PER_REQUEST_MAX} users in a request",
            first_user.saturating_add(BULK_RANGE_PER_REQUEST_MAX - 1)
        );
        found.add("range.last_user", last_user, fix);
    }
}

/// What is wrong with a start.
pub fn check_start_bulk_job(start: &StartBulkJob) -> Vec<Violation> {
    let mut found = Violations::default();
    found.bulk_job_id("job_id", start.job_id);
    if start.users == 0 {
        found.add("users", 0, "give how many users the list has, at least 1");
    }
    if ![0, 8].contains(&start.list_digest.len()) {
        found.add("list_digest", format!("{} bytes", start.list_digest.len()), "give 8 bytes, or none");
    }
    found.0
}

/// What is wrong with a change of state.
pub fn check_set_bulk_job_state(set: &SetBulkJobState) -> Vec<Violation> {
    let mut found = Violations::default();
    found.bulk_job_id("job_id", set.job_id);
    if matches!(BulkJobAction::try_from(set.action), Err(_) | Ok(BulkJobAction::Unspecified)) {
        found.add("action", set.action, "give pause, resume or cancel");
    }
    found.0
}

/// What is wrong with a question for a job.
pub fn check_get_bulk_job(get: &GetBulkJob) -> Vec<Violation> {
    let mut found = Violations::default();
    found.bulk_job_id("job_id", get.job_id);
    found.0
}

/// What is wrong with a listing of jobs.
pub fn check_list_bulk_jobs(list: &ListBulkJobs) -> Vec<Violation> {
    let mut found = Violations::default();
    if BulkJobState::try_from(list.state).is_err() {
        found.add("state", list.state, "give a state that this version knows, or none for every one");
    }
    found.page_size(list.page_size);
    found.0
}

/// What is wrong with a listing of results.
pub fn check_list_bulk_results(list: &ListBulkResults) -> Vec<Violation> {
    let mut found = Violations::default();
    found.bulk_job_id("job_id", list.job_id);
    found.page_size(list.page_size);
    found.bytes("cursor", list.cursor.len(), 0..=CURSOR_LEN_MAX);
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &[Violation], fields: &[&str]) {
        assert_eq!(found.iter().map(|violation| violation.field).collect::<Vec<_>>(), fields);
    }

    #[test]
    fn jobs() {
        let sound =
            CreateBulkJob { request_id: vec![7; 16].into(), template_id: 1, rate_per_s: 1_000_000, start_at_ms: 1 };
        check(&check_create_bulk_job(&sound), &[]);
        let wrong = CreateBulkJob { rate_per_s: 1_000_001, start_at_ms: -1, ..CreateBulkJob::default() };
        check(&check_create_bulk_job(&wrong), &["request_id", "template_id", "rate_per_s", "start_at_ms"]);
        check(&check_start_bulk_job(&StartBulkJob::default()), &["job_id", "users"]);
        let digest = |len: usize| StartBulkJob { job_id: 1, users: 1, list_digest: vec![1; len].into() };
        check(&check_start_bulk_job(&digest(8)), &[]);
        check(&check_start_bulk_job(&digest(0)), &[]);
        check(&check_start_bulk_job(&digest(7)), &["list_digest"]);
        check(&check_set_bulk_job_state(&SetBulkJobState { job_id: 1, action: 9 }), &["action"]);
        check(
            &check_list_bulk_jobs(&ListBulkJobs { state: 99, page_size: 501, after_job_id: 0 }),
            &["state", "page_size"],
        );
        let results = ListBulkResults { job_id: 0, page_size: 501, cursor: vec![0; 129].into() };
        check(&check_list_bulk_results(&results), &["job_id", "page_size", "cursor"]);
    }

    #[test]
    fn lists() {
        let list = |count| AddBulkUsers { job_id: 1, users: vec![u64::MAX; count], range: None };
        check(&check_add_bulk_users(&list(0)), &["users"]);
        check(&check_add_bulk_users(&list(BULK_USERS_PER_REQUEST_MAX)), &[]);
        check(&check_add_bulk_users(&list(BULK_USERS_PER_REQUEST_MAX + 1)), &["users"]);
        let range = |users, first_user, last_user| AddBulkUsers {
            job_id: 1,
            users: vec![1; users],
            range: Some(UserRange { first_user, last_user }),
        };
        check(&check_add_bulk_users(&range(0, 7, 7)), &[]);
        check(&check_add_bulk_users(&range(0, 1, 50_000)), &[]);
        check(&check_add_bulk_users(&range(0, u64::MAX - 49_999, u64::MAX)), &[]);
        check(&check_add_bulk_users(&range(0, 1, 50_001)), &["range.last_user"]);
        check(&check_add_bulk_users(&range(1, 8, 7)), &["users", "range.last_user"]);
        check(&check_add_bulk_users(&range(0, 0, u64::MAX)), &["range.last_user"]);
    }

    #[test]
    fn the_largest_piece_fits_into_a_frame() {
        use crate::limits::FRAME_LEN_MAX;
        use crate::v1::{Request, request};
        use prost::Message;

        let users = vec![u64::MAX; BULK_USERS_PER_REQUEST_MAX];
        let add = AddBulkUsers { job_id: u32::MAX, users, range: None };
        let operation = Some(request::Operation::AddBulkUsers(add));
        assert!(Request { id: u64::MAX, deadline_ms: u32::MAX, operation }.encoded_len() < FRAME_LEN_MAX);
    }
}
