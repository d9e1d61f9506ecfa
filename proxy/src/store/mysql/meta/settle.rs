//! The steps of a settle that happen in meta.

use std::time::Duration;

use prost::Message;
use scrip_protocol::TemplateId;
use scrip_shard_config::{PrimaryId, SubStock};

use super::transaction::Transaction;
use super::{locked, microseconds, next_revision, sub_stocks_locked};
use crate::events::fact;
use crate::store::mysql::pool::Pool;
use crate::store::mysql::sql;
use crate::store::{Advanced, Ended, MetaError, Server, StoreError};

/// Step 1: the compare-and-set, and in the same transaction, under locks, what the settle goes by. Cancelled, or with
/// an unknown outcome, the epochs may have been raised: then they stay unsettled until the next settle.
pub(super) async fn advance(
    pool: &Pool,
    template: TemplateId,
    expected: &[(SubStock, u64)],
    quiet: Duration,
) -> Result<Advanced, MetaError> {
    let mut transaction = Transaction::begin(pool).await?;
    let advanced = advance_in(&mut transaction, template, expected, quiet).await;
    transaction.end(advanced).await
}

async fn advance_in(
    transaction: &mut Transaction,
    template: TemplateId,
    expected: &[(SubStock, u64)],
    quiet: Duration,
) -> Result<Advanced, MetaError> {
    locked(transaction, template).await?;
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let mut raised = Vec::with_capacity(expected.len());
    for (sub_stock, epoch) in expected {
        let columns = (template.get(), sub_stock.0, epoch, microseconds(quiet));
        if transaction.run(sql::ADVANCE, columns).await? == 1 {
            raised.push(sub_stock);
        }
    }
    let mut won = sub_stocks_locked(transaction, template).await?;
    won.retain(|record| raised.contains(&record.key.sub_stock));
    let withdrawal_pending = pending(transaction, template).await?.is_some();
    let primaries = primaries(transaction).await?;
    Ok(Advanced { won, primaries, withdrawal_pending })
}

async fn primaries(transaction: &mut Transaction) -> Result<Vec<(PrimaryId, Server)>, StoreError> {
    let rows: Vec<(u16, String, u32)> = transaction.rows(sql::PRIMARIES_LOCKED, ()).await?;
    Ok(rows.into_iter().map(|(id, identity, term)| (PrimaryId(id), Server { identity, term })).collect())
}

/// The request of the withdrawal under way, the template being locked.
pub(super) async fn pending(
    transaction: &mut Transaction,
    template: TemplateId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let rows: Vec<Vec<u8>> = transaction.rows(sql::CHANGE_PENDING, (template.get(),)).await?;
    Ok(rows.into_iter().next())
}

/// The end of a settle. Repeating it changes nothing. `tells`: that the template is sold out is kept as an event.
pub(super) async fn mark_settled(
    pool: &Pool,
    template: TemplateId,
    ended: &[Ended],
    tells: bool,
) -> Result<bool, MetaError> {
    let mut transaction = Transaction::begin(pool).await?;
    let marked = mark_settled_in(&mut transaction, template, ended, tells).await;
    transaction.end(marked).await
}

async fn mark_settled_in(
    transaction: &mut Transaction,
    template: TemplateId,
    ended: &[Ended],
    tells: bool,
) -> Result<bool, MetaError> {
    let record = locked(transaction, template).await?;
    for Ended { sub_stock, epoch, installed, drained } in ended.iter().copied() {
        transaction.run(sql::SETTLED, (installed, drained, template.get(), sub_stock.0, epoch)).await?;
    }
    let sub_stocks = sub_stocks_locked(transaction, template).await?;
    // Epoch 0 was never settled, so 0 = 0 does not count.
    let drained = sub_stocks.iter().all(|sub_stock| sub_stock.epoch > 0 && sub_stock.drained_epoch == sub_stock.epoch);
    if record.sold_out || !drained {
        return Ok(record.sold_out);
    }
    let revision = next_revision(transaction).await?;
    transaction.run(sql::TEMPLATE_STOCK, (record.total_stock, true, revision, template.get())).await?;
    if tells {
        let now_ms: Vec<u64> = transaction.rows(sql::outbox::NOW_MS, ()).await?;
        let now_ms = now_ms.first().copied().unwrap_or(0);
        transaction.run(sql::outbox::KEEP, (now_ms, fact::sold_out(template, now_ms).encode_to_vec())).await?;
    }
    Ok(true)
}
