//! Bulk jobs.

use std::time::Duration;

use scrip_client::{BulkJobId, UserId};
use scrip_protocol::v1::BulkJobState;
use scrip_proxy::store::StoreError;
use scrip_proxy::store::bulk::{
    BulkError, BulkStore, Counted, Entry, Expected, JobRecord, Lease, NewJob, ResultCount, SliceKey,
};
use scrip_shard_config::PrimaryId;

use super::meta::wall_ms;
use super::record::index;
use super::{ModelStores, limits, of_read, of_write};
use crate::sim::mutant::Mutant;
use crate::sim::primary::beside::List;
use crate::sim::wire::CallKind;
use crate::sim::world::{Backend, World};

impl ModelStores {
    async fn on_jobs<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut World) -> Result<T, BulkError> + Send + 'static,
    ) -> Result<T, BulkError> {
        let answer = self.at_once((Backend::Meta, CallKind::BulkMeta), limits::CONTROL, None, change).await;
        answer.map_err(|lost| BulkError::Meta(of_write(lost)))?
    }

    async fn on_list<T: Send + 'static>(
        &self,
        slice: SliceKey,
        change: impl FnOnce(&mut List) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let primary = index(slice.primary);
        let serve = move |world: &mut World| {
            if world.primaries[primary].full {
                return Err(StoreError::Refused(format!("primary {primary}: disk full")));
            }
            Ok(change(world.primaries[primary].data.lists.entry(slice.job).or_default()))
        };
        let what = (Backend::Primary(primary), CallKind::BulkList);
        self.at_once(what, limits::CONTROL, None, serve).await.map_err(of_write)?
    }

    async fn read_list<T: Send + 'static>(
        &self,
        slice: SliceKey,
        read: impl FnOnce(List) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let primary = index(slice.primary);
        let list = move |world: &mut World| {
            read(world.primaries[primary].data.lists.get(&slice.job).cloned().unwrap_or_default())
        };
        self.at_once((Backend::Primary(primary), CallKind::List), limits::READ, None, list).await.map_err(of_read)
    }
}

impl BulkStore for ModelStores {
    async fn create_job(&self, new: &NewJob, now_ms: u64) -> Result<JobRecord, BulkError> {
        let new = *new;
        self.on_jobs(move |world| world.meta.create_job(&new, now_ms)).await
    }

    async fn job(&self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        let read = move |world: &mut World| world.meta.job(job);
        let read = self.at_once((Backend::Meta, CallKind::MetaRead), limits::READ, None, read).await;
        read.map_err(|lost| BulkError::Meta(of_read(lost)))?
    }

    async fn jobs(&self, after: u32, state: Option<BulkJobState>, count_max: u32) -> Result<Vec<JobRecord>, BulkError> {
        let read = move |world: &mut World| world.meta.jobs(after, state, count_max);
        let read = self.at_once((Backend::Meta, CallKind::MetaRead), limits::READ, None, read).await;
        read.map_err(|lost| BulkError::Meta(of_read(lost)))
    }

    async fn begin_start(&self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        self.on_jobs(move |world| world.meta.begin_start(job)).await
    }

    async fn end_start(
        &self,
        job: BulkJobId,
        seal: u32,
        expected: Expected,
        counts: &[(PrimaryId, Counted)],
    ) -> Result<JobRecord, BulkError> {
        let counts = counts.to_vec();
        let end = move |world: &mut World| {
            let ended = world.meta.end_start(job, seal, expected, &counts);
            world.note(format_args!("meta: a start of job {job} ends: {:?}", ended.as_ref().map(|job| job.state)));
            ended
        };
        self.on_jobs(end).await
    }

    async fn pause_job(&self, job: BulkJobId, paused: bool) -> Result<JobRecord, BulkError> {
        use BulkJobState::{Paused, Running};
        let (from, to) = if paused { (Running, Paused) } else { (Paused, Running) };
        self.on_jobs(move |world| world.meta.move_job(job, &[from], to)).await
    }

    async fn cancel_job(&self, job: BulkJobId) -> Result<JobRecord, BulkError> {
        self.on_jobs(move |world| world.meta.cancel_job(job)).await
    }

