//! The meta schema: each call one transaction on the meta primary.
//!
//! Whatever changes a template locks its row first, then its sub-stocks in their order, then its changes of stock, then
//! the primaries, and the counter of revisions last: so transactions wait for each other and never deadlock. The
//! counter stays locked until the commit, so revisions become visible in their order.

mod budget;
mod row;
mod settle;
mod stock;
mod template;
pub(super) mod transaction;

use std::time::Duration;

use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_protocol::{RequestId, TemplateId};
use scrip_shard_config::{PrimaryId, SubStock};

use self::transaction::Transaction;
use super::pool::{Lease, Pool};
use super::{MysqlStore, sql};
use crate::store::{
    Advanced, Ended, Layout, MetaError, MetaStore, Source, StockChangeRecord, StockKey, StoreError, SubStockRecord,
    TemplateRecord,
};

/// The most units that a template can have.
const TOTAL_STOCK_MAX: u64 = 4_000_000_000;

impl MetaStore for MysqlStore {
    async fn create_template(
        &self,
        request: RequestId,
        definition: &TemplateDefinition,
        layout: &(dyn Fn(TemplateId) -> Layout + Send + Sync),
        now_ms: u64,
    ) -> Result<TemplateRecord, MetaError> {
        template::create(self.meta(), request, definition, layout, now_ms).await
    }

    async fn grant_budget(
        &self,
        template: TemplateId,
        primary: PrimaryId,
        need_minor: u64,
        shares: u64,
    ) -> Result<u64, MetaError> {
        budget::grant(self.meta(), template, primary, need_minor, shares).await
    }

    async fn template(&self, template: TemplateId) -> Result<TemplateRecord, MetaError> {
        let rows = self.read::<row::Template>(sql::TEMPLATE, (template.get(),)).await?;
        let row = rows.into_iter().next().ok_or(MetaError::TemplateNotFound)?;
        Ok(row::template(row)?)
    }

    async fn templates(
        &self,
        from: Source,
        after: Option<TemplateId>,
        status: Option<TemplateStatus>,
        count_max: u32,
    ) -> Result<Vec<TemplateRecord>, MetaError> {
        let after = after.map_or(0, TemplateId::get);
        let rows = match status {
            Some(status) => self.read_from(from, sql::TEMPLATES_OF_STATUS, (after, status as i32, count_max)).await?,
            None => self.read_from(from, sql::TEMPLATES, (after, count_max)).await?,
        };
        Ok(row::templates(rows)?)
    }

    async fn templates_changed(&self, revision: u64, count_max: u32) -> Result<Vec<TemplateRecord>, MetaError> {
        let rows = self.read(sql::TEMPLATES_CHANGED, (revision, count_max)).await?;
        Ok(row::templates(rows)?)
    }

    async fn set_status(
        &self,
        template: TemplateId,
        from: &[TemplateStatus],
        to: TemplateStatus,
    ) -> Result<TemplateRecord, MetaError> {
        template::set_status(self.meta(), template, from, to).await
    }

    async fn sub_stocks(&self, template: TemplateId) -> Result<Vec<SubStockRecord>, MetaError> {
        let rows = self.read::<row::SubStockColumns>(sql::SUB_STOCKS, (template.get(),)).await?;
        if rows.is_empty() {
            self.template(template).await?;
        }
        Ok(row::sub_stocks(template, rows))
    }

    async fn unsettled(
        &self,
        quiet: Duration,
        after: Option<StockKey>,
        count_max: u32,
    ) -> Result<Vec<StockKey>, MetaError> {
        let (template, sub_stock) = after.map_or((0, 0), |key| (key.template.get(), key.sub_stock.0));
        let columns = (microseconds(quiet), template, template, sub_stock, count_max);
        let rows: Vec<(u32, u16)> = self.read(sql::UNSETTLED, columns).await?;
        rows.into_iter().map(row::stock_key).collect()
    }

    async fn advance(
        &self,
        template: TemplateId,
        expected: &[(SubStock, u64)],
        quiet: Duration,
    ) -> Result<Advanced, MetaError> {
        settle::advance(self.meta(), template, expected, quiet).await
    }

