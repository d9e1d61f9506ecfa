//! Work on one primary that one proxy does at a time, and the single statements that it is made of.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Params;
use mysql_async::prelude::FromRow;
use scrip_shard_config::PrimaryId;

use super::pool::Pool;
use super::sql::outbox as sql;
use super::{Inner, MysqlStore};
use crate::store::StoreError;
use crate::store::events::Holder;

/// The leases on one primary. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Leases {
    inner: Arc<Inner>,
    primary: PrimaryId,
}

impl MysqlStore {
    /// The leases on a primary.
    pub fn leases(&self, primary: PrimaryId) -> Leases {
        Leases { inner: Arc::clone(&self.inner), primary }
    }
}

impl Leases {
    /// On which primary they are.
    pub fn primary(&self) -> PrimaryId {
        self.primary
    }

    /// Takes the lease if it is over, or keeps it; `None`: somebody else holds it. Repeating it is harmless.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn hold(&self, name: &'static str, owner: &str, lasts: Duration) -> Result<Option<Holder>, StoreError> {
        let lasts_us = u64::try_from(lasts.as_micros()).unwrap_or(u64::MAX);
        self.run(sql::LEASE_TAKE, (owner, owner, lasts_us, name, owner)).await?;
        let terms: Vec<u64> = self.rows(sql::LEASE, (name, owner)).await?;
        Ok(terms.first().map(|&term| Holder { name, owner: owner.to_owned(), term }))
    }

    pub(super) fn pool(&self) -> Result<&Pool, StoreError> {
        Ok(&self.inner.backend(self.primary)?.pool)
    }

    /// One read.
    pub(super) async fn rows<R: FromRow + Send + 'static>(
        &self,
        text: &'static str,
        params: impl Into<Params> + Send,
    ) -> Result<Vec<R>, StoreError> {
        let pool = self.pool()?;
        let mut lease = pool.lease().await?;
        let rows = lease.session.rows(text, params, pool.target().limits().read).await;
        let rows = rows.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
        lease.keep();
        Ok(rows)
    }

    /// One statement that commits by itself; how many rows it found.
    pub(super) async fn run(&self, text: &'static str, params: impl Into<Params> + Send) -> Result<u64, StoreError> {
        let pool = self.pool()?;
        let mut lease = pool.lease().await?;
        let count = lease.session.run(text, params, pool.target().limits().control).await;
        let count = count.map_err(|failed| failed.maybe_applied(&pool.target().whom(), 1))?;
        lease.keep();
        Ok(count)
    }
}
