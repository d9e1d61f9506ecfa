//! Rows of meta, as types.

use prost::Message;
use scrip_protocol::TemplateId;
use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_shard_config::SubStock;

use crate::store::{MetaError, StockKey, StoreError, SubStockRecord, TemplateRecord};

/// The columns of a template.
pub(super) type Template = (u32, Vec<u8>, u8, u64, bool, u64, u64, Vec<u8>, u16);
/// The columns of a sub-stock.
pub(super) type SubStockColumns = (u16, u64, u64, u64, u64);

/// A row that no version of this program wrote.
fn corrupt(template: u32, what: &str) -> StoreError {
    StoreError::Refused(format!("template {template} in meta has an unreadable {what}"))
}

pub(super) fn template(row: Template) -> Result<TemplateRecord, StoreError> {
    let (id, definition, status, total_stock, sold_out, created_at_ms, revision, sub_stocks, stripes) = row;
    let template = TemplateId::try_new(id).map_err(|_| corrupt(id, "id"))?;
    let definition = TemplateDefinition::decode(&definition[..]).map_err(|_| corrupt(id, "definition"))?;
    let status = TemplateStatus::try_from(i32::from(status)).map_err(|_| corrupt(id, "status"))?;
    let sub_stocks = decode_suffixes(&sub_stocks);
    Ok(TemplateRecord {
        template,
        definition,
        status,
        total_stock,
        sold_out,
        created_at_ms,
        revision,
        sub_stocks,
        stripes,
    })
}

pub(super) fn templates(rows: Vec<Template>) -> Result<Vec<TemplateRecord>, StoreError> {
    rows.into_iter().map(template).collect()
}

pub(super) fn sub_stocks(template: TemplateId, rows: Vec<SubStockColumns>) -> Vec<SubStockRecord> {
    let record = |(sub_stock, allotment, epoch, settled_epoch, drained_epoch)| {
        let key = StockKey { template, sub_stock: SubStock(sub_stock) };
        SubStockRecord { key, allotment, epoch, settled_epoch, drained_epoch }
    };
    rows.into_iter().map(record).collect()
}

pub(super) fn stock_key((template, sub_stock): (u32, u16)) -> Result<StockKey, MetaError> {
    let template = TemplateId::try_new(template).map_err(|_| corrupt(template, "id"))?;
    Ok(StockKey { template, sub_stock: SubStock(sub_stock) })
}

/// Suffixes as meta keeps them.
pub(super) fn encode_suffixes(sub_stocks: &[SubStock]) -> Vec<u8> {
    sub_stocks.iter().flat_map(|sub_stock| sub_stock.0.to_be_bytes()).collect()
}

fn decode_suffixes(bytes: &[u8]) -> Vec<SubStock> {
    bytes.chunks_exact(2).map(|pair| SubStock(u16::from_be_bytes([pair[0], pair[1]]))).collect()
}
