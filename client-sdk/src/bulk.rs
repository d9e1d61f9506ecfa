//! Bulk jobs as callers see them; `wire`: from the messages.

mod wire;

use std::time::Duration;

use scrip_protocol::v1::Code;
use scrip_protocol::{BulkJobId, CouponId, RequestId, TemplateId, UserId};

use sha2::{Digest, Sha256};

/// What a job is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewBulkJob {
    /// Every user of its list gets one coupon of this template.
    pub template: TemplateId,
    /// At most so many users a second, over all proxies: 1 to 1,000,000. None: as fast as claims of callers leave room for.
    pub rate_per_s: Option<u32>,
    /// Not before this, in milliseconds since 1970-01-01 UTC. None: at once.
    pub start_at_ms: Option<i64>,
}

impl NewBulkJob {
    /// At once, and as fast as claims of callers leave room for.
    pub fn new(template: TemplateId) -> Self {
        Self { template, rate_per_s: None, start_at_ms: None }
    }
}

/// What a list is, whatever the order of its users: what a job is started with, so that it is that list and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkList {
    /// How many different users it has.
    pub users: u64,
    /// Which: the XOR over all of them of the first 8 bytes of SHA-256 over the user id in decimal digits. None: any.
    pub digest: Option<u64>,
}

impl BulkList {
    /// The list of these users, every one of them different.
    pub fn of_different(users: impl IntoIterator<Item = UserId>) -> Self {
        let (mut count, mut digest) = (0, 0);
        for user in users {
            count += 1;
            digest ^= digest_of(user);
        }
        Self { users: count, digest: Some(digest) }
    }
}

/// The first 8 bytes of SHA-256 over the user in decimal.
fn digest_of(user: UserId) -> u64 {
    let hash = Sha256::digest(user.to_string());
    u64::from_be_bytes(std::array::from_fn(|index| hash[index]))
}

/// A job and where it is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkJob {
    /// Its id.
    pub job: BulkJobId,
    /// The request that created it.
    pub request_id: RequestId,
    /// What it is to do.
    pub new: NewBulkJob,
    /// Where it is in its life.
    pub state: BulkJobState,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at_ms: i64,
    /// Users on its list; 0 until it was started.
    pub users: u64,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BulkJobState {
    /// Users may be added. A job comes back to here when a primary has failed over to a server that lacks a part of its list: submit
    /// the same list under the same request id again; what was issued stays issued.
    Uploading,
    /// Its list is being counted. A start that was lost on the way is sent again.
    Starting,
    /// Started: it issues from its start time on.
    Running,
    /// Issues nothing until it is resumed.
    Paused,
    /// Cancelled; what was issued before is still being written down.
    Cancelling,
    /// Every user of its list has a result, which does not change any more.
    Cancelled,
    /// Every user of its list has a result, which does not change any more.
    Finished,
    /// A state that this version does not know.
    Newer(i32),
}

impl BulkJobState {
    /// Nothing of the job changes any more.
    pub fn is_final(self) -> bool {
        match self {
            Self::Cancelled | Self::Finished => true,
            Self::Uploading | Self::Starting | Self::Running | Self::Paused | Self::Cancelling | Self::Newer(_) => {
                false
            }
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkProgress {
    /// The job.
    pub job: BulkJob,
    /// Users who have its coupon.
    pub issued: u64,
    /// Users without a result yet.
    pub pending: u64,
    /// Users who get none, and why, in the order of the codes.
    pub refused: Vec<(Code, u64)>,
    /// Users a second that got their result in the last ten seconds.
    pub recent_per_s: u32,
    /// What is left at that pace; none: not known, or nothing is left.
    pub left: Option<Duration>,
}

impl BulkProgress {
    /// Users who have a result.
    pub fn done(&self) -> u64 {
        self.issued + self.refused.iter().map(|(_, users)| users).sum::<u64>()
    }
}

/// What became of one user of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkOutcome {
    /// Not decided yet.
    Pending,
    /// The user has the coupon.
    Issued(CouponId),
    /// The user gets none, and why. [`Code::Unspecified`]: for a reason that this version does not know.
    Refused(Code),
}

/// The result of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkResult {
    /// Whose.
    pub user: UserId,
    /// What.
    pub outcome: BulkOutcome,
    /// When it was written down, in milliseconds since 1970-01-01 UTC; none while it is pending.
    pub done_at_ms: Option<i64>,
}

/// Which jobs to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct BulkJobQuery {
    /// Only those of this state.
    pub state: Option<BulkJobState>,
    /// Jobs on a page: 1 to 500; 0: 50.
    pub page_size: u32,
    /// Only those with a higher id.
    pub after: Option<BulkJobId>,
}

/// Some jobs, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkJobPage {
    /// The jobs.
    pub jobs: Vec<BulkJob>,
    /// Ask for those after this one; none: this was the last page.
    pub next: Option<BulkJobId>,
}

/// Where a listing of results goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkCursor(pub(crate) bytes::Bytes);

/// Some results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkResultPage {
    /// The results.
    pub results: Vec<BulkResult>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<BulkCursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_known_by_their_users() {
        let list = |users: &[u64]| BulkList::of_different(users.iter().copied().map(UserId));
        // printf 42 | sha256sum
        assert_eq!(list(&[42]), BulkList { users: 1, digest: Some(0x7347_5cb4_0a56_8e8d) });
        assert_eq!(list(&[1, 2, 3]), list(&[3, 1, 2]));
        assert_ne!(list(&[1, 5, 6]), list(&[2, 3, 7]), "as many, the same sum, the same sum of squares");
        assert_eq!(list(&[]), BulkList { users: 0, digest: Some(0) });
    }
}
