//! Exchange codes: batches in meta, uses on the primaries.

use scrip_protocol::v1::CodeBatchStatus;
use scrip_protocol::{CodeBatchId, RequestId, TemplateId, UserId};
use scrip_shard_config::PrimaryId;

use super::MysqlStore;
use super::failure::{ER_BAD_NULL_ERROR, ER_DUP_ENTRY, ER_LOCK_DEADLOCK};
use super::meta::transaction::Transaction;
use super::pool::Pool;
use super::sql::{self as meta_sql, exchange as sql};
use crate::exchange::code::CodeKey;
use crate::exchange::home;
use crate::store::StoreError;
use crate::store::exchange::{BatchRecord, ExchangeError, ExchangeStore, NewBatch, NewUse};

/// The columns of a batch.
type Columns = (u32, Vec<u8>, u32, u32, u32, u8, u64);

impl ExchangeStore for MysqlStore {
    async fn create_batch(&self, new: &NewBatch, now_ms: u64) -> Result<BatchRecord, ExchangeError> {
        let mut transaction = Transaction::begin(self.meta()).await?;
        let created = create_in(&mut transaction, new, now_ms).await;
        transaction.end(created).await
    }

    async fn batch(&self, batch: CodeBatchId) -> Result<BatchRecord, ExchangeError> {
        let rows: Vec<Columns> = self.read(sql::BATCH, (batch.get(),)).await?;
        record(rows.into_iter().next().ok_or(ExchangeError::NotFound)?)
    }

    async fn batches(&self, after: u32, count_max: u32) -> Result<Vec<BatchRecord>, ExchangeError> {
        let rows: Vec<Columns> = self.read(sql::BATCHES, (after, count_max)).await?;
        rows.into_iter().map(record).collect()
    }

    async fn revoke_batch(&self, batch: CodeBatchId) -> Result<BatchRecord, ExchangeError> {
        let mut transaction = Transaction::begin(self.meta()).await?;
        let revoked = revoke_in(&mut transaction, batch).await;
        transaction.end(revoked).await
    }

    async fn use_of(&self, primary: PrimaryId, code: CodeKey, user: UserId) -> Result<Option<u32>, StoreError> {
        let params = (home(code).get(), code.batch.get(), code.index, user.get());
        Ok(number(&self.inner.backend(primary)?.pool, sql::USE_OF, params).await?.first().copied())
    }

    async fn take_use(&self, primary: PrimaryId, new: &NewUse) -> Result<bool, StoreError> {
        take(&self.inner.backend(primary)?.pool, new).await
    }

    async fn used(&self, primary: PrimaryId, code: CodeKey) -> Result<u32, StoreError> {
        let params = (home(code).get(), code.batch.get(), code.index);
        Ok(number(&self.inner.backend(primary)?.pool, sql::USED, params).await?.first().copied().unwrap_or(0))
    }
}

async fn create_in(transaction: &mut Transaction, new: &NewBatch, now_ms: u64) -> Result<BatchRecord, ExchangeError> {
    if let Some(batch) = existing(transaction, new).await? {
        return same(batch, new);
    }
    let templates: Vec<mysql_async::Row> = transaction.rows(meta_sql::TEMPLATE, (new.template.get(),)).await?;
    if templates.is_empty() {
        return Err(ExchangeError::TemplateNotFound);
    }
    let columns = (&new.request.0[..], new.template.get(), new.count, new.uses, now_ms);
    // Another one may just have created it: then this waits for its end, and finds its row or none.
    transaction.insert_new(sql::BATCH_INSERT, columns).await?;
    let lost = || StoreError::Refused("meta refused a new batch and has none for its request; try again".to_owned());
    same(existing(transaction, new).await?.ok_or_else(lost)?, new)
}

async fn existing(transaction: &mut Transaction, new: &NewBatch) -> Result<Option<BatchRecord>, ExchangeError> {
    let rows: Vec<Columns> = transaction.rows(sql::BATCH_OF_REQUEST, (&new.request.0[..],)).await?;
    rows.into_iter().next().map(record).transpose()
}

fn same(batch: BatchRecord, new: &NewBatch) -> Result<BatchRecord, ExchangeError> {
    if batch.new == *new { Ok(batch) } else { Err(ExchangeError::RequestIdReused) }
}

async fn revoke_in(transaction: &mut Transaction, batch: CodeBatchId) -> Result<BatchRecord, ExchangeError> {
    transaction.run(sql::BATCH_REVOKE, (batch.get(),)).await?;
    let rows: Vec<Columns> = transaction.rows(sql::BATCH, (batch.get(),)).await?;
    record(rows.into_iter().next().ok_or(ExchangeError::NotFound)?)
}

fn record(
    (batch, request, template, count, uses, status, created_at_ms): Columns,
) -> Result<BatchRecord, ExchangeError> {
    let corrupt = |what: &str| StoreError::Refused(format!("batch of codes {batch} in meta has an unreadable {what}"));
    let new = NewBatch {
        request: RequestId::try_from_slice(&request).map_err(|_| corrupt("request id"))?,
        template: TemplateId::try_new(template).map_err(|_| corrupt("template"))?,
        count,
        uses,
    };
    let status = CodeBatchStatus::try_from(i32::from(status)).map_err(|_| corrupt("status"))?;
    // Rolled back with its transaction, where it was about to be created.
    let batch = CodeBatchId::try_new(batch).map_err(|_| ExchangeError::Full)?;
    Ok(BatchRecord { batch, new, status, created_at_ms })
}

/// One statement that commits by itself. Repeating it is safe: the user's own use is in the way of a second one.
async fn take(pool: &Pool, new: &NewUse) -> Result<bool, StoreError> {
    let NewUse { code, user, uses, now_ms } = *new;
    let (tail, batch, index) = (home(code).get(), code.batch.get(), code.index);
    let target = pool.target();
    let params = (target.version(), tail, batch, index, user.get(), now_ms, tail, batch, index, uses);
    let mut lease = pool.lease().await?;
    match lease.session.run(sql::USE_INSERT, params, target.limits().control).await {
        Ok(rows) => {
            lease.keep();
            Ok(rows > 0)
        }
        Err(failed) => {
            if failed.answered() {
                lease.roll_back(target.limits().control).await;
            }
            match failed.code() {
                Some(ER_DUP_ENTRY | ER_LOCK_DEADLOCK) => Ok(false),
                Some(ER_BAD_NULL_ERROR) => Err(failed.not_applied(&target.whom())),
                // The statement is its own COMMIT: any other answer proves nothing.
                _ => Err(failed.maybe_applied(&target.whom(), 0)),
            }
        }
    }
}

async fn number(
    pool: &Pool,
    text: &'static str,
    params: impl Into<mysql_async::Params> + Send,
) -> Result<Vec<u32>, StoreError> {
    let mut lease = pool.lease().await?;
    let rows = lease.session.rows(text, params, pool.target().limits().read).await;
    let rows = rows.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
    lease.keep();
    Ok(rows)
}
