//! One transaction of several round trips on the meta primary.

use mysql_async::Params;
use mysql_async::prelude::FromRow;

use crate::store::StoreError;
use crate::store::mysql::failure::ER_DUP_ENTRY;
use crate::store::mysql::limits::MysqlLimits;
use crate::store::mysql::pool::{Lease, Pool};
use crate::store::mysql::sql;

/// A transaction under way. Dropped before its end, its connection is closed and the server undoes it.
#[derive(Debug)]
pub(in crate::store::mysql) struct Transaction {
    lease: Lease,
    whom: String,
    timeouts: MysqlLimits,
}

impl Transaction {
    /// Begins one. Nothing is sent that could outlive it.
    pub(in crate::store::mysql) async fn begin(pool: &Pool) -> Result<Transaction, StoreError> {
        let mut lease = pool.lease().await?;
        let (whom, timeouts) = (pool.target().whom(), *pool.target().limits());
        let begun = lease.session.packet(sql::BEGIN.as_bytes(), 1, timeouts.control).await;
        begun.map_err(|failed| failed.not_applied(&whom))?;
        Ok(Transaction { lease, whom, timeouts })
    }

    /// The rows of one statement. An error means that the transaction has to end without a commit.
    pub(in crate::store::mysql) async fn rows<R: FromRow + Send + 'static>(
        &mut self,
        text: &'static str,
        params: impl Into<Params> + Send,
    ) -> Result<Vec<R>, StoreError> {
        let rows = self.lease.session.rows(text, params, self.timeouts.control).await;
        rows.map_err(|failed| failed.not_applied(&self.whom))
    }

    /// Runs one statement; how many rows it found.
    pub(in crate::store::mysql) async fn run(
        &mut self,
        text: &'static str,
        params: impl Into<Params> + Send,
    ) -> Result<u64, StoreError> {
        let count = self.lease.session.run(text, params, self.timeouts.control).await;
        count.map_err(|failed| failed.not_applied(&self.whom))
    }

    /// Runs an INSERT; `None`: a row with its key exists already, and the transaction goes on.
    pub(in crate::store::mysql) async fn insert_new(
        &mut self,
        text: &'static str,
        params: impl Into<Params> + Send,
    ) -> Result<Option<u64>, StoreError> {
        match self.lease.session.run(text, params, self.timeouts.control).await {
            Err(failed) if failed.code() == Some(ER_DUP_ENTRY) => Ok(None),
            answer => answer.map(Some).map_err(|failed| failed.not_applied(&self.whom)),
        }
    }

    /// The id that the last INSERT made.
    pub(in crate::store::mysql) fn last_insert_id(&self) -> Option<u64> {
        self.lease.session.last_insert_id()
    }

    /// Commits if the work succeeded, else undoes it. Cancelled in the commit, the outcome is unknown.
    pub(in crate::store::mysql) async fn end<T, E: From<StoreError>>(mut self, work: Result<T, E>) -> Result<T, E> {
        let limit = self.timeouts.control;
        let done = match work {
            Ok(done) => done,
            Err(error) => {
                self.lease.roll_back(limit).await;
                return Err(error);
            }
        };
        match self.lease.session.packet(sql::COMMIT.as_bytes(), 1, limit).await {
            Ok(_) => {
                self.lease.keep();
                Ok(done)
            }
            // Whatever the server says to a COMMIT, it does not prove that nothing was committed.
            Err(failed) => Err(E::from(failed.maybe_applied(&self.whom, 0))),
        }
    }
}
