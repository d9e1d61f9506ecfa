//! Budgets in money on a primary: what meta granted it, and what its orders have spent.

use scrip_protocol::TemplateId;

use super::pool::Pool;
use super::sql;
use crate::store::StoreError;
use crate::store::steps::Budget;

/// What the primary may spend and has spent.
pub(super) async fn read(pool: &Pool, template: TemplateId) -> Result<Budget, StoreError> {
    let mut lease = pool.lease().await?;
    let rows: Result<Vec<(u64, u64)>, _> =
        lease.session.rows(sql::BUDGET, (template.get(),), pool.target().limits().read).await;
    let rows = rows.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
    lease.keep();
    let (granted_minor, spent_minor) = rows.first().copied().unwrap_or_default();
    Ok(Budget { granted_minor, spent_minor })
}

/// The primary may spend so much in all. It never falls, so an unknown outcome needs no care.
pub(super) async fn raise(pool: &Pool, template: TemplateId, granted_minor: u64) -> Result<(), StoreError> {
    let mut lease = pool.lease().await?;
    let limit = pool.target().limits().control;
    let done = lease.session.run(sql::BUDGET_RAISE, (template.get(), granted_minor, granted_minor), limit).await;
    done.map_err(|failed| failed.maybe_applied(&pool.target().whom(), 1))?;
    lease.keep();
    Ok(())
}
