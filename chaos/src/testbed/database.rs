//! One database server of the testbed, and what can be done to it.

mod access;
mod arguments;
mod plan;
mod replication;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use mysql_async::OptsBuilder;

pub(crate) use self::access::{DATABASE, USER};
pub(crate) use self::plan::DatabasePlan;
use self::replication::Upstream;
use self::server::{Role, Server};
use super::handle::handle;
use super::snapshot::Snapshot;
use super::{Error, Flavour, Secret};

/// A database server. Clones are handles to the same server.
#[derive(Debug, Clone)]
pub struct Database {
    server: Arc<Server>,
}

handle!(Database, Server);

impl Database {
    /// Starts a new server and waits until it answers. A port that somebody else took meanwhile is replaced by another.
    pub(crate) fn start(plan: &Arc<DatabasePlan>, name: &str, small_disk: bool) -> Result<Self, Error> {
        Self::start_as(plan, name, small_disk, Role::Primary)
    }

    /// Starts a server that replicates another one, to which nothing was written yet. Only replication writes to it.
    pub(crate) fn start_replica(plan: &Arc<DatabasePlan>, name: &str, primary: &Self) -> Result<Self, Error> {
        let replica = Self::start_as(plan, name, false, Role::Replica)?;
        let credentials = &plan.credentials;
        let upstream = Upstream {
            address: primary.address(),
            user: access::ADMIN,
            password: &credentials.admin,
            options: primary.admin_options(),
        };
        let followed = replication::follow(replica.admin_options(), &upstream, replica.flavour());
        followed.map_err(|problem| Error::Replication { name: name.to_owned(), problem })?;
        Ok(replica)
    }

    fn start_as(plan: &Arc<DatabasePlan>, name: &str, small_disk: bool, role: Role) -> Result<Self, Error> {
        let mut attempts_left = 5;
        loop {
            attempts_left -= 1;
            let server = Server::new(plan, name, small_disk, role)?;
            match server.launch() {
                Err(error) if error.is_port_taken() && attempts_left > 0 => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(Self { server: Arc::new(server) }),
            }
        }
    }

    /// Its unix socket. A path of more than 107 bytes cannot be connected to.
    pub fn socket_path(&self) -> PathBuf {
        self.server.socket_path()
    }

    /// MariaDB or MySQL.
    pub fn flavour(&self) -> Flavour {
        self.server.plan().program.flavour
    }

    /// The `server_id` of the present incarnation. It changes when the data is replaced.
    pub fn server_id(&self) -> u32 {
        self.server.server_id()
    }

    /// The password of the user `scrip`, who owns the database `scrip` and all whose names begin with `scrip_`.
    pub fn password(&self) -> &Secret {
        &self.server.plan().credentials.scrip
    }

    /// Connects as `scrip` to the database `scrip`, straight to the server.
    pub fn options(&self) -> OptsBuilder {
        access::options(self.address(), access::USER, self.password()).db_name(Some(access::DATABASE))
    }

    /// Connects as a user who may do everything.
    pub fn admin_options(&self) -> OptsBuilder {
        access::options(self.address(), access::ADMIN, &self.server.plan().credentials.admin)
    }

    /// Of a replica: what it receives waits from now on, and its data stands still.
    pub async fn stop_applying(&self) -> Result<(), Error> {
        self.apply("STOP").await
    }

    /// Of a replica: it applies what waits, and what comes.
    pub async fn start_applying(&self) -> Result<(), Error> {
        self.apply("START").await
    }

    async fn apply(&self, verb: &'static str) -> Result<(), Error> {
        let (options, flavour) = (self.admin_options(), self.flavour());
        let applied = self.run(move |_| Ok(replication::apply(options, flavour, verb))).await?;
        applied.map_err(|problem| Error::Replication { name: self.name().to_owned(), problem })
    }

    /// Shuts it down cleanly. A server that is not running is left alone.
    pub async fn stop(&self) -> Result<(), Error> {
        self.run(|server| server.stop()).await
    }

    /// Copies the data as it is at this instant. A running server is frozen for the copy, which then is what a power loss
    /// at this instant would leave.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        self.run(|server| server.snapshot()).await
    }

    /// Takes all the room on its file system, which must be a small one: see
    /// [`TestbedSpec::small_disks`](super::TestbedSpec::small_disks).
    pub async fn fill_disk(&self) -> Result<(), Error> {
        self.run(|server| server.small_disk()?.fill()).await
    }

    /// Gives that room back.
    pub async fn free_disk(&self) -> Result<(), Error> {
        self.run(|server| server.small_disk()?.free()).await
    }
}
