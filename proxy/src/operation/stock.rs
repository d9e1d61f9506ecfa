//! Replenishing stock and withdrawing it.

use std::collections::BTreeMap;
use std::time::Duration;

use scrip_protocol::check;
use scrip_protocol::v1::{Code, Replenish, StockChange};
use scrip_protocol::{RequestId, TemplateId};
use scrip_shard_config::SubStock;
use tokio::time::{Instant, sleep};

use super::{Operations, invalid, request_id, template_id};
use crate::refusal::{Effect, Refusal};
use crate::settle::Away;
use crate::store::{MetaStore, RecordStore, StockChangeRecord, StockKey, StockStore};
use crate::template::Template;

/// Between two tries to settle a withdrawal.
const RETRY: Duration = Duration::from_millis(50);

impl<S: StockStore, R: RecordStore, M: MetaStore> Operations<S, R, M> {
    /// Units added count at once; units withdrawn count when every fence is up, which takes every primary.
    pub(super) async fn replenish(&self, replenish: Replenish, deadline: Instant) -> Result<StockChange, Refusal> {
        let violations = check::check_replenish(&replenish);
        if !violations.is_empty() {
            return Err(invalid(check::detail(&violations)));
        }
        let (id, request) = (template_id(replenish.template_id)?, request_id(&replenish.request_id)?);
        self.read(id).await?;
        let Some(template) = self.flow.templates.get(id) else { return Err(not_found()) };
        let shares = match replenish.units {
            ..0 => self.shares(&template, replenish.units.unsigned_abs()).await?,
            0.. => Vec::new(),
        };
        let mut change = self.change(id, request, replenish.units, &shares).await?;
        let replayed = change.replayed;
        loop {
            self.settle_all(id).await;
            if let Some(units_applied) = change.units_applied {
                return Ok(StockChange {
                    template_id: id.get(),
                    units_requested: change.units_requested,
                    units_applied,
                    total_stock: change.total_stock,
                    replayed,
                });
            }
            if Instant::now() >= deadline {
                let detail = "the withdrawal waits for a primary; ask again with the same request id";
                return Err(Refusal::new(Code::OutcomeUnknown, detail));
            }
            // The first call has registered it, so no failure of a later one means that it is not applied.
            match self.change(id, request, replenish.units, &shares).await {
                Ok(now) => change = now,
                Err(refusal) => {
                    tracing::info!(template = %id, ?refusal, "a withdrawal is registered and waits for meta")
                }
            }
            if change.units_applied.is_none() {
                sleep(RETRY).await;
            }
        }
    }

    async fn change(
        &self,
        template: TemplateId,
        request: RequestId,
        units: i64,
        shares: &[(SubStock, u64)],
    ) -> Result<StockChangeRecord, Refusal> {
        let change = self.meta.change_stock(template, request, units, shares).await;
        change.map_err(|error| Refusal::of_meta(&error, Effect::Write))
    }

    /// Brings the new allotments into force. What cannot be settled now is settled by the keeper of some proxy.
    async fn settle_all(&self, id: TemplateId) {
        let Ok(record) = self.meta.template(id).await else { return };
        self.flow.templates.apply(vec![record]);
        let Some(template) = self.flow.templates.get(id) else { return };
        let slots: Vec<usize> = (0..template.slots.len()).collect();
        match self.settler.settle(&template, &slots, Duration::ZERO, Away::Fence).await {
            Ok(_) => template.live.open_all(),
            Err(error) => tracing::info!(template = %id, %error, "stock changed; the settle follows"),
        }
        if let Ok(record) = self.meta.template(id).await {
            self.flow.templates.apply(vec![record]);
        }
    }

