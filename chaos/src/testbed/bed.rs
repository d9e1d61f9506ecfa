//! The whole of a testbed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use parking_lot::Mutex;

use super::binary::{DatabaseProgram, redis_program};
use super::database::{DATABASE, Database, DatabasePlan, USER};
use super::deployment::{Backends, Deployment};
use super::folder::Folder;
use super::link::Link;
use super::offload::offload;
use super::proxy::{ProxyProcess, ProxySpec, migrate};
use super::redis::{RedisPlan, RedisServer};
use super::template::template;
use super::{Error, Secret, TestbedSpec};

/// Running servers. Dropping it kills them all, waits for them, and removes their files.
#[derive(Debug)]
pub struct Testbed {
    primaries: Vec<Database>,
    /// Of each database server, in their order.
    database_replicas: Vec<Vec<Database>>,
    shards: Vec<RedisServer>,
    replicas: Mutex<Vec<RedisServer>>,
    primary_links: Vec<Link>,
    shard_links: Vec<Link>,
    deployment: OnceLock<Arc<Deployment>>,
    proxies: Mutex<Vec<ProxyProcess>>,
    redis_plan: Option<Arc<RedisPlan>>,
    /// Last, so that it goes when the servers are gone.
    folder: Folder,
}

/// The links of one proxy to each of its backends, in the order of the servers.
#[derive(Debug)]
pub struct ProxyLinks {
    /// To the database servers. The first one also holds meta.
    pub primaries: Vec<Link>,
    /// To the Redis servers.
    pub shards: Vec<Link>,
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
            database_replicas: Vec::new(),
            shards: Vec::new(),
            replicas: Mutex::default(),
            primary_links: Vec::new(),
            shard_links: Vec::new(),
            deployment: OnceLock::new(),
            proxies: Mutex::default(),
            redis_plan: None,
            folder: Folder::create(spec.folder.as_deref())?,
        };
        let folder = testbed.folder.path().to_path_buf();
        if let Some(program) = database_program {
            let template = template(&program)?;
            let mut settings = spec.database.clone();
            settings.binlog |= spec.replicas_per_primary > 0;
            let plan = Arc::new(DatabasePlan::new(program, settings, template, folder.clone())?);
            testbed.primaries = start_all(spec.primaries, |i| {
                Database::start(&plan, &format!("primary-{i:02}"), spec.small_disks.contains(&i))
            })?;
            for primary in &testbed.primaries {
                testbed.database_replicas.push(start_all(spec.replicas_per_primary, |i| {
                    Database::start_replica(&plan, &format!("{}-replica-{i}", primary.name()), primary)
                })?);
            }
        }
        if let Some(program) = redis_program {
            let plan = Arc::new(RedisPlan { program, folder, password: Secret::random() });
            testbed.shards = start_all(spec.shards, |i| RedisServer::start(&plan, &format!("shard-{i:02}")))?;
            testbed.redis_plan = Some(plan);
        }
        if spec.links {
            testbed.primary_links =
                testbed.primaries.iter().map(|p| Link::start(p.address())).collect::<Result<_, _>>()?;
            testbed.shard_links = testbed.shards.iter().map(|s| Link::start(s.address())).collect::<Result<_, _>>()?;
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

    /// A replica of the database server with this index.
    ///
    /// # Panics
    /// If there is none: see [`TestbedSpec::replicas_per_primary`].
    pub fn database_replica(&self, primary: usize, index: usize) -> &Database {
        &self.database_replicas[primary][index]
    }

    /// The Redis server with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn shard(&self, index: usize) -> &RedisServer {
        &self.shards[index]
    }

    /// The link before the database server with this index.
    ///
    /// # Panics
    /// If there is none: see [`TestbedSpec::links`].
    pub fn primary_link(&self, index: usize) -> &Link {
        &self.primary_links[index]
    }

    /// The link before the Redis server with this index. A fail-over is `shard_link(i).retarget(replica.address())`.
    ///
    /// # Panics
    /// If there is none: see [`TestbedSpec::links`].
    pub fn shard_link(&self, index: usize) -> &Link {
        &self.shard_links[index]
    }

    /// Where the servers have their files. It is removed with the testbed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where proxies archive to whose `patrol.archive_directory` is `archive`. Nobody makes it.
    pub fn archive_folder(&self) -> PathBuf {
        self.folder().join("archive")
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

/// Proxies on this testbed.
impl Testbed {
    /// The token of the caller [`CALLER`](super::CALLER), whom every proxy of this testbed knows.
    pub fn caller_token(&self) -> Result<Secret, Error> {
        Ok(self.deployment()?.caller_token().clone())
    }

    /// The topology file that the proxies read.
    pub fn topology_path(&self) -> Result<PathBuf, Error> {
        Ok(self.deployment()?.topology_path())
    }

    /// Runs `scrip-proxy migrate`: needed once before the first proxy, harmless later.
    pub async fn migrate(&self, spec: &ProxySpec) -> Result<(), Error> {
        let (deployment, spec) = (self.deployment()?, spec.clone());
        offload(move || migrate(&deployment, &spec)).await
    }

    /// Starts a proxy and waits until it serves.
    pub async fn start_proxy(&self, spec: &ProxySpec) -> Result<ProxyProcess, Error> {
        let (deployment, spec) = (self.deployment()?, spec.clone());
        let proxy = offload(move || ProxyProcess::start(&deployment, &spec)).await?;
        self.proxies.lock().push(proxy.clone());
        Ok(proxy)
    }

    /// Starts a proxy that reaches each backend over a link of its own, so that it can be cut off from one that others reach.
    pub async fn start_proxy_with_links(&self, spec: &ProxySpec) -> Result<(ProxyProcess, ProxyLinks), Error> {
        let links = ProxyLinks {
            primaries: self.primaries.iter().map(|p| Link::start(p.address())).collect::<Result<_, _>>()?,
            shards: self.shards.iter().map(|s| Link::start(s.address())).collect::<Result<_, _>>()?,
        };
        let addresses = |links: &[Link]| links.iter().map(Link::address).collect::<Vec<_>>();
        let (primaries, shards) = (addresses(&links.primaries), addresses(&links.shards));
        let topology = self.deployment()?.write_topology_of(&spec.name, &primaries, &shards)?;
        let mut spec = spec.clone();
        // Before the tables of the configuration.
        spec.config = format!("topology = {:?}\n{}", topology.display().to_string(), spec.config);
        Ok((self.start_proxy(&spec).await?, links))
    }

    /// The files that proxies need, written when the first asks for them.
    fn deployment(&self) -> Result<Arc<Deployment>, Error> {
        if let Some(deployment) = self.deployment.get() {
            return Ok(Arc::clone(deployment));
        }
        let (primaries, shards) = if self.primary_links.len() + self.shard_links.len() > 0 {
            (
                self.primary_links.iter().map(Link::address).collect(),
                self.shard_links.iter().map(Link::address).collect(),
            )
        } else {
            let primaries = self.primaries.iter().map(Database::address).collect();
            (primaries, self.shards.iter().map(RedisServer::address).collect())
        };
        let addresses = |replicas: &Vec<Database>| replicas.iter().map(Database::address).collect();
        let backends = Backends {
            primaries,
            replicas: self.database_replicas.iter().map(addresses).collect(),
            shards,
            database: DATABASE,
            database_user: USER,
            database_password: self.primaries.first().map(Database::password),
            redis_password: self.shards.first().map(RedisServer::password),
        };
        let deployment = Arc::new(Deployment::write(self.folder.path(), &backends)?);
        Ok(Arc::clone(self.deployment.get_or_init(|| deployment)))
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        // All at once: a dying server gives its memory back, which takes a moment.
        thread::scope(|scope| {
            for proxy in self.proxies.get_mut().iter() {
                scope.spawn(|| proxy.kill());
            }
            for database in self.primaries.iter().chain(self.database_replicas.iter().flatten()) {
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
