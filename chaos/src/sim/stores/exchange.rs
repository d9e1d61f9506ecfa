//! Exchange codes.

use std::time::Duration;

use scrip_client::{CodeBatchId, UserId};
use scrip_proxy::exchange::code::CodeKey;
use scrip_proxy::store::StoreError;
use scrip_proxy::store::exchange::{BatchRecord, ExchangeError, ExchangeStore, NewBatch, NewUse};
use scrip_shard_config::PrimaryId;
use tokio::time::sleep;

use super::record::index;
use super::{ModelStores, limits, of_read, of_write};
use crate::sim::mutant::Mutant;
use crate::sim::primary::beside::code;
use crate::sim::wire::{CallKind, call};
use crate::sim::world::{Backend, Sim, World};

impl ModelStores {
    async fn on_batches(
        &self,
        change: impl FnOnce(&mut World) -> Result<BatchRecord, ExchangeError> + Send + 'static,
    ) -> Result<BatchRecord, ExchangeError> {
        let answer = self.at_once((Backend::Meta, CallKind::CodeMeta), limits::CONTROL, None, change).await;
        answer.map_err(of_write)?
    }

    async fn read_uses<T: Send + 'static>(
        &self,
        primary: PrimaryId,
        key: CodeKey,
        read: impl FnOnce(&[UserId]) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let primary = index(primary);
        let serve = move |world: &mut World| {
            read(world.primaries[primary].data.uses.get(&code(key)).map_or(&[][..], Vec::as_slice))
        };
        self.at_once((Backend::Primary(primary), CallKind::List), limits::READ, None, serve).await.map_err(of_read)
    }
}

impl ExchangeStore for ModelStores {
    async fn create_batch(&self, new: &NewBatch, now_ms: u64) -> Result<BatchRecord, ExchangeError> {
        let new = *new;
        self.on_batches(move |world| world.meta.create_batch(&new, now_ms)).await
    }

    async fn batch(&self, batch: CodeBatchId) -> Result<BatchRecord, ExchangeError> {
        let read = move |world: &mut World| world.meta.beside.batches.get(&batch.get()).copied();
        let read = self.at_once((Backend::Meta, CallKind::MetaRead), limits::READ, None, read).await;
        read.map_err(of_read)?.ok_or(ExchangeError::NotFound)
    }

    async fn batches(&self, after: u32, count_max: u32) -> Result<Vec<BatchRecord>, ExchangeError> {
        let read = move |world: &mut World| {
            let later = world.meta.beside.batches.range(after.saturating_add(1)..).map(|(_, batch)| *batch);
            later.take(count_max as usize).collect()
        };
        let read = self.at_once((Backend::Meta, CallKind::MetaRead), limits::READ, None, read).await;
        Ok(read.map_err(of_read)?)
    }

    async fn revoke_batch(&self, batch: CodeBatchId) -> Result<BatchRecord, ExchangeError> {
        self.on_batches(move |world| world.meta.revoke_batch(batch)).await
    }

    async fn use_of(&self, primary: PrimaryId, key: CodeKey, user: UserId) -> Result<Option<u32>, StoreError> {
        let number = move |uses: &[UserId]| uses.iter().position(|own| *own == user).map(|at| at as u32 + 1);
        self.read_uses(primary, key, number).await
    }

    async fn take_use(&self, primary: PrimaryId, new: &NewUse) -> Result<bool, StoreError> {
        let (primary, new) = (index(primary), *new);
        let serve = move |sim, life| take_use(sim, primary, life, new);
        let what = (Backend::Primary(primary), CallKind::Use);
        match call(&self.sim, &self.process, what, limits::CONTROL, None, serve).await {
            Ok(answer) => answer,
            Err(lost) => Err(of_write(lost)),
        }
    }

    async fn used(&self, primary: PrimaryId, key: CodeKey) -> Result<u32, StoreError> {
        self.read_uses(primary, key, |uses| uses.len() as u32).await
    }
}

/// One statement: reads the number of the last use, and writes the next one, unless somebody else has it by then.
async fn take_use(sim: Sim, primary: usize, life: u32, new: NewUse) -> Option<Result<bool, StoreError>> {
    let key = code(new.code);
    let uses = move |world: &World| world.primaries[primary].data.uses.get(&key).map_or(0, Vec::len);
    let (before, pause) = {
        let mut world = sim.world();
        if world.primaries[primary].full {
            return Some(Err(StoreError::Refused(format!("primary {primary}: disk full"))));
        }
        let commit_ms = world.primaries[primary].commit_ms;
        (uses(&world), Duration::from_millis(world.dice.within(0..=commit_ms)))
    };
    let unbounded = sim.world().is(Mutant::UsesUnbounded);
    if !unbounded && before >= new.uses as usize {
        return Some(Ok(false));
    }
    sleep(pause).await;
    if !sim.thawed(Backend::Primary(primary), life).await {
        return None;
    }
    let mut world = sim.world();
    let unchecked = world.is(Mutant::UseUnchecked);
    let own = world.primaries[primary].data.uses.entry(key).or_default();
    if !unchecked && (own.len() != before || own.contains(&new.user)) {
        return Some(Ok(false));
    }
    // Of the mutant, whoever has it loses it.
    own.truncate(before);
    own.push(new.user);
    let (user, number, (batch, index)) = (new.user, before + 1, key);
    world.note(format_args!("primary {primary}: user {user} has use {number} of code {index} of batch {batch}"));
    Some(Ok(true))
}
