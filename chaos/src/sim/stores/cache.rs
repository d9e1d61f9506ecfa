//! The second level of the template cache, on the shard that the ring gives it.

use std::time::Duration;

use scrip_proxy::store::StoreError;
use scrip_proxy::store::cache::{CacheStore, CachedTemplate, Changes};

use super::{ModelStores, limits, of_read, of_write};
use crate::sim::wire::CallKind;
use crate::sim::world::{Backend, World};

impl ModelStores {
    fn cache(&self) -> Backend {
        let world = self.sim.world();
        let shard = world.topology.shard_of_key("templates");
        world.shard_of(self.process.slot, usize::from(shard.0))
    }
}

impl CacheStore for ModelStores {
    /// The lock only saves work, so here everybody gets it.
    async fn lock(&self, _owner: &str, _ttl: Duration) -> Result<bool, StoreError> {
        self.at_once((self.cache(), CallKind::Cache), limits::CACHE, None, |_| true).await.map_err(of_write)
    }

    async fn put(&self, since: u64, templates: &[CachedTemplate]) -> Result<u64, StoreError> {
        let (to, templates) = (self.cache(), templates.to_vec());
        let serve = move |world: &mut World| {
            let number = world.number();
            let Backend::Shard(shard, process) = to else { unreachable!("the cache is on a shard") };
            let redis = &mut world.shards[shard].processes[process];
            let run = redis.run(number);
            redis.put(run, since, &templates)
        };
        let put = self.at_once((to, CallKind::Cache), limits::CACHE, None, serve).await.map_err(of_write)?;
        put.map_err(|refused| StoreError::Refused(refused.0))
    }

    async fn changed_since(&self, revision: u64, count_max: u32) -> Result<Changes, StoreError> {
        let to = self.cache();
        let serve = move |world: &mut World| {
            let Backend::Shard(shard, process) = to else { unreachable!("the cache is on a shard") };
            world.shards[shard].processes[process].changed_since(revision, count_max)
        };
        self.at_once((to, CallKind::Cache), limits::CACHE, None, serve).await.map_err(of_read)
    }
}
