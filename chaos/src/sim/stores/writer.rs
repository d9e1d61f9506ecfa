//! A record lane's own connection: the same steps as the real one takes, on a model of a connection.

use std::sync::Arc;

use scrip_client::{TemplateId, UserId};
use scrip_proxy::store::pack::{NewPack, PackKey, PackRow, PackWriter};
use scrip_proxy::store::steps::{CouponKey, CouponLog, NewStep, Spend};
use scrip_proxy::store::{CouponRow, NewCoupon, RecordError, RecordWriter, Server, StockKey, StoreError};
use scrip_shard_config::PrimaryId;

use super::record::{Shared, index, too_long};
use super::{ModelStores, limits, of_read};
use crate::sim::mutant::Mutant;
use crate::sim::primary::{Lock, transaction};
use crate::sim::wire::{CallKind, Lost, call};
use crate::sim::world::{Backend, Sim};

/// A lane's connection to its primary.
#[derive(Debug)]
pub struct ModelWriter {
    stores: ModelStores,
    primary: PrimaryId,
    /// The life of the server that the connection leads to.
    session: Option<u32>,
    identity: String,
    connections: u64,
    server: Option<Server>,
    doubted: bool,
}

impl ModelWriter {
    pub(super) fn new(stores: ModelStores, primary: PrimaryId, _lane: u16) -> Self {
        let (session, identity, connections, server, doubted) = (None, String::new(), 0, None, false);
        Self { stores, primary, session, identity, connections, server, doubted }
    }

    fn to(&self) -> Backend {
        Backend::Primary(index(self.primary))
    }

    /// A connection, taken out of its place. That its server is gone is noticed or not.
    async fn take(&mut self) -> Result<u32, StoreError> {
        if let Some(life) = self.session.take() {
            let mut world = self.stores.sim.world();
            let to = self.to();
            let host = world.host(to);
            if (host.up && host.life == life) || world.dice.chance(500) {
                return Ok(life);
            }
        }
        self.dial().await
    }

    async fn dial(&mut self) -> Result<u32, StoreError> {
        self.server = None;
        self.connections += 1;
        let (life, identity) = self.stores.dial(self.primary).await?;
        self.identity = identity;
        Ok(life)
    }

    /// The connection, and the server whose fence it records under.
    async fn ready(&mut self) -> Result<(u32, Server), StoreError> {
        let mut life = self.take().await?;
        let server = match self.server.take() {
            Some(server) if self.doubted => match self.confirmed(server).await? {
                Some(server) => server,
                None => {
                    life = self.dial().await?;
                    self.stores.server_of_new(self.primary, &self.identity).await?
                }
            },
            Some(server) => server,
            None => self.stores.server_of_new(self.primary, &self.identity).await?,
        };
        self.doubted = false;
        self.server = Some(server.clone());
        Ok((life, server))
    }

    async fn confirmed(&self, server: Server) -> Result<Option<Server>, StoreError> {
        match self.stores.confirmed(self.primary, &server.identity).await {
            Err(StoreError::Unreachable(_)) => Ok(Some(server)),
            answer => answer,
        }
    }

    fn doubt(&mut self) {
        self.doubted = true;
        if let Some(server) = &self.server {
            self.stores.doubt(self.primary, server);
        }
    }

    async fn send(&mut self, batch: Vec<NewCoupon>, packs: Vec<PackRow>) -> Result<(), RecordError> {
        let (slot, count) = (self.stores.process.slot, batch.len());
        let done = self.send_once(batch, packs).await;
        let primary = self.primary;
        self.stores.sim.world().note(format_args!("proxy {slot}: {count} rows to primary {primary}: {done:?}"));
        if done == Err(RecordError::Fenced) {
            self.doubt();
        }
        done
    }

    async fn send_once(&mut self, batch: Vec<NewCoupon>, packs: Vec<PackRow>) -> Result<(), RecordError> {
        let (life, server) = self.ready().await.map_err(RecordError::from)?;
        let trusting = self.stores.sim.world().is(Mutant::SeenAnywhere);
        if !trusting && batch.iter().any(|row| row.seq > 1 && row.seen_on != self.connections) {
            self.session = Some(life);
            return Err(RecordError::Conflict);
        }
        let primary = index(self.primary);
        let serve = move |sim: Sim, life| transaction::record(sim, primary, life, server, (batch, packs));
        let what = (self.to(), CallKind::Record);
        let answer = call(&self.stores.sim, &self.stores.process, what, limits::RECORD, Some(life), serve).await;
        self.written(life, answer, Mutant::UnknownIsRefused)
    }

