//! Changes of a template's stock. The allotments of its sub-stocks never add up to more than its total.

use scrip_protocol::v1::TemplateStatus;
use scrip_protocol::{RequestId, TemplateId};
use scrip_shard_config::SubStock;

use super::settle::pending;
use super::transaction::Transaction;
use super::{TOTAL_STOCK_MAX, locked, next_revision, spread, sub_stocks_locked};
use crate::store::mysql::pool::Pool;
use crate::store::mysql::sql;
use crate::store::{MetaError, StockChangeRecord, StoreError, SubStockRecord, TemplateRecord};

/// Adds units, or begins to withdraw them. Cancelled, it has happened or not, and the same request finds out.
pub(super) async fn change(
    pool: &Pool,
    template: TemplateId,
    request: RequestId,
    units: i64,
    shares: &[(SubStock, u64)],
) -> Result<StockChangeRecord, MetaError> {
    let mut transaction = Transaction::begin(pool).await?;
    let changed = change_in(&mut transaction, template, request, units, shares).await;
    transaction.end(changed).await
}

async fn change_in(
    transaction: &mut Transaction,
    template: TemplateId,
    request: RequestId,
    units: i64,
    shares: &[(SubStock, u64)],
) -> Result<StockChangeRecord, MetaError> {
    let record = locked(transaction, template).await?;
    if let Some(before) = replay(transaction, template, request).await? {
        return if before.units_requested == units { Ok(before) } else { Err(MetaError::RequestIdReused) };
    }
    if record.status == TemplateStatus::Closed {
        return Err(MetaError::Status(record.status));
    }
    if pending(transaction, template).await?.is_some() {
        return Err(MetaError::WithdrawalPending);
    }
    let sub_stocks = sub_stocks_locked(transaction, template).await?;
    let (allotments, done) = if units >= 0 {
        replenished(&record, &sub_stocks, units)?
    } else {
        begun_withdrawal(&record, &sub_stocks, units, shares)?
    };
    apply(transaction, &record, request, &sub_stocks, &allotments, done).await?;
    Ok(done)
}

async fn replay(
    transaction: &mut Transaction,
    template: TemplateId,
    request: RequestId,
) -> Result<Option<StockChangeRecord>, StoreError> {
    let rows: Vec<(i64, Option<i64>, u64)> = transaction.rows(sql::CHANGE, (template.get(), &request.0[..])).await?;
    Ok(rows.first().map(|&(units_requested, units_applied, total_stock)| StockChangeRecord {
        units_requested,
        units_applied,
        total_stock,
        replayed: true,
    }))
}

/// The allotments after an addition, which takes effect at once.
fn replenished(
    record: &TemplateRecord,
    sub_stocks: &[SubStockRecord],
    units: i64,
) -> Result<(Vec<u64>, StockChangeRecord), MetaError> {
    let total_stock = record.total_stock.saturating_add(units.unsigned_abs());
    if units == 0 || total_stock > TOTAL_STOCK_MAX {
        let text = format!("{units} units on top of {}: a template has at most {TOTAL_STOCK_MAX}", record.total_stock);
        return Err(MetaError::Limit(text));
    }
    let added = spread(units.unsigned_abs(), sub_stocks.len());
    let allotments = sub_stocks.iter().zip(added).map(|(sub_stock, added)| sub_stock.allotment + added).collect();
    Ok((
        allotments,
        StockChangeRecord { units_requested: units, units_applied: Some(units), total_stock, replayed: false },
    ))
}

/// The allotments during a withdrawal: lowered first, so that no new unit can be taken; what had been issued by then
/// is given back to them at the end.
fn begun_withdrawal(
    record: &TemplateRecord,
    sub_stocks: &[SubStockRecord],
    units: i64,
    shares: &[(SubStock, u64)],
) -> Result<(Vec<u64>, StockChangeRecord), MetaError> {
    let shared = shares.iter().fold(0_u64, |sum, (_, share)| sum.saturating_add(*share));
    if shared > units.unsigned_abs() {
        return Err(MetaError::Limit(format!("{shared} units in shares of a withdrawal of {}", units.unsigned_abs())));
    }
    let stranger = |(name, _): &&(SubStock, u64)| sub_stocks.iter().all(|sub_stock| sub_stock.key.sub_stock != *name);
    if let Some((stranger, _)) = shares.iter().find(stranger) {
        return Err(MetaError::Limit(format!("the template has no sub-stock {stranger}")));
    }
    let lowered = |sub_stock: &SubStockRecord| {
        let own = shares.iter().filter(|(name, _)| *name == sub_stock.key.sub_stock);
        own.fold(sub_stock.allotment, |allotment, (_, share)| allotment.saturating_sub(*share))
    };
    let total_stock = record.total_stock;
    let done = StockChangeRecord { units_requested: units, units_applied: None, total_stock, replayed: false };
    Ok((sub_stocks.iter().map(lowered).collect(), done))
}

/// Writes a change down. Every epoch rises with it, so that no unit of the old allotments is recorded after the next
/// fence.
async fn apply(
    transaction: &mut Transaction,
    record: &TemplateRecord,
    request: RequestId,
    sub_stocks: &[SubStockRecord],
    allotments: &[u64],
    done: StockChangeRecord,
) -> Result<(), StoreError> {
    let template = record.template.get();
    for (sub_stock, allotment) in sub_stocks.iter().zip(allotments) {
        transaction.run(sql::ALLOT, (*allotment, template, sub_stock.key.sub_stock.0)).await?;
    }
    let columns = (template, &request.0[..], done.units_requested, done.units_applied, done.total_stock);
    transaction.run(sql::CHANGE_INSERT, columns).await?;
    let revision = next_revision(transaction).await?;
    transaction.run(sql::TEMPLATE_STOCK, (done.total_stock, false, revision, template)).await?;
    Ok(())
}