    /// Units are withdrawn where they still are, as far as Redis tells. It may be wrong: the end of the withdrawal gives
    /// every sub-stock back what it had issued.
    async fn shares(&self, template: &Template, units: u64) -> Result<Vec<(SubStock, u64)>, Refusal> {
        let sub_stocks = self.meta.sub_stocks(template.record.template).await;
        let sub_stocks = sub_stocks.map_err(|error| Refusal::of_meta(&error, Effect::Read))?;
        let left = self.left(template).await;
        let hints: Vec<Hint> = sub_stocks
            .iter()
            .map(|record| Hint { left: left.get(&record.key).copied().unwrap_or(0), allotment: record.allotment })
            .collect();
        let shares = spread(units, &hints);
        Ok(sub_stocks.iter().map(|record| record.key.sub_stock).zip(shares).collect())
    }

    async fn left(&self, template: &Template) -> BTreeMap<StockKey, u64> {
        let mut by_shard: BTreeMap<usize, Vec<StockKey>> = BTreeMap::new();
        for slot in &template.slots {
            by_shard.entry(slot.shard).or_default().push(slot.key);
        }
        let mut found = BTreeMap::new();
        for (shard, keys) in by_shard {
            let Ok(left) = self.stock.remaining(self.flow.topology.shards[shard].id, &keys).await else { continue };
            found.extend(keys.into_iter().zip(left).filter_map(|(key, left)| Some((key, left?))));
        }
        found
    }
}

/// What is known of a sub-stock before a withdrawal.
#[derive(Debug, Clone, Copy)]
struct Hint {
    left: u64,
    allotment: u64,
}

/// Spreads a withdrawal: first over what is left, in proportion; what exceeds that, over the allotments. The shares add
/// up to `units`, or to all allotments if that is less.
fn spread(units: u64, hints: &[Hint]) -> Vec<u64> {
    let left: Vec<u64> = hints.iter().map(|hint| hint.left.min(hint.allotment)).collect();
    let shares = in_proportion(units, &left);
    let rest: Vec<u64> = hints.iter().zip(&shares).map(|(hint, share)| hint.allotment - share).collect();
    let beyond = in_proportion(units - shares.iter().sum::<u64>(), &rest);
    shares.into_iter().zip(beyond).map(|(share, more)| share + more).collect()
}

/// Parts of `units` in proportion to `weights`, none above its weight; the remainder goes to the first that have room.
fn in_proportion(units: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u64 = weights.iter().sum();
    let units = units.min(sum);
    let part = |weight: u64| u128::from(units) * u128::from(weight) / u128::from(sum.max(1));
    let mut parts: Vec<u64> = weights.iter().map(|&weight| u64::try_from(part(weight)).unwrap_or(weight)).collect();
    let mut remainder = units - parts.iter().sum::<u64>();
    for (part, weight) in parts.iter_mut().zip(weights) {
        let more = remainder.min(weight - *part);
        *part += more;
        remainder -= more;
    }
    parts
}

fn not_found() -> Refusal {
    Refusal::new(Code::TemplateNotFound, "there is no such template")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withdrawal_is_spread_over_what_is_left_first() {
        let check = |units, hints: &[(u64, u64)], expect: &[u64]| {
            let hints: Vec<Hint> = hints.iter().map(|&(left, allotment)| Hint { left, allotment }).collect();
            assert_eq!(spread(units, &hints), expect, "{units} over {hints:?}");
        };
        check(10, &[(10, 50), (10, 50)], &[5, 5]);
        check(10, &[(30, 50), (0, 50), (10, 50)], &[8, 0, 2]);
        check(3, &[(1, 9), (1, 9), (1, 9)], &[1, 1, 1]);
        check(2, &[(1, 9), (1, 9), (1, 9)], &[1, 1, 0]);
        check(30, &[(10, 50), (0, 50)], &[19, 11]);
        check(1_000, &[(10, 50), (0, 40)], &[50, 40]);
        check(5, &[(0, 0), (0, 0)], &[0, 0]);
        check(
            4_000_000_000,
            &[(3_000_000_000, 3_000_000_000), (2_000_000_000, 2_000_000_000)],
            &[2_400_000_000, 1_600_000_000],
        );
    }
}
