//! Creating, reading and publishing templates.

use std::time::Duration;

use scrip_protocol::v1::{
    Code, CreateTemplate, GetTemplate, ListTemplates, SetTemplateStatus, Template, TemplateAction, TemplatePage,
    TemplateStatus,
};
use scrip_protocol::{check, page};
use scrip_shard_config::Topology;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::reads::Read;
use super::{Operations, invalid, message, request_id, template_id};
use crate::refusal::{Effect, Refusal};
use crate::settle::{Away, Settled};
use crate::store::{Layout, MetaStore, RecordStore, Source, StockKey, StockStore, TemplateRecord};

impl<S: StockStore, R: RecordStore, M: MetaStore> Operations<S, R, M> {
    pub(super) async fn create_template(&self, create: CreateTemplate) -> Result<Template, Refusal> {
        let request = request_id(&create.request_id)?;
        let definition = create.definition.ok_or_else(|| invalid("definition: missing; say what the coupon is"))?;
        let violations = check::check_definition(&definition);
        if !violations.is_empty() {
            return Err(invalid(check::detail(&violations)));
        }
        let topology = &self.flow.topology;
        layout(topology, scrip_protocol::TemplateId::try_new(1).map_err(invalid)?)?;
        let lay_out = |template| layout(topology, template).unwrap_or(Layout { sub_stocks: Vec::new(), stripes: 1 });
        let now_ms = self.flow.clock.now_ms();
        let record = self.meta.create_template(request, &definition, &lay_out, now_ms).await;
        let record = record.map_err(|error| Refusal::of_meta(&error, Effect::Write))?;
        self.flow.templates.apply(vec![record.clone()]);
        Ok(message(&record))
    }

    pub(super) async fn get_template(&self, get: GetTemplate, deadline: Instant) -> Result<Read<Template>, Refusal> {
        let template = template_id(get.template_id)?;
        let meta = self.flow.topology.meta;
        self.read_from(meta, (get.max_staleness_ms, deadline), |from| self.template_from(from, template)).await
    }

    /// Only what the meta primary says goes into the snapshot.
    async fn template_from(&self, from: Source, template: scrip_protocol::TemplateId) -> Result<Template, Refusal> {
        if matches!(from, Source::Primary(_)) {
            return Ok(message(&self.read(template).await?));
        }
        let before = scrip_protocol::TemplateId::try_new(template.get() - 1).ok();
        let found = self.meta.templates(from, before, None, 1).await;
        let found = found.map_err(|error| Refusal::of_meta(&error, Effect::Read))?;
        let found = found.iter().find(|record| record.template == template).map(message);
        found.ok_or_else(|| Refusal::new(Code::TemplateNotFound, Code::TemplateNotFound.cause()))
    }

    pub(super) async fn list_templates(
        &self,
        list: ListTemplates,
        deadline: Instant,
    ) -> Result<Read<TemplatePage>, Refusal> {
        let meta = self.flow.topology.meta;
        self.read_from(meta, (list.max_staleness_ms, deadline), |from| self.templates_from(from, &list)).await
    }

    async fn templates_from(&self, from: Source, list: &ListTemplates) -> Result<TemplatePage, Refusal> {
        let status = match TemplateStatus::try_from(list.status) {
            Ok(TemplateStatus::Unspecified) => None,
            Ok(status) => Some(status),
            Err(_) => return Err(invalid(format!("status: {} is none of a template's", list.status))),
        };
        let after = scrip_protocol::TemplateId::try_new(list.after_template_id).ok();
        let count = check::page_size(list.page_size);
        let records = self.meta.templates(from, after, status, count).await;
        let records = records.map_err(|error| Refusal::of_meta(&error, Effect::Read))?;
        let more = records.len() >= count as usize;
        Ok(page::template_page(records.iter().map(message).collect(), more))
    }

