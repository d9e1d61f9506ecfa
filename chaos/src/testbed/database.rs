//! One database server of the testbed, and what can be done to it.

mod access;
mod arguments;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mysql_async::OptsBuilder;
use nix::sys::signal::Signal;
use parking_lot::Mutex;

use self::access::{Credentials, probe};
pub(crate) use self::access::{DATABASE, USER};
use super::binary::{DatabaseProgram, Flavour};
use super::folder::make_private_folder;
use super::offload::offload;
use super::port::PortLease;
use super::process::{Process, tied_command};
use super::secret::write_private;
use super::snapshot::{Restart, RestartWith, Snapshot};
use super::template::{copy_folder, forget_identity};
use super::{DatabaseSettings, Error, Secret};

const READY_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// What all database servers of a testbed share.
#[derive(Debug)]
pub(crate) struct DatabasePlan {
    pub(crate) program: DatabaseProgram,
    pub(crate) settings: DatabaseSettings,
    /// The data folder to copy from.
    pub(crate) template: PathBuf,
    /// The testbed's folder.
    pub(crate) folder: PathBuf,
    pub(crate) credentials: Credentials,
    next_server_id: AtomicU32,
}

impl DatabasePlan {
    pub(crate) fn new(
        program: DatabaseProgram,
        settings: DatabaseSettings,
        template: PathBuf,
        folder: PathBuf,
    ) -> Result<Self, Error> {
        let credentials = Credentials::random();
        write_private(&folder.join("init.sql"), &credentials.init_sql())?;
        // Ids of different testbeds differ as well, but for bad luck.
        let next_server_id = AtomicU32::new(rand::random_range(1..u32::MAX / 2));
        Ok(Self { program, settings, template, folder, credentials, next_server_id })
    }

    fn new_server_id(&self) -> u32 {
        self.next_server_id.fetch_add(1, Ordering::Relaxed)
    }
}

/// A database server. Clones are handles to the same server.
#[derive(Debug, Clone)]
pub struct Database {
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    plan: Arc<DatabasePlan>,
    lease: PortLease,
    folder: PathBuf,
    process: Process,
    server_id: AtomicU32,
    /// Held by whoever stops, starts or copies.
    changing: Mutex<()>,
}

impl Database {
    /// Starts a new server and waits until it answers. A port that somebody else took meanwhile is replaced by another.
    pub(crate) fn start(plan: &Arc<DatabasePlan>, name: &str) -> Result<Self, Error> {
        let mut attempts_left = 5;
        loop {
            attempts_left -= 1;
            let server = Server::new(plan, name)?;
            server.fill_from(&plan.template)?;
            match server.launch() {
                Err(error) if error.is_port_taken() && attempts_left > 0 => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(Self { server: Arc::new(server) }),
            }
        }
    }

    /// The name, as in `primary-03`.
    pub fn name(&self) -> &str {
        self.server.process.name()
    }

    /// Where it listens. It stays the same over restarts.
    pub fn address(&self) -> SocketAddr {
        self.server.lease.address()
    }

    /// Its unix socket. A path of more than 107 bytes cannot be connected to.
    pub fn socket_path(&self) -> PathBuf {
        self.server.folder.join(arguments::SOCKET)
    }

    /// MariaDB or MySQL.
    pub fn flavour(&self) -> Flavour {
        self.server.plan.program.flavour
    }

    /// The `server_id` of the present incarnation. It changes when the data is replaced.
    pub fn server_id(&self) -> u32 {
        self.server.server_id.load(Ordering::Acquire)
    }

    /// The password of the user `scrip`, who owns the database `scrip` and all whose names begin with `scrip_`.
    pub fn password(&self) -> &Secret {
        &self.server.plan.credentials.scrip
    }

    /// Connects as `scrip` to the database `scrip`, straight to the server.
    pub fn options(&self) -> OptsBuilder {
        access::options(self.address(), access::USER, self.password()).db_name(Some(access::DATABASE))
    }

    /// Connects as a user who may do everything.
    pub fn admin_options(&self) -> OptsBuilder {
        access::options(self.address(), access::ADMIN, &self.server.plan.credentials.admin)
    }

    /// What it logged, over all its runs.
    pub fn log_path(&self) -> &Path {
        self.server.process.log_path()
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.process.pid()
    }

