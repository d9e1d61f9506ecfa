//! Meta.

use std::time::Duration;

use scrip_client::{RequestId, TemplateId};
use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_proxy::store::{
    Advanced, Ended, Layout, MetaError, MetaStore, Source, StockChangeRecord, StockKey, StoreError, SubStockRecord,
    TemplateRecord,
};
use scrip_shard_config::{PrimaryId, SubStock};

use super::{ModelStores, limits, of_read, unreachable};
use crate::sim::mutant::Mutant;
use crate::sim::wire::{CallKind, Lost};
use crate::sim::world::{Backend, EPOCH_MS, World};

impl ModelStores {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut World) -> Result<T, MetaError> + Send + 'static,
    ) -> Result<T, MetaError> {
        let answer = self.at_once((Backend::Meta, CallKind::MetaRead), limits::READ, None, read).await;
        answer.map_err(of_read)?
    }

    /// One transaction. What is lost before its COMMIT is known not to be applied.
    async fn write<T: Send + 'static>(
        &self,
        kind: CallKind,
        write: impl FnOnce(&mut World) -> Result<T, MetaError> + Send + 'static,
    ) -> Result<T, MetaError> {
        let answer = self.at_once((Backend::Meta, kind), limits::CONTROL, None, write).await;
        answer.map_err(|lost| match lost {
            Lost::NotSent => unreachable("no connection to meta"),
            Lost::Never if self.sim.world().dice.chance(500) => unreachable("meta was lost before the commit"),
            Lost::Never | Lost::Unknown => StoreError::Unknown("meta was lost during the commit".to_owned()),
        })?
    }
}

pub(super) fn wall_ms(world: &World) -> u64 {
    EPOCH_MS + world.at_ms()
}

impl MetaStore for ModelStores {
    async fn create_template(
        &self,
        request: RequestId,
        definition: &TemplateDefinition,
        layout: &(dyn Fn(TemplateId) -> Layout + Send + Sync),
        now_ms: u64,
    ) -> Result<TemplateRecord, MetaError> {
        let definition = definition.clone();
        // What the layout of the next template would be: nobody else creates one in between and keeps this one's id.
        let next = self.sim.world().meta.templates.len() as u32;
        let layouts: Vec<Layout> =
            (next..next + 8).filter_map(|id| TemplateId::try_new(id + 1).ok()).map(layout).collect();
        let create = move |world: &mut World| {
            let layout = |id: TemplateId| layouts[(id.get() - next - 1) as usize % layouts.len()].clone();
            let made = world.meta.create(request, &definition, &layout, now_ms);
            world.note(format_args!("meta creates a template: {:?}", made.as_ref().map(|made| made.template)));
            made
        };
        self.write(CallKind::Template, create).await
    }

    async fn grant_budget(
        &self,
        template: TemplateId,
        primary: PrimaryId,
        need_minor: u64,
        shares: u64,
    ) -> Result<u64, MetaError> {
        let grant = move |world: &mut World| world.meta.grant(template, primary, need_minor, shares);
        self.write(CallKind::Template, grant).await
    }

    async fn template(&self, template: TemplateId) -> Result<TemplateRecord, MetaError> {
        let read = move |world: &mut World| world.meta.templates.get(&template).map(|found| found.record.clone());
        self.read(move |world| read(world).ok_or(MetaError::TemplateNotFound)).await
    }

    async fn templates(
        &self,
        _: Source,
        after: Option<TemplateId>,
        status: Option<TemplateStatus>,
        count_max: u32,
    ) -> Result<Vec<TemplateRecord>, MetaError> {
        let read = move |world: &mut World| {
            let all = world.meta.templates.values().map(|template| &template.record);
            let later = all.filter(|record| after.is_none_or(|after| record.template > after));
            let wanted = later.filter(|record| status.is_none_or(|status| record.status == status));
            Ok(wanted.take(count_max as usize).cloned().collect())
        };
        self.read(read).await
    }

    async fn templates_changed(&self, revision: u64, count_max: u32) -> Result<Vec<TemplateRecord>, MetaError> {
        self.read(move |world| Ok(world.meta.changed(revision, count_max))).await
    }