/// The end of a withdrawal. Repeating it changes nothing: then no withdrawal is pending.
pub(super) async fn finish_withdrawal(
    pool: &Pool,
    template: TemplateId,
    issued: &[(SubStockRecord, u64)],
) -> Result<Vec<SubStockRecord>, MetaError> {
    let mut transaction = Transaction::begin(pool).await?;
    let finished = finish_in(&mut transaction, template, issued).await;
    transaction.end(finished).await
}

async fn finish_in(
    transaction: &mut Transaction,
    template: TemplateId,
    issued: &[(SubStockRecord, u64)],
) -> Result<Vec<SubStockRecord>, MetaError> {
    let record = locked(transaction, template).await?;
    let mut sub_stocks = sub_stocks_locked(transaction, template).await?;
    let Some(request) = pending(transaction, template).await? else { return Ok(sub_stocks) };
    let Some(issued) = matching(&sub_stocks, issued) else { return Ok(sub_stocks) };
    for (sub_stock, issued) in sub_stocks.iter_mut().zip(issued) {
        if sub_stock.allotment < issued {
            sub_stock.allotment = issued;
            let columns = (issued, template.get(), sub_stock.key.sub_stock.0);
            transaction.run(sql::ALLOT_ISSUED, columns).await?;
        }
    }
    let total_stock = allotted(&record, &sub_stocks)?;
    // Both are at most 4,000,000,000.
    let applied = total_stock as i64 - record.total_stock as i64;
    transaction.run(sql::CHANGE_APPLIED, (applied, total_stock, template.get(), request)).await?;
    let revision = next_revision(transaction).await?;
    transaction.run(sql::TEMPLATE_STOCK, (total_stock, record.sold_out, revision, template.get())).await?;
    Ok(sub_stocks)
}

/// What is left of sub-stocks that cannot be served goes to others. Repeating it changes nothing: then nothing is left.
pub(super) async fn move_rest(
    pool: &Pool,
    template: TemplateId,
    from: &[(SubStockRecord, u64)],
    to: &[SubStock],
) -> Result<Vec<SubStockRecord>, MetaError> {
    let mut transaction = Transaction::begin(pool).await?;
    let moved = move_in(&mut transaction, template, from, to).await;
    transaction.end(moved).await
}

async fn move_in(
    transaction: &mut Transaction,
    template: TemplateId,
    from: &[(SubStockRecord, u64)],
    to: &[SubStock],
) -> Result<Vec<SubStockRecord>, MetaError> {
    locked(transaction, template).await?;
    let sub_stocks = sub_stocks_locked(transaction, template).await?;
    if pending(transaction, template).await?.is_some() {
        return Ok(sub_stocks);
    }
    let Some((after, grown)) = moved(&sub_stocks, from, to) else { return Ok(sub_stocks) };
    for (sub_stock, before) in after.iter().zip(&sub_stocks) {
        let columns = (sub_stock.allotment, template.get(), sub_stock.key.sub_stock.0);
        if grown.contains(&sub_stock.key.sub_stock) {
            transaction.run(sql::ALLOT, columns).await?;
        } else if sub_stock.allotment != before.allotment {
            transaction.run(sql::ALLOT_ISSUED, columns).await?;
        }
    }
    Ok(sub_stocks_locked(transaction, template).await?)
}

/// The allotments after a move, and which of them grew; `None`: nothing moves. Only a sub-stock whose epoch is still
/// that of its fences gives: under a later one, units may be in Redis again.
fn moved(
    sub_stocks: &[SubStockRecord],
    from: &[(SubStockRecord, u64)],
    to: &[SubStock],
) -> Option<(Vec<SubStockRecord>, Vec<SubStock>)> {
    let mut after = sub_stocks.to_vec();
    let mut rest = 0;
    for (fenced, issued) in from {
        let own = after.iter_mut().find(|own| own.key == fenced.key && own.epoch == fenced.epoch);
        let Some(own) = own.filter(|own| own.allotment > *issued && !to.contains(&own.key.sub_stock)) else { continue };
        rest += own.allotment - issued;
        own.allotment = *issued;
    }
    let mut takers: Vec<_> = after.iter_mut().filter(|own| to.contains(&own.key.sub_stock)).collect();
    if rest == 0 || takers.is_empty() {
        return None;
    }
    let mut grown = Vec::new();
    let parts = spread(rest, takers.len());
    for (taker, part) in takers.iter_mut().zip(parts).filter(|(_, part)| *part > 0) {
        taker.allotment += part;
        grown.push(taker.key.sub_stock);
    }
    Some((after, grown))
}

/// The new total. More than the old one would mean that more was issued than allotted: nothing may be built on that.
fn allotted(record: &TemplateRecord, sub_stocks: &[SubStockRecord]) -> Result<u64, MetaError> {
    let total_stock = sub_stocks.iter().map(|sub_stock| sub_stock.allotment).sum();
    if total_stock <= record.total_stock {
        return Ok(total_stock);
    }
    let text = format!(
        "{total_stock} units are issued or allotted of template {}, which has {}; run `scrip-proxy audit`",
        record.template, record.total_stock
    );
    Err(StoreError::Refused(text).into())
}

/// What was issued from each sub-stock, in their order, if every one is named with its present epoch.
fn matching(sub_stocks: &[SubStockRecord], issued: &[(SubStockRecord, u64)]) -> Option<Vec<u64>> {
    let own = |sub_stock: &SubStockRecord| {
        let same = |record: &&(SubStockRecord, u64)| record.0.key == sub_stock.key && record.0.epoch == sub_stock.epoch;
        issued.iter().find(same).map(|(_, count)| *count)
    };
    sub_stocks.iter().map(own).collect()
}