    /// Whether it runs; a frozen server does.
    pub fn is_running(&self) -> bool {
        self.server.process.is_running()
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&self) {
        self.server.process.kill();
    }

    /// SIGSTOP, and waits until it stands still.
    pub fn pause(&self) -> Result<(), Error> {
        self.server.process.pause()
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<(), Error> {
        self.server.process.resume()
    }

    /// Shuts it down cleanly. A server that is not running is left alone.
    pub async fn stop(&self) -> Result<(), Error> {
        self.run(|server| server.stop()).await
    }

    /// Starts it again on the same port and waits until it answers. If it runs, it is stopped cleanly before; for a crash
    /// call [`kill`](Self::kill) first.
    pub async fn restart(&self, with: RestartWith<'_>) -> Result<(), Error> {
        let with = Restart::from(with);
        self.run(move |server| server.restart(&with)).await
    }

    /// Copies the data as it is at this instant. A running server is frozen for the copy, which then is what a power loss
    /// at this instant would leave.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        self.run(|server| server.snapshot()).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Server) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let server = Arc::clone(&self.server);
        offload(move || {
            let _one_at_a_time = server.changing.lock();
            work(&server)
        })
        .await
    }
}

impl Server {
    fn new(plan: &Arc<DatabasePlan>, name: &str) -> Result<Self, Error> {
        let folder = plan.folder.join(name);
        make_private_folder(&folder.join(arguments::TEMPORARY))?;
        let process = Process::new(name.to_owned(), folder.join("log"));
        let lease = PortLease::take()?;
        Ok(Self {
            plan: Arc::clone(plan),
            lease,
            folder,
            process,
            server_id: AtomicU32::new(0),
            changing: Mutex::default(),
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.join(arguments::DATA)
    }

    /// Replaces the data, and with it the identity: a server that comes back with other data is another server.
    fn fill_from(&self, source: &Path) -> Result<(), Error> {
        let data = self.data();
        if data.exists() {
            fs::remove_dir_all(&data).map_err(Error::io(format!("remove {}", data.display())))?;
        }
        copy_folder(source, &data)?;
        forget_identity(&data)?;
        self.server_id.store(self.plan.new_server_id(), Ordering::Release);
        Ok(())
    }

    fn launch(&self) -> Result<(), Error> {
        for stale in [arguments::SOCKET, arguments::SOCKET_LOCK] {
            drop(fs::remove_file(self.folder.join(stale)));
        }
        let server_id = self.server_id.load(Ordering::Acquire);
        let mut command = tied_command(&self.plan.program.path, &self.plan.folder)?;
        command.args(arguments::all(&self.plan, &self.folder, self.lease.port(), server_id));
        self.process.start(command)?;
        let options = access::options(self.lease.address(), access::USER, &self.plan.credentials.scrip);
        self.process.wait_ready(READY_LIMIT, || probe(options.clone(), server_id))
    }

    /// Starts it on its own port, waiting for a passer-by on that port to leave.
    fn launch_again(&self) -> Result<(), Error> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            match self.launch() {
                Err(error) if error.is_port_taken() && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                other => return other,
            }
        }
    }

    fn stop(&self) -> Result<(), Error> {
        if !self.process.is_running() {
            return Ok(());
        }
        self.process.resume()?;
        self.process.signal(Signal::SIGTERM)?;
        match self.process.wait_exit(STOP_LIMIT) {
            Some(_status) => Ok(()),
            None => Err(Error::WrongState { name: self.process.name().to_owned(), problem: "does not stop" }),
        }
    }

    fn restart(&self, with: &Restart) -> Result<(), Error> {
        self.stop()?;
        match with {
            Restart::Data => {}
            Restart::Empty => self.fill_from(&self.plan.template)?,
            Restart::Snapshot(snapshot) => self.fill_from(snapshot.path())?,
        }
        self.launch_again()
    }

    fn snapshot(&self) -> Result<Snapshot, Error> {
        let snapshots = make_private_folder(&self.plan.folder.join("snapshots"))?;
        let snapshot = Snapshot::reserve(&snapshots, self.process.name());
        let freeze = self.process.is_running() && !self.process.is_paused();
        if freeze {
            self.process.pause()?;
        }
        let copied = copy_folder(&self.data(), snapshot.path());
        if freeze {
            self.process.resume()?;
        }
        copied.map(|()| snapshot)
    }
}
