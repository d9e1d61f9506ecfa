//! The whole of a testbed.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::binary::{DatabaseProgram, redis_program};
use super::database::{Database, DatabasePlan};
use super::folder::Folder;
use super::offload::offload;
use super::redis::{RedisPlan, RedisServer};
use super::template::template;
use super::{Error, Secret, TestbedSpec};

/// Running servers. Dropping it kills them all, waits for them, and removes their files.
#[derive(Debug)]
pub struct Testbed {
    primaries: Vec<Database>,
    shards: Vec<RedisServer>,
    replicas: Mutex<Vec<RedisServer>>,
    redis_plan: Option<Arc<RedisPlan>>,
    /// Last, so that it goes when the servers are gone.
    folder: Folder,
}

impl Testbed {
    /// Starts everything and returns when every server has answered. If one does not, all are gone again.
    pub async fn start(spec: TestbedSpec) -> Result<Self, Error> {
        offload(move || Self::start_blocking(&spec)).await
    }

    /// [`start`](Self::start) for callers outside of any async runtime.
    pub fn start_blocking(spec: &TestbedSpec) -> Result<Self, Error> {
        let database_program = (spec.primaries > 0).then(|| DatabaseProgram::find(spec.database_server.as_deref()));
        let redis_program = (spec.shards > 0).then(|| redis_program(spec.redis_server.as_deref()));
        let (database_program, redis_program) = (database_program.transpose()?, redis_program.transpose()?);
        let mut testbed = Self {
            primaries: Vec::new(),
            shards: Vec::new(),
            replicas: Mutex::default(),
            redis_plan: None,
            folder: Folder::create(spec.folder.as_deref())?,
        };
        let folder = testbed.folder.path().to_path_buf();
        if let Some(program) = database_program {
            let template = template(&program)?;
            let plan = Arc::new(DatabasePlan::new(program, spec.database.clone(), template, folder.clone())?);
            testbed.primaries = start_all(spec.primaries, |i| Database::start(&plan, &format!("primary-{i:02}")))?;
        }
        if let Some(program) = redis_program {
            let plan = Arc::new(RedisPlan { program, folder, password: Secret::random() });
            testbed.shards = start_all(spec.shards, |i| RedisServer::start(&plan, &format!("shard-{i:02}")))?;
            testbed.redis_plan = Some(plan);
        }
        Ok(testbed)
    }

    /// The database servers, in the order of their names.
    pub fn primaries(&self) -> &[Database] {
        &self.primaries
    }

    /// The Redis servers, in the order of their names. Replicas are not among them.
    pub fn shards(&self) -> &[RedisServer] {
        &self.shards
    }

    /// The database server with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn primary(&self, index: usize) -> &Database {
        &self.primaries[index]
    }

    /// The Redis server with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn shard(&self, index: usize) -> &RedisServer {
        &self.shards[index]
    }

    /// Where the servers have their files. It is removed with the testbed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a further Redis server that replicates the given shard, and waits until it has a full copy.
    ///
    /// # Panics
    /// If there is no such shard.
    pub async fn start_replica_of(&self, shard: usize) -> Result<RedisServer, Error> {
        let primary = self.shard(shard);
        let Some(plan) = self.redis_plan.clone() else {
            return Err(Error::WrongState { name: primary.name().to_owned(), problem: "is not of this testbed" });
        };
        let name = format!("{}-replica-{}", primary.name(), self.replicas.lock().len());
        let replica = offload(move || RedisServer::start(&plan, &name)).await?;
        self.replicas.lock().push(replica.clone());
        replica.replicate(primary).await?;
        Ok(replica)
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        // All at once: a dying server gives its memory back, which takes a moment.
        thread::scope(|scope| {
            for database in &self.primaries {
                scope.spawn(|| database.kill());
            }
            for redis in self.shards.iter().chain(self.replicas.get_mut().iter()) {
                scope.spawn(|| redis.kill());
            }
        });
    }
}

/// Runs `start` for each index on a thread of its own. The first error wins; what had started is dropped.
fn start_all<T: Send>(count: u16, start: impl Fn(u16) -> Result<T, Error> + Sync) -> Result<Vec<T>, Error> {
    thread::scope(|scope| {
        let start = &start;
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || start(index))).collect();
        let results: Vec<_> = threads.into_iter().map(|t| t.join().unwrap_or(Err(Error::WorkerPanicked))).collect();
        results.into_iter().collect()
    })
}
