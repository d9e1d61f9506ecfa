//! Replicas: marks are written to their primary, and everything is read that shows the mark first. See [`crate::replica`].

use scrip_shard_config::PrimaryId;
use tokio::time::timeout;

use super::facts::Flavour;
use super::failure::Failed;
use super::pool::{Lease, Pool};
use super::session::Session;
use super::sql::replica as sql;
use super::{Inner, MysqlStore};
use crate::store::{Replica, Source, StoreError};

impl MysqlStore {
    /// Writes a mark to the primary. Cancelled or of unknown outcome, it is there or not, or appears later.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn mark(&self, primary: PrimaryId, run: u64, mark: u64) -> Result<(), StoreError> {
        self.run(primary, sql::MARK, (run, mark, mark)).await
    }

    /// Removes what runs of a day ago have left.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn forget_old_marks(&self, primary: PrimaryId) -> Result<(), StoreError> {
        self.run(primary, sql::FORGET, ()).await
    }

    async fn run(
        &self,
        primary: PrimaryId,
        text: &'static str,
        params: impl Into<mysql_async::Params> + Send,
    ) -> Result<(), StoreError> {
        let pool = &self.inner.backend(primary)?.pool;
        let mut lease = pool.lease().await?;
        let done = lease.session.run(text, params, pool.target().limits().control).await;
        done.map_err(|failed| failed.maybe_applied(&pool.target().whom(), 1))?;
        lease.keep();
        Ok(())
    }

    /// The mark of the run that the replica shows; 0: none.
    ///
    /// # Errors
    /// When the replica does not answer, or is not one of this primary's that we may read.
    pub async fn mark_shown(&self, replica: Replica) -> Result<u64, StoreError> {
        let pool = self.inner.replica(replica)?;
        let mut lease = pool.lease().await?;
        let shown = shown(&mut lease.session, pool, replica).await?;
        lease.keep();
        Ok(shown)
    }
}

async fn shown(session: &mut Session, pool: &Pool, replica: Replica) -> Result<u64, StoreError> {
    let rows: Result<Vec<u64>, Failed> = session.rows(sql::SHOWN, (replica.run,), pool.target().limits().read).await;
    let rows = rows.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
    Ok(rows.first().copied().unwrap_or(0))
}

impl Inner {
    fn replica(&self, replica: Replica) -> Result<&Pool, StoreError> {
        let pool = self.backend(replica.primary)?.replicas.get(usize::from(replica.index));
        pool.ok_or_else(|| StoreError::Refused(format!("primary {} has no replica {}", replica.primary, replica.index)))
    }

    /// A connection to read on. To a replica: one that shows the mark, so that what is read on it next shows it as well. Cancelled,
    /// it leaves nothing behind.
    pub(super) async fn reader(&self, from: Source) -> Result<(Lease, &Pool), StoreError> {
        let replica = match from {
            Source::Primary(primary) => {
                let pool = &self.backend(primary)?.pool;
                return Ok((pool.lease().await?, pool));
            }
            Source::Replica(replica) => replica,
        };
        self.caught_up(replica, self.replica(replica)?).await
    }

    /// As [`Inner::reader`], from the meta schema.
    pub(super) async fn meta_reader(&self, replica: Replica) -> Result<(Lease, &Pool), StoreError> {
        let pool = self.meta_replicas.get(usize::from(replica.index));
        let pool = pool.filter(|_| replica.primary == self.meta.target().id());
        let none = || StoreError::Refused(format!("meta has no replica {} of {}", replica.index, replica.primary));
        self.caught_up(replica, pool.ok_or_else(none)?).await
    }

    async fn caught_up<'p>(&self, replica: Replica, pool: &'p Pool) -> Result<(Lease, &'p Pool), StoreError> {
        let limit = pool.target().limits().read;
        let lease = async {
            let mut lease = pool.lease().await?;
            match shown(&mut lease.session, pool, replica).await? {
                mark if mark >= replica.mark => Ok(lease),
                mark => {
                    lease.keep();
                    let text = format!("{} shows mark {mark}, not {} yet", pool.target().whom(), replica.mark);
                    Err(StoreError::Unreachable(text))
                }
            }
        };
        let slow = || StoreError::Unreachable(format!("{}: no answer within {limit:?}", pool.target().whom()));
        Ok((timeout(limit, lease).await.unwrap_or_else(|_| Err(slow()))?, pool))
    }
}

/// Whether a session leads to a server that only replication writes to, and that commits in the order of its primary.
pub(super) async fn check(session: &mut Session, limit: std::time::Duration) -> Result<Result<(), String>, Failed> {
    let is_on = |value: &str| matches!(value, "ON" | "1");
    // MariaDB has several ways of ON.
    if session.facts().variable("read_only").is_none_or(|value| matches!(value, "OFF" | "0")) {
        let fix =
            "it can be written to, so it may be no replica; SET GLOBAL read_only = ON there, or correct the address";
        return Ok(Err(fix.to_owned()));
    }
    session.packet(sql::READ_ONLY.as_bytes(), 1, limit).await?;
    if session.facts().flavour == Flavour::MariaDb {
        // In order within a replication domain, whatever the settings.
        return Ok(Ok(()));
    }
    let rows: Vec<(String, String)> = session.rows(sql::ORDER, (), limit).await?;
    let value = |of: &str| rows.iter().find(|(name, _)| name.ends_with(of)).map(|(_, value)| value.as_str());
    let one_by_one = value("parallel_workers").is_none_or(|count| matches!(count, "0" | "1"));
    if one_by_one || value("preserve_commit_order").is_some_and(is_on) {
        return Ok(Ok(()));
    }
    let fix = "it commits in another order than its primary; SET GLOBAL replica_preserve_commit_order = ON there";
    Ok(Err(fix.to_owned()))
}
