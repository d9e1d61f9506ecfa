//! What the patrol reads and notes.

use std::time::Duration;

use scrip_proxy::store::events::Holder;
use scrip_proxy::store::patrol::{PatrolStore, Position, Reminder, ReminderKey, Walked};
use scrip_proxy::store::{RecordError, StoreError};
use scrip_shard_config::PrimaryId;

use super::meta::wall_ms;
use super::record::index;
use super::{ModelStores, limits, of_read, of_write};
use crate::sim::mutant::Mutant;
use crate::sim::primary::patrol::{self, Patrolled};
use crate::sim::wire::{CallKind, Lost, call};
use crate::sim::world::{Backend, World};

impl ModelStores {
    async fn read_patrolled<T: Send + 'static>(
        &self,
        primary: PrimaryId,
        kind: CallKind,
        read: impl FnOnce(&Patrolled) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let primary = index(primary);
        let read = move |world: &mut World| read(&world.primaries[primary].data.patrolled);
        self.at_once((Backend::Primary(primary), kind), limits::READ, None, read).await.map_err(of_read)
    }

    /// One statement that commits by itself.
    async fn change_patrolled<T: Send + 'static>(
        &self,
        primary: PrimaryId,
        kind: CallKind,
        change: impl FnOnce(&mut World, usize) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let primary = index(primary);
        let change = move |world: &mut World| {
            if world.primaries[primary].full {
                return Err(StoreError::Refused(format!("primary {primary}: disk full")));
            }
            Ok(change(world, primary))
        };
        self.at_once((Backend::Primary(primary), kind), limits::CONTROL, None, change).await.map_err(of_write)?
    }
}

impl PatrolStore for ModelStores {
    async fn hold(
        &self,
        primary: PrimaryId,
        name: &'static str,
        owner: &str,
        lasts: Duration,
    ) -> Result<Option<Holder>, StoreError> {
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        let of_all = self.sim.world().is(Mutant::LeaseOfAll);
        let taker = owner.to_owned();
        let take = move |world: &mut World, primary: usize| {
            let now_ms = wall_ms(world);
            if world.primaries[primary].data.patrolled.take(&taker, now_ms, lasts_ms) {
                world.note(format_args!("primary {primary}: {taker} patrols"));
            }
        };
        self.change_patrolled(primary, CallKind::Lease, take).await?;
        let held = self.read_patrolled(primary, CallKind::Lease, |patrolled| patrolled.lease.clone()).await?;
        let own = held.filter(|lease| lease.owner == owner).map(|lease| lease.term);
        let term = if of_all { Some(0) } else { own };
        Ok(term.map(|term| Holder { name, owner: owner.to_owned(), term }))
    }

    async fn position(&self, primary: PrimaryId) -> Result<Position, StoreError> {
        self.read_patrolled(primary, CallKind::Walk, |patrolled| patrolled.position).await
    }

    async fn note(&self, primary: PrimaryId, position: Position, holder: &Holder) -> Result<(), StoreError> {
        let of_all = self.sim.world().is(Mutant::LeaseOfAll);
        let holder = holder.clone();
        let note = move |world: &mut World, primary: usize| {
            let patrolled = &mut world.primaries[primary].data.patrolled;
            if of_all || patrolled.is_held_by(&holder) {
                patrolled.position = position;
            }
        };
        self.change_patrolled(primary, CallKind::Note, note).await
    }

    /// The real one reads three ranges one after the other, each as it stands then; what comes in between is met in the next round.
    async fn walk(&self, primary: PrimaryId, after: Position, count_max: u32) -> Result<Vec<Walked>, StoreError> {
        let primary = index(primary);
        let walk = move |world: &mut World| {
            let skips = world.is(Mutant::WalkSkips);
            world.primaries[primary].data.walk(after, count_max as usize, skips)
        };
        self.at_once((Backend::Primary(primary), CallKind::Walk), limits::READ, None, walk).await.map_err(of_read)
    }

    async fn reminded(&self, primary: PrimaryId, keys: &[ReminderKey]) -> Result<Vec<ReminderKey>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (keys, all) = (keys.to_vec(), self.sim.world().is(Mutant::SaysReminded));
        let made = move |patrolled: &Patrolled| {
            keys.into_iter().filter(|key| all || patrolled.reminders.contains_key(key)).collect()
        };
        self.read_patrolled(primary, CallKind::Reminded, made).await
    }

    async fn remind(&self, primary: PrimaryId, reminders: &[Reminder]) -> Result<(), RecordError> {
        if reminders.is_empty() {
            return Ok(());
        }
        let (primary, reminders) = (index(primary), reminders.to_vec());
        let serve = move |sim, life| patrol::remind(sim, primary, life, reminders);
        let what = (Backend::Primary(primary), CallKind::Remind);
        match call(&self.sim, &self.process, what, limits::RECORD, None, serve).await {
            Ok(answer) => answer,
            Err(Lost::NotSent) => Err(RecordError::Unreachable("no connection".to_owned())),
            Err(Lost::Never | Lost::Unknown) => Err(RecordError::Unknown("no answer".to_owned())),
        }
    }

    async fn forget(&self, primary: PrimaryId, before_day: u32, count_max: u32) -> Result<u64, StoreError> {
        let forget = move |world: &mut World, primary: usize| {
            let reminders = &mut world.primaries[primary].data.patrolled.reminders;
            let over = reminders.keys().filter(|key| key.end_day < before_day).take(count_max as usize);
            let over: Vec<ReminderKey> = over.copied().collect();
            over.iter().for_each(|key| {
                reminders.remove(key);
            });
            over.len() as u64
        };
        self.change_patrolled(primary, CallKind::Note, forget).await
    }
}
