//! Results: how many, and whose.

use std::collections::BTreeMap;

use bytes::Bytes;
use scrip_protocol::v1::{BulkResult, BulkResultPage, Code, ListBulkResults};
use scrip_protocol::{BulkJobId, UserId, check};
use scrip_shard_config::PrimaryId;
use tokio::task::JoinSet;

use super::{Desk, invalid, job_id};
use crate::refusal::{Effect, Refusal};
use crate::store::bulk::{BulkError, BulkStore, Entry, JobRecord, ResultCount, SliceKey};

impl<B: BulkStore> Desk<B> {
    /// Entries by the number of their result, over all primaries.
    pub(super) async fn counts(&self, job: BulkJobId, since_ms: u64) -> Result<BTreeMap<i32, ResultCount>, Refusal> {
        let mut counting = JoinSet::new();
        for primary in self.flow.topology.primaries.iter().map(|primary| primary.id) {
            let store = self.store.clone();
            counting.spawn(async move { (primary, store.counts(SliceKey { job, primary }, since_ms).await) });
        }
        let mut sums: BTreeMap<i32, ResultCount> = BTreeMap::new();
        while let Some(counted) = counting.join_next().await {
            let (primary, counts) = counted.map_err(|_| Refusal::new(Code::Draining, "this proxy is stopping"))?;
            let counts = counts.map_err(|error| of_primary(primary, error))?;
            for count in counts {
                let none = ResultCount { users: 0, recent: 0, ..count };
                let sum = sums.entry(count.result as i32).or_insert(none);
                sum.users += count.users;
                sum.recent += count.recent;
            }
        }
        Ok(sums)
    }

    /// One primary after the other, in the order of the topology.
    pub(super) async fn results(&self, list: ListBulkResults) -> Result<BulkResultPage, Refusal> {
        let job = self.store.job(job_id(list.job_id)?).await.map_err(|error| Refusal::of_bulk(&error, Effect::Read))?;
        let count_max = check::page_size(list.page_size);
        let mut page = BulkResultPage::default();
        let mut primaries = self.flow.topology.primaries.iter().map(|primary| primary.id);
        let (mut primary, mut after) = match cursor(&list.cursor)? {
            None => (primaries.next(), None),
            Some((wanted, after)) => {
                let found = primaries.find(|primary| *primary == wanted).ok_or_else(strange_cursor)?;
                (Some(found), Some(after))
            }
        };
        while let Some(at) = primary {
            let left = count_max - page.results.len() as u32;
            let entries = self.store.entries(SliceKey { job: job.job, primary: at }, after, left).await;
            let entries = entries.map_err(|error| of_primary(at, error))?;
            page.results.extend(entries.iter().map(|entry| self.result(&job, entry)));
            if let Some(last) = entries.last().filter(|_| entries.len() >= left as usize) {
                page.next_cursor = bytes(at, last.user);
                return Ok(page);
            }
            (primary, after) = (primaries.next(), None);
        }
        Ok(page)
    }

    fn result(&self, job: &JobRecord, entry: &Entry) -> BulkResult {
        let coupon_id = match entry.result {
            Code::Ok => self.flow.coupon_ids.encode(entry.user, job.new.template, entry.seq).to_bytes(),
            _ => Bytes::new(),
        };
        BulkResult {
            user_id: entry.user.get(),
            code: entry.result.into(),
            coupon_id,
            done_at_ms: i64::try_from(entry.done_at_ms).unwrap_or(i64::MAX),
        }
    }
}

fn of_primary(primary: PrimaryId, error: crate::store::StoreError) -> Refusal {
    Refusal::of_bulk(&BulkError::Primary { primary, error }, Effect::Read)
}

/// The primary of the last row, and its user; big-endian.
fn cursor(bytes: &[u8]) -> Result<Option<(PrimaryId, UserId)>, Refusal> {
    match *bytes {
        [] => Ok(None),
        [p, q, a, b, c, d, e, f, g, h] => {
            let user = UserId(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
            Ok(Some((PrimaryId(u16::from_be_bytes([p, q])), user)))
        }
        _ => Err(strange_cursor()),
    }
}

fn strange_cursor() -> Refusal {
    invalid("cursor: not one of this proxy's; pass next_cursor of the page before, or nothing")
}

fn bytes(primary: PrimaryId, last: UserId) -> Bytes {
    let mut bytes = primary.0.to_be_bytes().to_vec();
    bytes.extend(last.get().to_be_bytes());
    bytes.into()
}
