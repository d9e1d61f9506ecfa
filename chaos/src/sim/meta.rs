//! A model of meta: templates, epochs, allotments, terms. Every writing call is one transaction.

pub mod beside;
mod stock;

use std::collections::BTreeMap;
use std::time::Duration;

use scrip_client::{RequestId, TemplateId};
use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_proxy::store::{
    Advanced, Ended, Layout, MetaError, Server, StockChangeRecord, StockKey, SubStockRecord, TemplateRecord,
};
use scrip_shard_config::{PrimaryId, SubStock, Topology};

use super::primary::identity;
use super::world::Host;

/// The most units that a template can have.
const TOTAL_STOCK_MAX: u64 = 4_000_000_000;
/// A clock that went back must not stop settles for ever, so a time far ahead counts as past.
const AHEAD_MAX_MS: u64 = 60_000;

/// Meta.
#[derive(Debug)]
pub struct Meta {
    /// Whether it runs.
    pub host: Host,
    /// By id.
    pub templates: BTreeMap<TemplateId, Template>,
    /// The server behind each primary, and its term.
    pub primaries: BTreeMap<PrimaryId, Server>,
    /// What each primary was granted of a template's budget, in minor units.
    pub grants: BTreeMap<(TemplateId, PrimaryId), u64>,
    /// Bulk jobs and codes.
    pub beside: beside::Beside,
    revision: u64,
}

/// A template and what belongs to it.
#[derive(Debug)]
pub struct Template {
    /// As the proxies read it.
    pub record: TemplateRecord,
    /// By suffix.
    pub sub_stocks: Vec<Own>,
    created_by: RequestId,
    changes: BTreeMap<RequestId, StockChangeRecord>,
}

/// A sub-stock.
#[derive(Debug, Clone, Copy)]
pub struct Own {
    /// As the proxies read it.
    pub record: SubStockRecord,
    advanced_at_ms: u64,
}

impl Meta {
    /// An empty one that knows the primaries.
    pub fn new(topology: &Topology) -> Self {
        let server = |index| Server { identity: identity(index, 1), term: 1 };
        let primaries = topology.primaries.iter().enumerate().map(|(index, primary)| (primary.id, server(index)));
        let primaries = primaries.collect();
        let (templates, grants, beside) = (BTreeMap::new(), BTreeMap::new(), beside::Beside::default());
        Self { host: Host::default(), templates, primaries, grants, beside, revision: 0 }
    }

    /// Units of a template.
    pub fn total(&self, template: TemplateId) -> u64 {
        self.templates.get(&template).map_or(0, |template| template.record.total_stock)
    }