    async fn set_status(
        &self,
        template: TemplateId,
        from: &[TemplateStatus],
        to: TemplateStatus,
    ) -> Result<TemplateRecord, MetaError> {
        let from = from.to_vec();
        let set = move |world: &mut World| {
            let set = world.meta.set_status(template, &from, to);
            world.note(format_args!("meta: template {template} to {to:?}: {:?}", set.as_ref().map(|set| set.revision)));
            set
        };
        self.write(CallKind::Template, set).await
    }

    async fn sub_stocks(&self, template: TemplateId) -> Result<Vec<SubStockRecord>, MetaError> {
        self.read(move |world| world.meta.sub_stocks(template)).await
    }

    async fn unsettled(
        &self,
        quiet: Duration,
        after: Option<StockKey>,
        count_max: u32,
    ) -> Result<Vec<StockKey>, MetaError> {
        self.read(move |world| Ok(world.meta.unsettled(quiet, after, count_max, wall_ms(world)))).await
    }

    async fn advance(
        &self,
        template: TemplateId,
        expected: &[(SubStock, u64)],
        quiet: Duration,
    ) -> Result<Advanced, MetaError> {
        let (expected, slot) = (expected.to_vec(), self.process.slot);
        let advance = move |world: &mut World| {
            let now_ms = wall_ms(world);
            let advanced = world.meta.advance(template, &expected, quiet, now_ms);
            let won = advanced.iter().flat_map(|advanced| &advanced.won);
            let won: Vec<_> = won.map(|own| (own.key.sub_stock.0, own.epoch)).collect();
            world.note(format_args!("meta: proxy {slot} settles template {template}, wins (sub-stock, epoch) {won:?}"));
            advanced
        };
        self.write(CallKind::Advance, advance).await
    }

    async fn finish_withdrawal(
        &self,
        template: TemplateId,
        issued: &[(SubStockRecord, u64)],
    ) -> Result<Vec<SubStockRecord>, MetaError> {
        let issued = issued.to_vec();
        let finish = move |world: &mut World| {
            let finished = world.meta.finish_withdrawal(template, &issued);
            let total = world.meta.total(template);
            world.note(format_args!("meta: a withdrawal of template {template} may end; its total is {total}"));
            finished
        };
        self.write(CallKind::FinishWithdrawal, finish).await
    }

    async fn move_rest(
        &self,
        template: TemplateId,
        from: &[(SubStockRecord, u64)],
        to: &[SubStock],
    ) -> Result<Vec<SubStockRecord>, MetaError> {
        let (from, to) = (from.to_vec(), to.to_vec());
        let move_rest = move |world: &mut World| {
            let now_ms = wall_ms(world);
            let moved = world.meta.move_rest(template, &from, &to, now_ms);
            let own = moved.iter().flatten().map(|own| (own.key.sub_stock.0, own.epoch, own.allotment));
            let own: Vec<_> = own.collect();
            world.note(format_args!("meta: template {template} moved, (sub-stock, epoch, allotment) {own:?}"));
            moved
        };
        self.write(CallKind::MoveRest, move_rest).await
    }

    async fn mark_settled(&self, template: TemplateId, ended: &[Ended]) -> Result<bool, MetaError> {
        let settled = ended.to_vec();
        let mark = move |world: &mut World| {
            let early = world.is(Mutant::SoldOutEarly);
            let marked = world.meta.mark_settled(template, &settled, early);
            world.note(format_args!("meta: template {template} settled {settled:?}; sold out: {marked:?}"));
            marked
        };
        self.write(CallKind::MarkSettled, mark).await
    }

    async fn change_stock(
        &self,
        template: TemplateId,
        request: RequestId,
        units: i64,
        shares: &[(SubStock, u64)],
    ) -> Result<StockChangeRecord, MetaError> {
        let shares = shares.to_vec();
        let change = move |world: &mut World| {
            let now_ms = wall_ms(world);
            let changed = world.meta.change_stock(template, request, units, &shares, now_ms);
            world.note(format_args!("meta: template {template} changed by {units}: {changed:?}"));
            changed
        };
        self.write(CallKind::ChangeStock, change).await
    }
}
