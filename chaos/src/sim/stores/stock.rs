//! The shards.

use std::time::Duration;

use scrip_proxy::store::{Deducted, Install, Installed, Release, Run, StockKey, StockStore, StoreError, Want};
use scrip_shard_config::ShardId;
use tokio::time::sleep;

use super::{ModelStores, limits, of_write};
use crate::sim::mutant::Mutant;
use crate::sim::shard::{Redis, name};
use crate::sim::wire::CallKind;
use crate::sim::world::{Backend, World};

/// Keys in one call at most.
const KEY_COUNT_MAX: usize = 1000;

fn too_many(count: usize) -> Result<(), StoreError> {
    if count > KEY_COUNT_MAX {
        return Err(StoreError::Refused(format!("{count} keys in one call; {KEY_COUNT_MAX} at most")));
    }
    Ok(())
}

fn redis(world: &mut World, of: Backend) -> &mut Redis {
    let Backend::Shard(shard, process) = of else { unreachable!("only shards are asked for stock") };
    &mut world.shards[shard].processes[process]
}

impl ModelStores {
    fn shard(&self, shard: ShardId) -> Backend {
        self.sim.world().shard_of(self.process.slot, usize::from(shard.0))
    }

    /// In bad weather a second copy of an install arrives some time later, at whatever is the shard then.
    fn install_again(&self, shard: ShardId, to: Backend, run: &str, installs: &[Install]) {
        let (sim, run, installs) = (self.sim.clone(), run.to_owned(), installs.to_vec());
        let later = {
            let mut world = sim.world();
            let twice = world.weather(self.process.slot, to).twice;
            if !world.dice.chance(twice) {
                return;
            }
            Duration::from_millis(world.dice.within(1..=2_000))
        };
        tokio::spawn(async move {
            sleep(later).await;
            let world = &mut *sim.world();
            let (number, unbound) = (world.number(), world.is(Mutant::InstallUnbound));
            let redis = world.shards[usize::from(shard.0)].redis();
            if redis.host.up && !redis.host.frozen {
                let run = if unbound { name(redis.run(number)) } else { run };
                let answer = redis.install(&run, &installs);
                world.note(format_args!("{to}: a second copy of an install {installs:?}: {answer:?}"));
            }
        });
    }
}

impl StockStore for ModelStores {
    async fn run(&self, shard: ShardId) -> Result<Run, StoreError> {
        let to = self.shard(shard);
        let serve = move |world: &mut World| {
            let number = world.number();
            redis(world, to).run(number)
        };
        let run = self.at_once((to, CallKind::Run), limits::SHARD, None, serve).await.map_err(of_write)?;
        Ok(Run(name(run)))
    }

    async fn deduct(&self, shard: ShardId, wants: &[Want]) -> Result<Vec<Deducted>, StoreError> {
        too_many(wants.len())?;
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        let (to, slot, wants) = (self.shard(shard), self.process.slot, wants.to_vec());
        let serve = move |world: &mut World| {
            let (number, blind) = (world.number(), world.is(Mutant::DeductIgnoresNonce));
            let redis = redis(world, to);
            if !redis.data.library || blind {
                let run = redis.run(number);
                if blind {
                    redis.data.keys.values_mut().for_each(|key| key.run = run);
                }
            }
            let answer = redis.deduct(&wants);
            for (want, answer) in wants.iter().zip(&answer) {
                let (template, sub_stock, count) = (want.key.template, want.key.sub_stock, want.count);
                world.note(format_args!(
                    "{to}: proxy {slot} wants {count} of template {template} sub-stock {sub_stock}: {answer:?}"
                ));
            }
            answer
        };
        self.at_once((to, CallKind::Deduct), limits::DEDUCT, None, serve).await.map_err(of_write)
    }

    async fn release(&self, shard: ShardId, units: &[Release]) -> Result<(), StoreError> {
        too_many(units.len())?;
        if units.is_empty() {
            return Ok(());
        }
        let (to, slot, mut units) = (self.shard(shard), self.process.slot, units.to_vec());
        let serve = move |world: &mut World| {
            for Release { key, epoch, count } in &units {
                let (template, sub_stock) = (key.template, key.sub_stock);
                world.note(format_args!(
                    "{to}: proxy {slot} gives {count} back to template {template} sub-stock {sub_stock}, epoch {epoch}"
                ));
            }
            let (twice, blind) = (world.is(Mutant::ReleaseTwice), world.is(Mutant::ReleaseIgnoresEpoch));
            let redis = redis(world, to);
            if blind {
                for unit in &mut units {
                    unit.epoch = redis.living(unit.key).map_or(unit.epoch, |key| key.epoch);
                }
            }
            if twice {
                drop(redis.release(&units));
            }
            redis.release(&units)
        };
        let released = self.at_once((to, CallKind::Release), limits::SHARD, None, serve).await.map_err(of_write)?;
        released.map_err(|refused| StoreError::Refused(refused.0))
    }

    async fn install(&self, shard: ShardId, run: &Run, installs: &[Install]) -> Result<Vec<Installed>, StoreError> {
        too_many(installs.len())?;
        if installs.is_empty() {
            return Ok(Vec::new());
        }
        let (to, slot, run, installs) = (self.shard(shard), self.process.slot, run.0.clone(), installs.to_vec());
        self.install_again(shard, to, &run, &installs);
        let serve = move |world: &mut World| {
            let (number, unbound) = (world.number(), world.is(Mutant::InstallUnbound));
            let redis = redis(world, to);
            let run = if unbound { name(redis.run(number)) } else { run };
            let answer = redis.install(&run, &installs);
            for Install { key, epoch, count } in &installs {
                let (template, sub_stock) = (key.template, key.sub_stock);
                world.note(format_args!(
                    "{to}: proxy {slot} installs {count} of template {template} sub-stock {sub_stock}, epoch {epoch}: \
                     {answer:?}"
                ));
            }
            answer
        };
        let installed = self.at_once((to, CallKind::Install), limits::SHARD, None, serve).await.map_err(of_write)?;
        installed.map_err(|refused| StoreError::Refused(refused.0))
    }

    async fn remaining(&self, shard: ShardId, keys: &[StockKey]) -> Result<Vec<Option<u64>>, StoreError> {
        too_many(keys.len())?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (to, keys) = (self.shard(shard), keys.to_vec());
        let serve = move |world: &mut World| redis(world, to).remaining(&keys);
        self.at_once((to, CallKind::Remaining), limits::SHARD, None, serve).await.map_err(of_write)
    }
}
