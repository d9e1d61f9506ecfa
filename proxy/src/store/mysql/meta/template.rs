//! Templates: creating them, and their status.

use prost::Message;
use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_protocol::{RequestId, TemplateId};

use super::transaction::Transaction;
use super::{TOTAL_STOCK_MAX, locked, next_revision, row, spread};
use crate::store::mysql::pool::Pool;
use crate::store::mysql::sql;
use crate::store::{Layout, MetaError, StoreError, TemplateRecord};

/// Sub-stocks of a template: what `meta_template.sub_stocks` holds.
const SUB_STOCKS_MAX: usize = 4096;

/// Creates a template, or finds the one that this request created. Cancelled, it exists or not, and the same request
/// finds out.
pub(super) async fn create(
    pool: &Pool,
    request: RequestId,
    definition: &TemplateDefinition,
    layout: &(dyn Fn(TemplateId) -> Layout + Send + Sync),
    now_ms: u64,
) -> Result<TemplateRecord, MetaError> {
    if definition.total_stock > TOTAL_STOCK_MAX {
        return Err(MetaError::Limit(format!("a template has at most {TOTAL_STOCK_MAX} units")));
    }
    let mut transaction = Transaction::begin(pool).await?;
    let created = match existing(&mut transaction, request).await {
        Ok(Some(template)) => same(template, definition),
        // A request that runs at the same time meets the unique key below: it waits, is refused, and finds the row
        // when it is sent again.
        Ok(None) => insert(&mut transaction, request, definition, layout, now_ms).await,
        Err(error) => Err(error.into()),
    };
    transaction.end(created).await
}

async fn existing(transaction: &mut Transaction, request: RequestId) -> Result<Option<TemplateRecord>, StoreError> {
    let rows = transaction.rows::<row::Template>(sql::TEMPLATE_OF_REQUEST, (&request.0[..],)).await?;
    rows.into_iter().next().map(row::template).transpose()
}

fn same(template: TemplateRecord, definition: &TemplateDefinition) -> Result<TemplateRecord, MetaError> {
    if template.definition == *definition { Ok(template) } else { Err(MetaError::RequestIdReused) }
}

async fn insert(
    transaction: &mut Transaction,
    request: RequestId,
    definition: &TemplateDefinition,
    layout: &(dyn Fn(TemplateId) -> Layout + Send + Sync),
    now_ms: u64,
) -> Result<TemplateRecord, MetaError> {
    let (status, total_stock) = (TemplateStatus::Draft, definition.total_stock);
    let columns = (&request.0[..], definition.encode_to_vec(), status as i32, total_stock, now_ms);
    // Another one may just have created it: then this waits for its end, and finds its row or none.
    if transaction.insert_new(sql::TEMPLATE_INSERT, columns).await?.is_none() {
        let template = existing(transaction, request).await?;
        return same(template.ok_or_else(lost)?, definition);
    }
    let id = transaction.last_insert_id().and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
    let template = TemplateId::try_new(id).map_err(|_| lost())?;
    let Layout { sub_stocks, stripes } = layout(template);
    if sub_stocks.is_empty() || sub_stocks.len() > SUB_STOCKS_MAX || stripes == 0 {
        let text = format!("a template has 1 to {SUB_STOCKS_MAX} sub-stocks of at least one stripe");
        return Err(MetaError::Limit(text));
    }
    for (sub_stock, allotment) in sub_stocks.iter().zip(spread(total_stock, sub_stocks.len())) {
        transaction.run(sql::SUB_STOCK_INSERT, (id, sub_stock.0, allotment)).await?;
    }
    let revision = next_revision(transaction).await?;
    let suffixes = row::encode_suffixes(&sub_stocks);
    transaction.run(sql::TEMPLATE_LAYOUT, (suffixes, stripes, revision, id)).await?;
    Ok(TemplateRecord {
        template,
        definition: definition.clone(),
        status,
        total_stock,
        sold_out: false,
        created_at_ms: now_ms,
        revision,
        sub_stocks,
        stripes,
    })
}

fn lost() -> StoreError {
    StoreError::Refused("meta refused a new template and has none for its request; try again".to_owned())
}

/// Sets the status. Cancelled, it is set or not, and the same call finds out.
pub(super) async fn set_status(
    pool: &Pool,
    template: TemplateId,
    from: &[TemplateStatus],
    to: TemplateStatus,
) -> Result<TemplateRecord, MetaError> {
    let mut transaction = Transaction::begin(pool).await?;
    let changed = set_status_in(&mut transaction, template, from, to).await;
    transaction.end(changed).await
}

async fn set_status_in(
    transaction: &mut Transaction,
    template: TemplateId,
    from: &[TemplateStatus],
    to: TemplateStatus,
) -> Result<TemplateRecord, MetaError> {
    let mut record = locked(transaction, template).await?;
    if record.status == to {
        return Ok(record);
    }
    if !from.contains(&record.status) {
        return Err(MetaError::Status(record.status));
    }
    record.status = to;
    record.revision = next_revision(transaction).await?;
    transaction.run(sql::TEMPLATE_STATUS, (to as i32, record.revision, template.get())).await?;
    Ok(record)
}
