//! Grants of a template's budget in money to the primaries.

use scrip_protocol::TemplateId;
use scrip_shard_config::PrimaryId;

use super::locked;
use super::transaction::Transaction;
use crate::store::MetaError;
use crate::store::mysql::pool::Pool;
use crate::store::mysql::sql;

/// Grants a primary `need` more, or one part in `shares` of what is left, whichever is more and as far as there is so much.
/// What it may spend in all.
pub(super) async fn grant(
    pool: &Pool,
    template: TemplateId,
    primary: PrimaryId,
    need: u64,
    shares: u64,
) -> Result<u64, MetaError> {
    let mut transaction = Transaction::begin(pool).await?;
    let granted = grant_in(&mut transaction, template, primary, need, shares).await;
    transaction.end(granted).await
}

async fn grant_in(
    transaction: &mut Transaction,
    template: TemplateId,
    primary: PrimaryId,
    need: u64,
    shares: u64,
) -> Result<u64, MetaError> {
    let budget = locked(transaction, template).await?.definition.budget_minor;
    let grants: Vec<(u16, u64)> = transaction.rows(sql::GRANTS_LOCKED, (template.get(),)).await?;
    let sum = grants.iter().fold(0_u64, |sum, (_, granted)| sum.saturating_add(*granted));
    let before = grants.iter().find(|(id, _)| *id == primary.0).map_or(0, |(_, granted)| *granted);
    let left = budget.saturating_sub(sum);
    let more = need.max(left / shares.max(1)).min(left);
    if more > 0 {
        let granted = before + more;
        transaction.run(sql::GRANT, (template.get(), primary.0, granted, granted)).await?;
    }
    Ok(before + more)
}
