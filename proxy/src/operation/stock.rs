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
        let shares = if replenish.units < 0 { self.shares(&template).await } else { Vec::new() };
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
            change = self.change(id, request, replenish.units, &shares).await?;
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
        match self.settler.settle(&template, &slots, Duration::ZERO).await {
            Ok(_) => template.live.open_all(),
            Err(error) => tracing::info!(template = %id, %error, "stock changed; the settle follows"),
        }
        if let Ok(record) = self.meta.template(id).await {
            self.flow.templates.apply(vec![record]);
        }
    }

    /// Units are withdrawn where they still are, as far as Redis tells.
    async fn shares(&self, template: &Template) -> Vec<(SubStock, u64)> {
        let mut by_shard: BTreeMap<usize, Vec<StockKey>> = BTreeMap::new();
        for slot in &template.slots {
            by_shard.entry(slot.shard).or_default().push(slot.key);
        }
        let mut shares = Vec::new();
        for (shard, keys) in by_shard {
            let left = self.stock.remaining(self.flow.topology.shards[shard].id, &keys).await;
            let left = left.unwrap_or_else(|_| vec![None; keys.len()]);
            shares.extend(keys.iter().zip(left).map(|(key, left)| (key.sub_stock, left.unwrap_or(0))));
        }
        shares
    }
}

fn not_found() -> Refusal {
    Refusal::new(Code::TemplateNotFound, "there is no such template")
}
