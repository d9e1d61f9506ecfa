//! The primaries, but for the record lanes.

use std::sync::Arc;

use scrip_client::{TemplateId, UserId};
use scrip_proxy::store::steps::{Budget, CouponKey, CouponLog};
use scrip_proxy::store::{CouponRow, Fence, FenceError, ListQuery, RecordStore, Server, Source, StockKey, StoreError};
use scrip_shard_config::PrimaryId;

use super::{ModelStores, ModelWriter, limits, of_read, of_write};
use crate::sim::mutant::Mutant;
use crate::sim::primary::transaction;
use crate::sim::wire::{CallKind, call};
use crate::sim::world::{Backend, World};

pub(super) fn index(primary: PrimaryId) -> usize {
    usize::from(primary.0)
}

/// There are no replicas in the model: the topologies of simulations name none.
fn primary_of(from: Source) -> Result<usize, StoreError> {
    match from {
        Source::Primary(primary) => Ok(index(primary)),
        Source::Replica(replica) => {
            Err(StoreError::Refused(format!("the model has no replica of {}", replica.primary)))
        }
    }
}

impl ModelStores {
    /// Connects: who is there, and in which life.
    pub(super) async fn dial(&self, primary: PrimaryId) -> Result<(u32, String), StoreError> {
        let primary = index(primary);
        let who = move |world: &mut World| (world.primaries[primary].host.life, world.primaries[primary].identity());
        let who = self.at_once((Backend::Primary(primary), CallKind::Dial), limits::CONNECT, None, who).await;
        who.map_err(of_read)
    }
}

impl RecordStore for ModelStores {
    type Writer = ModelWriter;

    fn writer(&self, primary: PrimaryId, lane: u16) -> ModelWriter {
        ModelWriter::new(self.clone(), primary, lane)
    }

    async fn list(&self, from: Source, query: ListQuery) -> Result<Vec<CouponRow>, StoreError> {
        let primary = primary_of(from)?;
        let read = move |world: &mut World| {
            let data = &world.primaries[primary].data;
            let ListQuery { user, template, after, count_max } = query;
            let own = data.coupons.iter().filter(|((owner, of, seq), _)| {
                let wanted = *owner == user && template.is_none_or(|template| *of == template);
                wanted && after.is_none_or(|after| (*of, *seq) > after)
            });
            own.take(count_max as usize).map(|(key, row)| data.row(*key, row)).collect()
        };
        self.at_once((Backend::Primary(primary), CallKind::List), limits::READ, None, read).await.map_err(of_read)
    }

    async fn log(&self, from: Source, key: CouponKey) -> Result<Option<CouponLog>, StoreError> {
        let primary = primary_of(from)?;
        let read = move |world: &mut World| world.primaries[primary].log(key);
        self.at_once((Backend::Primary(primary), CallKind::List), limits::READ, None, read).await.map_err(of_read)
    }

    /// No patrol archives here.
    async fn archived(&self, _: PrimaryId, _: UserId, _: TemplateId) -> Result<Vec<CouponRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn sealed(&self, _: PrimaryId, _: &[TemplateId]) -> Result<Vec<TemplateId>, StoreError> {
        Ok(Vec::new())
    }

    async fn budget(&self, primary: PrimaryId, template: TemplateId) -> Result<Budget, StoreError> {
        let primary = index(primary);
        let read = move |world: &mut World| world.primaries[primary].data.budgets.get(&template).copied();
        let read = self.at_once((Backend::Primary(primary), CallKind::List), limits::READ, None, read).await;
        read.map(Option::unwrap_or_default).map_err(of_read)
    }

    async fn raise_budget(&self, primary: PrimaryId, template: TemplateId, granted: u64) -> Result<(), StoreError> {
        let primary = index(primary);
        let raise = move |world: &mut World| {
            let budget = world.primaries[primary].data.budgets.entry(template).or_default();
            budget.granted_minor = budget.granted_minor.max(granted);
        };
        let what = (Backend::Primary(primary), CallKind::CreateLedger);
        self.at_once(what, limits::CONTROL, None, raise).await.map_err(of_write)
    }

    async fn create_ledger(&self, primary: PrimaryId, keys: &[StockKey], stripes: u16) -> Result<(), StoreError> {
        if stripes == 0 {
            return Err(StoreError::Refused("a ledger has at least one stripe".to_owned()));
        }
        let (primary, keys) = (index(primary), keys.to_vec());
        let create = move |world: &mut World| {
            let ledgers = &mut world.primaries[primary].data.ledgers;
            for key in keys {
                for stripe in 0..stripes {
                    ledgers.entry((key, stripe)).or_default();
                }
            }
        };
        let what = (Backend::Primary(primary), CallKind::CreateLedger);
        self.at_once(what, limits::CONTROL, None, create).await.map_err(of_write)
    }

    async fn server(&self, primary: PrimaryId) -> Result<Server, StoreError> {
        let (_, identity) = self.dial(primary).await?;
        if let Some(server) = self.confirmed(primary, &identity).await? {
            return Ok(server);
        }
        let (_, identity) = self.dial(primary).await?;
        self.asked(primary, &identity).await
    }

    async fn raise_fences(
        &self,
        primary: PrimaryId,
        server: &Server,
        fences: &[(StockKey, u64)],
        stripes: u16,
    ) -> Result<Vec<Fence>, FenceError> {
        let primary = index(primary);
        let mut server = server.clone();
        if self.sim.world().is(Mutant::AnyServer) {
            server.identity = self.sim.world().primaries[primary].identity();
        }
        let fences = fences.to_vec();
        let serve = move |sim, life| transaction::raise_fences(sim, primary, life, server, fences, stripes);
        let what = (Backend::Primary(primary), CallKind::Fences);
        match call(&self.sim, &self.process, what, limits::CONTROL, None, serve).await {
            Ok(answer) => answer,
            Err(lost) => Err(of_write(lost).into()),
        }
    }
}

/// Shared by what reads under locks.
pub(super) fn too_long(primary: usize) -> StoreError {
    StoreError::Refused(format!("primary {primary}: a lock was waited for too long"))
}

/// The handle of the world that a server-side future works with.
pub(super) type Shared = Arc<[(scrip_client::UserId, scrip_client::TemplateId)]>;