    fn next_revision(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    fn get(&mut self, template: TemplateId) -> Result<&mut Template, MetaError> {
        self.templates.get_mut(&template).ok_or(MetaError::TemplateNotFound)
    }

    /// Creates a template, or finds the one that this request created.
    pub fn create(
        &mut self,
        request: RequestId,
        definition: &TemplateDefinition,
        layout: &dyn Fn(TemplateId) -> Layout,
        now_ms: u64,
    ) -> Result<TemplateRecord, MetaError> {
        let total_stock = definition.total_stock;
        if total_stock > TOTAL_STOCK_MAX {
            return Err(MetaError::Limit(format!("a template has at most {TOTAL_STOCK_MAX} units")));
        }
        if let Some(template) = self.templates.values().find(|template| template.created_by == request) {
            let same = template.record.definition == *definition;
            return if same { Ok(template.record.clone()) } else { Err(MetaError::RequestIdReused) };
        }
        let id = self.templates.len() as u32 + 1;
        let template = TemplateId::try_new(id).map_err(|error| MetaError::Limit(error.to_string()))?;
        let Layout { sub_stocks, stripes } = layout(template);
        if sub_stocks.is_empty() || stripes == 0 {
            return Err(MetaError::Limit("a template has sub-stocks of at least one stripe".to_owned()));
        }
        let record = TemplateRecord {
            template,
            definition: definition.clone(),
            status: TemplateStatus::Draft,
            total_stock,
            sold_out: false,
            created_at_ms: now_ms,
            revision: self.next_revision(),
            sub_stocks: sub_stocks.clone(),
            stripes,
        };
        let mut own: Vec<Own> = sub_stocks
            .iter()
            .zip(stock::spread(total_stock, sub_stocks.len()))
            .map(|(sub_stock, allotment)| Own::new(template, *sub_stock, allotment))
            .collect();
        own.sort_by_key(|own| own.record.key);
        let changes = BTreeMap::new();
        let made = Template { record: record.clone(), sub_stocks: own, created_by: request, changes };
        self.templates.insert(template, made);
        Ok(record)
    }

    /// Grants a primary more of a template's budget; what it may spend in all.
    pub fn grant(
        &mut self,
        template: TemplateId,
        primary: PrimaryId,
        need: u64,
        shares: u64,
    ) -> Result<u64, MetaError> {
        let found = self.templates.get(&template).ok_or(MetaError::TemplateNotFound)?;
        let granted = self.grants.iter().filter(|((of, _), _)| *of == template).map(|(_, granted)| granted).sum();
        let left = found.record.definition.budget_minor.saturating_sub(granted);
        let own = self.grants.entry((template, primary)).or_default();
        *own += need.max(left / shares.max(1)).min(left);
        Ok(*own)
    }

    /// Sets the status.
    pub fn set_status(
        &mut self,
        template: TemplateId,
        from: &[TemplateStatus],
        to: TemplateStatus,
    ) -> Result<TemplateRecord, MetaError> {
        let status = self.get(template)?.record.status;
        if status != to {
            if !from.contains(&status) {
                return Err(MetaError::Status(status));
            }
            let revision = self.next_revision();
            let record = &mut self.get(template)?.record;
            (record.status, record.revision) = (to, revision);
        }
        Ok(self.get(template)?.record.clone())
    }

    /// Templates that changed above a revision, by revision.
    pub fn changed(&self, revision: u64, count_max: u32) -> Vec<TemplateRecord> {
        let newer = self.templates.values().filter(|template| template.record.revision > revision);
        let mut newer: Vec<TemplateRecord> = newer.map(|template| template.record.clone()).collect();
        newer.sort_by_key(|record| record.revision);
        newer.truncate(count_max as usize);
        newer
    }

    /// The sub-stocks of a template.
    pub fn sub_stocks(&mut self, template: TemplateId) -> Result<Vec<SubStockRecord>, MetaError> {
        Ok(self.get(template)?.records())
    }

    /// Settles that nobody finished.
    pub fn unsettled(&self, quiet: Duration, after: Option<StockKey>, count_max: u32, now_ms: u64) -> Vec<StockKey> {
        let alive = |template: &&Template| {
            let claimable = matches!(template.record.status, TemplateStatus::Published | TemplateStatus::Paused);
            claimable && !template.record.sold_out
        };
        let all = self.templates.values().filter(alive).flat_map(|template| &template.sub_stocks);
        let unsettled = all.filter(|own| own.record.settled_epoch < own.record.epoch && own.is_quiet(quiet, now_ms));
        let later = unsettled.filter(|own| after.is_none_or(|after| own.record.key > after));
        later.take(count_max as usize).map(|own| own.record.key).collect()
    }

    /// Step 1 of a settle.
    pub fn advance(
        &mut self,
        template: TemplateId,
        expected: &[(SubStock, u64)],
        quiet: Duration,
        now_ms: u64,
    ) -> Result<Advanced, MetaError> {
        let primaries = self.primaries.iter().map(|(id, server)| (*id, server.clone())).collect();
        let template = self.get(template)?;
        let mut won = Vec::new();
        for own in &mut template.sub_stocks {
            let wanted = |(sub_stock, epoch): &(SubStock, u64)| {
                *sub_stock == own.record.key.sub_stock && *epoch == own.record.epoch
            };
            if expected.iter().any(wanted) && own.is_quiet(quiet, now_ms) {
                own.record.epoch += 1;
                own.advanced_at_ms = now_ms;
                won.push(own.record);
            }
        }
        Ok(Advanced { won, primaries, withdrawal_pending: template.pending().is_some() })
    }

    /// The end of a settle. `early`: a mutant.
    pub fn mark_settled(&mut self, template: TemplateId, ended: &[Ended], early: bool) -> Result<bool, MetaError> {
        let found = self.get(template)?;
        for ended in ended {
            let own = found.sub_stocks.iter_mut().map(|own| &mut own.record);
            for own in own.filter(|own| own.key.sub_stock == ended.sub_stock && own.epoch == ended.epoch) {
                if ended.installed {
                    own.settled_epoch = ended.epoch;
                }
                if ended.drained || early {
                    own.drained_epoch = ended.epoch;
                }
            }
        }
        let drained = |own: &Own| own.record.epoch > 0 && own.record.drained_epoch == own.record.epoch;
        if found.record.sold_out || !found.sub_stocks.iter().all(drained) {
            return Ok(found.record.sold_out);
        }
        let revision = self.next_revision();
        let record = &mut self.get(template)?.record;
        (record.sold_out, record.revision) = (true, revision);
        Ok(true)
    }

    /// The server with this identity; the term rises if another one was known.
    pub fn raise_term(&mut self, primary: PrimaryId, identity: &str) -> Option<Server> {
        let known = self.primaries.get_mut(&primary)?;
        if known.identity != identity {
            *known = Server { identity: identity.to_owned(), term: known.term + 1 };
        }
        Some(known.clone())
    }
}

impl Template {
    fn records(&self) -> Vec<SubStockRecord> {
        self.sub_stocks.iter().map(|own| own.record).collect()
    }

    /// The withdrawal under way.
    fn pending(&self) -> Option<RequestId> {
        self.changes.iter().find(|(_, change)| change.units_applied.is_none()).map(|(request, _)| *request)
    }
}

impl Own {
    fn new(template: TemplateId, sub_stock: SubStock, allotment: u64) -> Self {
        let key = StockKey { template, sub_stock };
        let record = SubStockRecord { key, allotment, epoch: 0, settled_epoch: 0, drained_epoch: 0 };
        Self { record, advanced_at_ms: 0 }
    }

    fn is_quiet(&self, quiet: Duration, now_ms: u64) -> bool {
        let quiet_ms = u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX);
        self.advanced_at_ms <= now_ms.saturating_sub(quiet_ms) || self.advanced_at_ms > now_ms + AHEAD_MAX_MS
    }
}