    async fn free_slices(&self, now_ms: u64, count_max: u32) -> Result<Vec<SliceKey>, BulkError> {
        let read = move |world: &mut World| world.meta.free_slices(wall_ms(world), now_ms, count_max);
        let read = self.at_once((Backend::Meta, CallKind::MetaRead), limits::READ, None, read).await;
        read.map_err(|lost| BulkError::Meta(of_read(lost)))
    }

    async fn lease(&self, slice: SliceKey, owner: u64, lasts: Duration) -> Result<Option<Lease>, BulkError> {
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        self.on_jobs(move |world| {
            let now_ms = wall_ms(world);
            world.meta.lease(slice, owner, (now_ms, lasts_ms))
        })
        .await
    }

    async fn release(&self, slice: SliceKey, owner: u64) -> Result<(), BulkError> {
        self.on_jobs(move |world| {
            let now_ms = wall_ms(world);
            world.meta.release_slice(slice, owner, now_ms);
            Ok(())
        })
        .await
    }

    async fn close_slice(&self, slice: SliceKey, users: u64) -> Result<JobRecord, BulkError> {
        let close = move |world: &mut World| {
            let SliceKey { job, primary } = slice;
            let anyhow = world.is(Mutant::ShortListTaken);
            let closed = world.meta.close_slice(slice, if anyhow { u64::MAX } else { users });
            if world.meta.done_with(slice).is_some_and(|before| before <= users) {
                world.note_short_list(job, index(primary));
            }
            world.note(format_args!(
                "meta: the slice of job {job} on {primary} is done: {:?}",
                closed.as_ref().map(|job| job.state)
            ));
            closed
        };
        self.on_jobs(close).await
    }

    async fn add_users(&self, slice: SliceKey, seal: u32, users: &[UserId]) -> Result<(), BulkError> {
        let users = users.to_vec();
        let add = move |list: &mut List| {
            let open = list.raise(seal);
            if open {
                list.add(&users);
            }
            open
        };
        let added = self.on_list(slice, add).await;
        match added.map_err(|error| BulkError::Primary { primary: slice.primary, error })? {
            true => Ok(()),
            false => Err(BulkError::Sealed),
        }
    }

    async fn seal(&self, slice: SliceKey, seal: u32) -> Result<Counted, StoreError> {
        self.on_list(slice, move |list| {
            list.raise(seal);
            list.counted()
        })
        .await
    }

    async fn note(&self, slice: SliceKey, new: &NewJob, results: &[Entry]) -> Result<(), StoreError> {
        let (primary, new, results) = (index(slice.primary), *new, results.to_vec());
        let serve = move |world: &mut World| {
            if world.primaries[primary].full {
                return Err(StoreError::Refused(format!("primary {primary}: disk full")));
            }
            world.note_results(primary, slice.job, &new, &results);
            Ok(())
        };
        let what = (Backend::Primary(primary), CallKind::BulkNote);
        self.at_once(what, limits::CONTROL, None, serve).await.map_err(of_write)?
    }

    async fn counts(&self, slice: SliceKey, since_ms: u64) -> Result<Vec<ResultCount>, StoreError> {
        self.read_list(slice, move |list| {
            let mut counts: Vec<ResultCount> = Vec::new();
            let mut entries: Vec<&Entry> = list.entries.values().collect();
            entries.sort_by_key(|entry| entry.result as i32);
            for entry in entries {
                let recent = u64::from(entry.done_at_ms >= since_ms);
                match counts.last_mut().filter(|count| count.result == entry.result) {
                    Some(count) => (count.users, count.recent) = (count.users + 1, count.recent + recent),
                    None => counts.push(ResultCount { result: entry.result, users: 1, recent }),
                }
            }
            counts
        })
        .await
    }

    async fn entries(&self, slice: SliceKey, after: Option<UserId>, count_max: u32) -> Result<Vec<Entry>, StoreError> {
        self.read_list(slice, move |list| {
            let after = after.map(|user| ((user.get() % 10_000) as u16, user));
            let later = list.entries.into_iter().filter(|(key, _)| after.is_none_or(|after| *key > after));
            later.map(|(_, entry)| entry).take(count_max as usize).collect()
        })
        .await
    }
}