    pub(super) async fn set_template_status(&self, set: SetTemplateStatus) -> Result<Template, Refusal> {
        use TemplateStatus::{Closed, Draft, Paused, Published};
        let template = template_id(set.template_id)?;
        let (from, to): (&[TemplateStatus], _) = match TemplateAction::try_from(set.action) {
            Ok(TemplateAction::Publish) => {
                self.prepare(template).await?;
                (&[Draft], Published)
            }
            Ok(TemplateAction::Pause) => (&[Published], Paused),
            Ok(TemplateAction::Resume) => (&[Paused], Published),
            Ok(TemplateAction::Close) => (&[Draft, Published, Paused], Closed),
            Ok(TemplateAction::Unspecified) | Err(_) => {
                return Err(invalid("action: say PUBLISH, PAUSE, RESUME or CLOSE"));
            }
        };
        let record = self.meta.set_status(template, from, to).await;
        let record = record.map_err(|error| Refusal::of_meta(&error, Effect::Write))?;
        self.flow.templates.apply(vec![record.clone()]);
        Ok(message(&record))
    }

    pub(super) async fn read(&self, template: scrip_protocol::TemplateId) -> Result<TemplateRecord, Refusal> {
        let record = self.meta.template(template).await;
        let record = record.map_err(|error| Refusal::of_meta(&error, Effect::Read))?;
        self.flow.templates.apply(vec![record.clone()]);
        Ok(record)
    }

    /// What a draft needs before it can be claimed: its ledgers on every primary, and a first settle of its
    /// sub-stocks. A crash in the middle leaves a draft; publishing again goes on.
    async fn prepare(&self, template: scrip_protocol::TemplateId) -> Result<(), Refusal> {
        let record = self.read(template).await?;
        if record.status != TemplateStatus::Draft {
            return Ok(());
        }
        self.create_ledgers(&record).await?;
        let Some(template) = self.flow.templates.get(template) else { return Ok(()) };
        let slots: Vec<usize> = (0..template.slots.len()).collect();
        let report = self.settler.settle(&template, &slots, Duration::ZERO, Away::Wait).await;
        let report = report.map_err(|error| Refusal::of_settle(&error))?;
        // A shard that is down gets its units when it is back; with all of them down there is nothing to publish.
        if report.settled.iter().all(|(_, settled)| *settled == Settled::Again) {
            return Err(Refusal::new(Code::StockUnavailable, "no shard took its units; is Redis there?"));
        }
        Ok(())
    }

    async fn create_ledgers(&self, record: &TemplateRecord) -> Result<(), Refusal> {
        let key = |&sub_stock| StockKey { template: record.template, sub_stock };
        let keys: Vec<StockKey> = record.sub_stocks.iter().map(key).collect();
        let mut creating = JoinSet::new();
        for primary in self.flow.topology.primaries.iter().map(|primary| primary.id) {
            let (store, keys, stripes) = (self.record.clone(), keys.clone(), record.stripes);
            creating.spawn(async move { (primary, store.create_ledger(primary, &keys, stripes).await) });
        }
        while let Some(joined) = creating.join_next().await {
            let (primary, created) = joined.map_err(|_| Refusal::new(Code::Draining, "this proxy is stopping"))?;
            // Creating ledgers again is harmless, so an unknown outcome is no more than a primary that did not answer.
            created.map_err(|error| {
                let refusal = Refusal::of_primary(&error, Effect::Read);
                Refusal::new(refusal.code, format!("{primary}: {}", refusal.detail))
            })?;
        }
        Ok(())
    }
}

/// One sub-stock on each shard, or as many as the topology says, placed in balance.
fn layout(topology: &Topology, template: scrip_protocol::TemplateId) -> Result<Layout, Refusal> {
    let sub_stocks = topology.place(template.get());
    let sub_stocks = sub_stocks.map_err(|error| Refusal::new(Code::StockUnavailable, error.to_string()))?;
    Ok(Layout { sub_stocks, stripes: topology.stock.stripes })
}
