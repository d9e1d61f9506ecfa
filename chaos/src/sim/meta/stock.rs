//! Changes of a template's stock.

use scrip_client::{RequestId, TemplateId};
use scrip_protocol::v1::TemplateStatus;
use scrip_proxy::store::{MetaError, StockChangeRecord, StoreError, SubStockRecord};
use scrip_shard_config::SubStock;

use super::{Meta, TOTAL_STOCK_MAX, Template};

/// `units` over so many parts, the first of which take what does not divide.
pub(super) fn spread(units: u64, parts: usize) -> impl Iterator<Item = u64> {
    let parts = parts as u64;
    (0..parts).map(move |index| units / parts + u64::from(index < units % parts))
}

impl Meta {
    /// Adds units, or begins to withdraw them.
    pub fn change_stock(
        &mut self,
        template: TemplateId,
        request: RequestId,
        units: i64,
        shares: &[(SubStock, u64)],
        now_ms: u64,
    ) -> Result<StockChangeRecord, MetaError> {
        let found = self.get(template)?;
        if let Some(before) = found.changes.get(&request) {
            let same = before.units_requested == units;
            return if same {
                Ok(StockChangeRecord { replayed: true, ..*before })
            } else {
                Err(MetaError::RequestIdReused)
            };
        }
        if found.record.status == TemplateStatus::Closed {
            return Err(MetaError::Status(found.record.status));
        }
        if found.pending().is_some() {
            return Err(MetaError::WithdrawalPending);
        }
        let (allotments, done) = if units >= 0 { found.replenished(units)? } else { found.begun(units, shares)? };
        for (own, allotment) in found.sub_stocks.iter_mut().zip(allotments) {
            own.record.allotment = allotment;
            own.record.epoch += 1;
            own.advanced_at_ms = now_ms;
        }
        found.changes.insert(request, done);
        let revision = self.next_revision();
        let record = &mut self.get(template)?.record;
        (record.total_stock, record.sold_out, record.revision) = (done.total_stock, false, revision);
        Ok(done)
    }

    /// Moves what is left of sub-stocks that cannot be served.
    pub fn move_rest(
        &mut self,
        template: TemplateId,
        from: &[(SubStockRecord, u64)],
        to: &[SubStock],
        now_ms: u64,
    ) -> Result<Vec<SubStockRecord>, MetaError> {
        let found = self.get(template)?;
        let takers = found.sub_stocks.iter().filter(|own| to.contains(&own.record.key.sub_stock)).count();
        if found.pending().is_some() || takers == 0 {
            return Ok(found.records());
        }
        let mut rest = 0;
        for (fenced, issued) in from {
            let own = found.sub_stocks.iter_mut().map(|own| &mut own.record);
            let mut own = own.filter(|own| own.key == fenced.key && own.epoch == fenced.epoch);
            if let Some(own) = own.find(|own| own.allotment > *issued && !to.contains(&own.key.sub_stock)) {
                rest += own.allotment - issued;
                own.allotment = *issued;
            }
        }
        let own = found.sub_stocks.iter_mut().filter(|own| to.contains(&own.record.key.sub_stock));
        for (own, part) in own.zip(spread(rest, takers)).filter(|(_, part)| *part > 0) {
            own.record.allotment += part;
            own.record.epoch += 1;
            own.advanced_at_ms = now_ms;
        }
        Ok(found.records())
    }

    /// The end of a withdrawal.
    pub fn finish_withdrawal(
        &mut self,
        template: TemplateId,
        issued: &[(SubStockRecord, u64)],
    ) -> Result<Vec<SubStockRecord>, MetaError> {
        let found = self.get(template)?;
        let Some(request) = found.pending() else { return Ok(found.records()) };
        let own = |record: SubStockRecord| {
            let same = |entry: &&(SubStockRecord, u64)| entry.0.key == record.key && entry.0.epoch == record.epoch;
            issued.iter().find(same).map(|(_, count)| *count)
        };
        let counts: Option<Vec<u64>> = found.records().into_iter().map(own).collect();
        let Some(counts) = counts else { return Ok(found.records()) };
        let allotted = found.sub_stocks.iter().zip(&counts).map(|(own, issued)| own.record.allotment.max(*issued));
        let total_stock: u64 = allotted.sum();
        if total_stock > found.record.total_stock {
            return Err(StoreError::Refused(format!("{total_stock} units are issued or allotted")).into());
        }
        for (own, issued) in found.sub_stocks.iter_mut().zip(counts) {
            own.record.allotment = own.record.allotment.max(issued);
        }
        // Both are at most 4,000,000,000.
        let applied = total_stock as i64 - found.record.total_stock as i64;
        if let Some(change) = found.changes.get_mut(&request) {
            (change.units_applied, change.total_stock) = (Some(applied), total_stock);
        }
        let revision = self.next_revision();
        let found = self.get(template)?;
        (found.record.total_stock, found.record.revision) = (total_stock, revision);
        Ok(found.records())
    }
}

impl Template {
    fn replenished(&self, units: i64) -> Result<(Vec<u64>, StockChangeRecord), MetaError> {
        let total_stock = self.record.total_stock.saturating_add(units.unsigned_abs());
        if units == 0 || total_stock > TOTAL_STOCK_MAX {
            return Err(MetaError::Limit(format!("a template has at most {TOTAL_STOCK_MAX} units")));
        }
        let added = spread(units.unsigned_abs(), self.sub_stocks.len());
        let allotments = self.sub_stocks.iter().zip(added).map(|(own, added)| own.record.allotment + added).collect();
        let units_applied = Some(units);
        Ok((allotments, StockChangeRecord { units_requested: units, units_applied, total_stock, replayed: false }))
    }

    fn begun(&self, units: i64, shares: &[(SubStock, u64)]) -> Result<(Vec<u64>, StockChangeRecord), MetaError> {
        let shared = shares.iter().fold(0_u64, |sum, (_, share)| sum.saturating_add(*share));
        let own = |name: &SubStock| self.sub_stocks.iter().any(|own| own.record.key.sub_stock == *name);
        if shared > units.unsigned_abs() || !shares.iter().all(|(name, _)| own(name)) {
            return Err(MetaError::Limit(format!("shares of {shared} units, or of a sub-stock that there is not")));
        }
        let lowered = |record: SubStockRecord| {
            let own = shares.iter().filter(|(name, _)| *name == record.key.sub_stock);
            own.fold(record.allotment, |allotment, (_, share)| allotment.saturating_sub(*share))
        };
        let total_stock = self.record.total_stock;
        let done = StockChangeRecord { units_requested: units, units_applied: None, total_stock, replayed: false };
        Ok((self.records().into_iter().map(lowered).collect(), done))
    }
}