    async fn finish_withdrawal(
        &self,
        template: TemplateId,
        issued: &[(SubStockRecord, u64)],
    ) -> Result<Vec<SubStockRecord>, MetaError> {
        stock::finish_withdrawal(self.meta(), template, issued).await
    }

    async fn move_rest(
        &self,
        template: TemplateId,
        from: &[(SubStockRecord, u64)],
        to: &[SubStock],
    ) -> Result<Vec<SubStockRecord>, MetaError> {
        stock::move_rest(self.meta(), template, from, to).await
    }

    async fn mark_settled(&self, template: TemplateId, ended: &[Ended]) -> Result<bool, MetaError> {
        settle::mark_settled(self.meta(), template, ended, self.inner.tells).await
    }

    async fn change_stock(
        &self,
        template: TemplateId,
        request: RequestId,
        units: i64,
        shares: &[(SubStock, u64)],
    ) -> Result<StockChangeRecord, MetaError> {
        stock::change(self.meta(), template, request, units, shares).await
    }
}

impl MysqlStore {
    pub(super) fn meta(&self) -> &Pool {
        &self.inner.meta
    }

    /// One read in a snapshot of its own.
    pub(super) async fn read<R: mysql_async::prelude::FromRow + Send + 'static>(
        &self,
        text: &'static str,
        params: impl Into<mysql_async::Params> + Send,
    ) -> Result<Vec<R>, StoreError> {
        read_on(self.meta(), self.meta().lease().await?, text, params).await
    }

    /// The same from a replica, if that is what is wanted.
    async fn read_from<R: mysql_async::prelude::FromRow + Send + 'static>(
        &self,
        from: Source,
        text: &'static str,
        params: impl Into<mysql_async::Params> + Send,
    ) -> Result<Vec<R>, StoreError> {
        match from {
            Source::Primary(_) => self.read(text, params).await,
            Source::Replica(replica) => {
                let (lease, pool) = self.inner.meta_reader(replica).await?;
                read_on(pool, lease, text, params).await
            }
        }
    }
}

async fn read_on<R: mysql_async::prelude::FromRow + Send + 'static>(
    pool: &Pool,
    mut lease: Lease,
    text: &'static str,
    params: impl Into<mysql_async::Params> + Send,
) -> Result<Vec<R>, StoreError> {
    let rows = lease.session.rows(text, params, pool.target().limits().read).await;
    let rows = rows.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
    lease.keep();
    Ok(rows)
}

/// The template, locked: the first lock of whatever changes it.
async fn locked(transaction: &mut Transaction, template: TemplateId) -> Result<TemplateRecord, MetaError> {
    let rows = transaction.rows::<row::Template>(sql::TEMPLATE_LOCKED, (template.get(),)).await?;
    let row = rows.into_iter().next().ok_or(MetaError::TemplateNotFound)?;
    Ok(row::template(row)?)
}

/// The sub-stocks of a template whose row is locked.
async fn sub_stocks_locked(
    transaction: &mut Transaction,
    template: TemplateId,
) -> Result<Vec<SubStockRecord>, StoreError> {
    let rows = transaction.rows(sql::SUB_STOCKS_LOCKED, (template.get(),)).await?;
    Ok(row::sub_stocks(template, rows))
}

/// The next revision: the last lock of a transaction.
async fn next_revision(transaction: &mut Transaction) -> Result<u64, StoreError> {
    transaction.run(sql::REVISION_NEXT, ()).await?;
    let rows: Vec<u64> = transaction.rows(sql::REVISION, ()).await?;
    rows.first().copied().ok_or_else(|| StoreError::Refused("meta has lost its counter of revisions".to_owned()))
}

/// `units` over so many parts, the first of which take what does not divide.
fn spread(units: u64, parts: usize) -> impl Iterator<Item = u64> {
    let parts = parts as u64;
    (0..parts).map(move |index| units / parts + u64::from(index < units % parts))
}

/// For an INTERVAL; what is longer than 292,000 years waits for ever anyway.
fn microseconds(quiet: Duration) -> i64 {
    i64::try_from(quiet.as_micros()).unwrap_or(i64::MAX)
}