    /// What became of a transaction; of the mutant, an unknown outcome is a refusal.
    fn written(
        &mut self,
        life: u32,
        answer: Result<Result<(), RecordError>, Lost>,
        mutant: Mutant,
    ) -> Result<(), RecordError> {
        match answer {
            Ok(answer) => {
                self.session = Some(life);
                answer
            }
            Err(Lost::NotSent) => Err(RecordError::Unreachable("no connection".to_owned())),
            Err(Lost::Never | Lost::Unknown) if self.stores.sim.world().is(mutant) => {
                Err(RecordError::Unreachable("no answer".to_owned()))
            }
            Err(Lost::Never | Lost::Unknown) => Err(RecordError::Unknown("no answer".to_owned())),
        }
    }
}

impl RecordWriter for ModelWriter {
    async fn connect(&mut self) -> Result<(), StoreError> {
        let (life, _) = self.ready().await?;
        self.session = Some(life);
        Ok(())
    }

    fn connection(&self) -> u64 {
        self.connections
    }

    async fn record(&mut self, batch: &[NewCoupon]) -> Result<(), RecordError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.send(batch.to_vec(), Vec::new()).await
    }

    async fn look_up(&mut self, keys: &[(UserId, TemplateId)], lock: bool) -> Result<Vec<CouponRow>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let life = self.take().await?;
        let (primary, keys): (usize, Shared) = (index(self.primary), keys.into());
        let serve = move |sim: Sim, life| look_up(sim, primary, life, keys, lock);
        let what = (self.to(), CallKind::LookUp);
        let found = call(&self.stores.sim, &self.stores.process, what, limits::READ, Some(life), serve).await;
        let found = found.map_err(of_read)?;
        self.session = Some(life);
        found
    }

    async fn logs(&mut self, keys: &[CouponKey], lock: bool) -> Result<Vec<CouponLog>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let life = self.take().await?;
        let (primary, keys): (usize, Arc<[CouponKey]>) = (index(self.primary), keys.into());
        let serve = move |sim: Sim, life| logs(sim, primary, life, keys, lock);
        let what = (self.to(), CallKind::LookUp);
        let found = call(&self.stores.sim, &self.stores.process, what, limits::READ, Some(life), serve).await;
        let found = found.map_err(of_read)?;
        self.session = Some(life);
        found
    }

    async fn append(&mut self, steps: &[NewStep], spends: &[Spend]) -> Result<(), RecordError> {
        if steps.is_empty() {
            return Ok(());
        }
        let life = self.take().await.map_err(RecordError::from)?;
        let trusting = self.stores.sim.world().is(Mutant::StepSeenAnywhere);
        if !trusting && steps.iter().any(|step| step.seen_on != self.connections) {
            self.session = Some(life);
            return Err(RecordError::Conflict);
        }
        let (primary, steps, spends) = (index(self.primary), steps.to_vec(), spends.to_vec());
        let serve = move |sim: Sim, life| transaction::append(sim, primary, life, steps, spends);
        let what = (self.to(), CallKind::Record);
        let answer = call(&self.stores.sim, &self.stores.process, what, limits::RECORD, Some(life), serve).await;
        self.written(life, answer, Mutant::UnknownStepIsRefused)
    }

    async fn epochs(&mut self, keys: &[StockKey]) -> Result<Vec<Option<u64>>, StoreError> {
        let (life, server) = self.ready().await?;
        let (primary, keys): (usize, Arc<[StockKey]>) = (index(self.primary), keys.into());
        let serve = move |sim: Sim, life| epochs(sim, primary, life, keys, server);
        let what = (self.to(), CallKind::Epochs);
        let found = call(&self.stores.sim, &self.stores.process, what, limits::READ, Some(life), serve).await;
        let found = found.map_err(of_read)?;
        self.session = Some(life);
        if found.as_ref().is_ok_and(|epochs| epochs.contains(&None)) {
            self.doubt();
        }
        found
    }
}

