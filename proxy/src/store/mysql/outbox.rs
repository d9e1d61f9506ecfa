//! The outbox of each primary: rows that wait to leave, and how far each shard is.
//!
//! Every call is one statement, or changes nothing that matters in two. What marks progress is bound to the lease: of a
//! holder that was overtaken nothing is noted.

use std::time::Duration;

use bytes::Bytes;
use scrip_shard_config::{PrimaryId, ShardId};

use super::MysqlStore;
use super::lease::Leases;
use super::sql::outbox as sql;
use crate::store::events::{Backlog, Holder, OutboxRow, ShardProgress};
use crate::store::{Run, StoreError};

/// A backlog is counted up to here.
const BACKLOG_MAX: u64 = 100_000;

/// The outbox of one primary. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    leases: Leases,
}

impl MysqlStore {
    /// The outbox of a primary.
    pub fn outbox(&self, primary: PrimaryId) -> Outbox {
        Outbox { leases: self.leases(primary) }
    }
}

impl Outbox {
    /// Of which primary it is.
    pub fn primary(&self) -> PrimaryId {
        self.leases.primary()
    }

    /// See [`Leases::hold`].
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn hold(&self, name: &'static str, owner: &str, lasts: Duration) -> Result<Option<Holder>, StoreError> {
        self.leases.hold(name, owner, lasts).await
    }

    /// The first rows that have not left yet.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn unpublished(&self, count_max: u32) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(self.leases.rows(sql::UNPUBLISHED, (count_max,)).await?.into_iter().map(row).collect())
    }

    /// The first rows that have left, of those with ids above `after` and up to `until`.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn published(&self, after: u64, until: u64, count_max: u32) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(self.leases.rows(sql::PUBLISHED, (after, until, count_max)).await?.into_iter().map(row).collect())
    }

    /// Notes that these rows have left.
    ///
    /// # Errors
    /// When the primary does not answer; they leave again then.
    pub async fn mark(&self, ids: &[u64], holder: &Holder) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let pool = self.leases.pool()?;
        let mut lease = pool.lease().await?;
        let text = sql::published(ids, holder.name, &holder.owner, holder.term);
        let marked = lease.session.packet(&text, 1, pool.target().limits().control).await;
        marked.map_err(|failed| failed.maybe_applied(&pool.target().whom(), 1))?;
        lease.keep();
        Ok(())
    }

    /// How far each shard is that rows have left to.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn shards(&self) -> Result<Vec<ShardProgress>, StoreError> {
        let rows: Vec<(u16, String, u64, u64)> = self.leases.rows(sql::SHARDS, ()).await?;
        let progress = |(shard, run, replay_after, replay_until)| ShardProgress {
            shard: ShardId(shard),
            run: Run(run),
            replay_after,
            replay_until,
        };
        Ok(rows.into_iter().map(progress).collect())
    }

    /// Notes that a shard has begun another life: what has left so far is to leave to it again.
    ///
    /// # Errors
    /// When the primary does not answer, or the lease is somebody else's.
    pub async fn born(&self, shard: ShardId, run: &Run, holder: &Holder) -> Result<(), StoreError> {
        let params = (holder.name, &holder.owner, holder.term, shard.0, &run.0);
        self.leases.run(sql::SHARD_BORN, params).await.map(drop)
    }

    /// Notes that rows up to this id have left to the shard again.
    ///
    /// # Errors
    /// When the primary does not answer; they leave again then.
    pub async fn replayed(&self, progress: &ShardProgress, after: u64, holder: &Holder) -> Result<(), StoreError> {
        let params = (after, progress.shard.0, &progress.run.0, holder.name, &holder.owner, holder.term);
        self.leases.run(sql::REPLAYED, params).await.map(drop)
    }

    /// Drops some rows that left that long ago; how many.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn drop_old(&self, retention: Duration, count_max: u32) -> Result<u64, StoreError> {
        let retention_ms = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
        self.leases.run(sql::DROP_OLD, (retention_ms, count_max)).await
    }

    /// What waits.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let rows: Vec<(u64, u64)> = self.leases.rows(sql::BACKLOG, (BACKLOG_MAX,)).await?;
        let (rows, oldest_at_ms) = rows.first().copied().unwrap_or_default();
        Ok(Backlog { rows, oldest_at_ms })
    }
}

fn row((id, at_ms, events): (u64, u64, Vec<u8>)) -> OutboxRow {
    OutboxRow { id, at_ms, events: Bytes::from(events) }
}
