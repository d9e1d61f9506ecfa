//! Bulk jobs: does each list have the users that it was started with, and do its results agree with the coupons?
//!
//! An entry is noted after its coupon was committed, and entries and coupons of a user are on one primary, which is read
//! in one snapshot. So a result OK without its coupon is wrong at any time. That something is still pending is wrong only
//! of a job that had ended before the primaries were read.

use std::collections::BTreeMap;

use scrip_protocol::RequestId;
use scrip_protocol::v1::BulkJobState;
use scrip_shard_config::PrimaryId;

use super::link::{Link, LinkError};
use super::report::{Finding, Kind};
use super::sql;

/// A job that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) request: RequestId,
    pub(super) template: u32,
    /// Every entry has its result.
    pub(super) ended: bool,
    pub(super) users: u64,
    /// Users by primary, as counted when it was started.
    pub(super) slices: BTreeMap<PrimaryId, u64>,
}

/// The entries of a job on one primary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct List {
    pub(super) entries: u64,
    pub(super) pending: u64,
    /// OK, without the coupon of that number and of the job's request.
    pub(super) without_coupon: u64,
    /// Refused, with a coupon of the job's request.
    pub(super) with_coupon: u64,
}

/// All jobs that were started, by id.
pub(super) type Jobs = BTreeMap<u32, Job>;

pub(super) async fn jobs(link: &mut Link) -> Result<Jobs, LinkError> {
    let rows: Vec<(u32, Vec<u8>, u32, i32, u64)> = link.rows(sql::JOBS, ()).await?;
    let mut jobs = Jobs::new();
    for (id, request, template, state, users) in rows {
        let unreadable = |what: &str| LinkError(format!("bulk job {id} in meta: its {what} cannot be read"));
        let request = RequestId::try_from_slice(&request).map_err(|_| unreadable("request id"))?;
        let ended = match BulkJobState::try_from(state).map_err(|_| unreadable("state"))? {
            BulkJobState::Cancelled | BulkJobState::Finished => true,
            BulkJobState::Running | BulkJobState::Paused | BulkJobState::Cancelling => false,
            BulkJobState::Unspecified | BulkJobState::Uploading | BulkJobState::Starting => continue,
        };
        jobs.insert(id, Job { request, template, ended, users, slices: BTreeMap::new() });
    }
    let slices: Vec<(u32, u16, u64)> = link.rows(sql::SLICES, ()).await?;
    for (id, primary, users) in slices {
        if let Some(job) = jobs.get_mut(&id) {
            job.slices.insert(PrimaryId(primary), users);
        }
    }
    // One that was cancelled before its start has no list to compare with.
    jobs.retain(|_, job| job.users > 0);
    Ok(jobs)
}

/// The lists of these jobs on one primary.
pub(super) async fn lists(link: &mut Link, jobs: &Jobs) -> Result<BTreeMap<u32, List>, LinkError> {
    let mut lists = BTreeMap::new();
    for (id, job) in jobs {
        let params = (job.template, job.request.to_string(), *id);
        let rows: Vec<(u64, u64, u64, u64)> = link.rows(sql::LIST, params).await?;
        let list = rows.first().map(|&(entries, pending, without_coupon, with_coupon)| List {
            entries,
            pending,
            without_coupon,
            with_coupon,
        });
        lists.insert(*id, list.unwrap_or_default());
    }
    Ok(lists)
}

/// What is wrong with the lists of one primary.
pub(super) fn compare(primary: PrimaryId, jobs: &Jobs, lists: &BTreeMap<u32, List>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, list) in lists {
        let Some(job) = jobs.get(id) else { continue };
        let users = job.slices.get(&primary).copied().unwrap_or(0);
        let mut find = |kind, expected: String, found: String| {
            findings.push(finding(kind, Some(primary), *id, job.template, expected, found));
        };
        if list.entries != users {
            find(Kind::BulkListDiffers, format!("{users} users"), list.entries.to_string());
        }
        if job.ended && list.pending > 0 {
            find(Kind::BulkPending, "none pending".to_owned(), list.pending.to_string());
        }
        if list.without_coupon > 0 {
            find(Kind::BulkResultDiffers, "a coupon for each".to_owned(), format!("{} without", list.without_coupon));
        }
        if list.with_coupon > 0 {
            find(Kind::BulkResultDiffers, "no coupon".to_owned(), format!("{} with one", list.with_coupon));
        }
    }
    findings
}

/// What is wrong with the jobs as meta has them.
pub(super) fn totals(jobs: &Jobs) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, job) in jobs {
        let found: u64 = job.slices.values().sum();
        if found != job.users {
            let expected = format!("{} users", job.users);
            findings.push(finding(Kind::BulkListDiffers, None, *id, job.template, expected, found.to_string()));
        }
    }
    findings
}

fn finding(
    kind: Kind,
    primary: Option<PrimaryId>,
    job: u32,
    template: u32,
    expected: String,
    found: String,
) -> Finding {
    Finding {
        kind,
        promise: kind.promise(),
        primary: primary.map(|primary| primary.0),
        template: Some(template),
        sub_stock: None,
        user: None,
        job: Some(job),
        expected,
        found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ended: bool, list: List, expect: &[&str]) {
        let primary = PrimaryId(2);
        let slices = BTreeMap::from([(primary, 10)]);
        let job = Job { request: RequestId([7; 16]), template: 3, ended, users: 10, slices };
        let findings = compare(primary, &Jobs::from([(5, job)]), &BTreeMap::from([(5, list)]));
        assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn lists_and_results() {
        let good = List { entries: 10, ..List::default() };
        check(true, good, &[]);
        check(false, List { pending: 4, ..good }, &[]);
        check(
            true,
            List { pending: 4, ..good },
            &["p02 template 3 bulk job 5 a job has ended, and users have no result: expected none pending, found 4"],
        );
        check(
            false,
            List { entries: 9, ..good },
            &[
                "p02 template 3 bulk job 5 a list has not the users that it was started with: expected 10 users, found 9",
            ],
        );
        check(
            false,
            List { without_coupon: 1, with_coupon: 2, ..good },
            &[
                "p02 template 3 bulk job 5 results are not as the coupons: expected a coupon for each, found 1 without",
                "p02 template 3 bulk job 5 results are not as the coupons: expected no coupon, found 2 with one",
            ],
        );
    }
}