impl PackWriter for ModelWriter {
    async fn record_packs(&mut self, packs: &[NewPack]) -> Result<(), RecordError> {
        if packs.is_empty() {
            return Ok(());
        }
        let mut coupons: Vec<NewCoupon> = packs.iter().flat_map(|pack| pack.coupons.iter().copied()).collect();
        if coupons.len() > 1 && self.stores.sim.world().is(Mutant::PackInParts) {
            let rest = coupons.split_off(1);
            self.send(coupons, Vec::new()).await?;
            coupons = rest;
        }
        self.send(coupons, packs.iter().map(|pack| pack.row.clone()).collect()).await
    }

    async fn packs(&mut self, keys: &[PackKey], lock: bool) -> Result<Vec<PackRow>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let life = self.take().await?;
        let (primary, keys): (usize, Arc<[PackKey]>) = (index(self.primary), keys.into());
        let serve = move |sim: Sim, life| packs(sim, primary, life, keys, lock);
        let what = (self.to(), CallKind::LookUp);
        let found = call(&self.stores.sim, &self.stores.process, what, limits::READ, Some(life), serve).await;
        let found = found.map_err(of_read)?;
        self.session = Some(life);
        found
    }
}

async fn packs(
    sim: Sim,
    primary: usize,
    life: u32,
    keys: Arc<[PackKey]>,
    lock: bool,
) -> Option<Result<Vec<PackRow>, StoreError>> {
    let blocked = |primary: &crate::sim::primary::Primary| {
        lock && keys.iter().any(|key| primary.locks.contains_key(&Lock::Pack(*key)))
    };
    if !transaction::unlocked(&sim, primary, life, blocked).await? {
        return Some(Err(too_long(primary)));
    }
    let world = sim.world();
    let packs = &world.primaries[primary].data.packs;
    let found = keys.iter().filter_map(|key| Some(PackRow { key: *key, items: packs.get(key)?.clone() }));
    Some(Ok(found.collect()))
}

async fn look_up(
    sim: Sim,
    primary: usize,
    life: u32,
    keys: Shared,
    lock: bool,
) -> Option<Result<Vec<CouponRow>, StoreError>> {
    let blocked = |primary: &crate::sim::primary::Primary| {
        lock && keys.iter().any(|(user, template)| primary.is_locked(*user, *template))
    };
    if !transaction::unlocked(&sim, primary, life, blocked).await? {
        return Some(Err(too_long(primary)));
    }
    let world = sim.world();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable_by_key(|(user, template)| (user.get() % 10_000, *user, *template));
    sorted.dedup();
    let rows = sorted.iter().flat_map(|(user, template)| world.primaries[primary].coupons(*user, *template));
    Some(Ok(rows.collect()))
}

async fn logs(
    sim: Sim,
    primary: usize,
    life: u32,
    keys: Arc<[CouponKey]>,
    lock: bool,
) -> Option<Result<Vec<CouponLog>, StoreError>> {
    let blocked = |primary: &crate::sim::primary::Primary| lock && keys.iter().any(|key| primary.is_step_locked(*key));
    if !transaction::unlocked(&sim, primary, life, blocked).await? {
        return Some(Err(too_long(primary)));
    }
    let world = sim.world();
    Some(Ok(keys.iter().filter_map(|key| world.primaries[primary].log(*key)).collect()))
}

async fn epochs(
    sim: Sim,
    primary: usize,
    life: u32,
    keys: Arc<[StockKey]>,
    server: Server,
) -> Option<Result<Vec<Option<u64>>, StoreError>> {
    let blocked = |primary: &crate::sim::primary::Primary| {
        let mut held = primary.locks.keys();
        held.any(|lock| matches!(lock, Lock::Ledger(key, _) if keys.contains(key)))
    };
    if !transaction::unlocked(&sim, primary, life, blocked).await? {
        return Some(Err(too_long(primary)));
    }
    let world = sim.world();
    let open = |key: &StockKey| {
        let mut stripes = world.primaries[primary].stripes(*key).map(|(_, ledger)| ledger).peekable();
        let epoch = stripes.peek()?.epoch;
        stripes.all(|ledger| ledger.epoch == epoch && ledger.server.as_ref() == Some(&server)).then_some(epoch)
    };
    Some(Ok(keys.iter().map(open).collect()))
}
