//! A database server's process, folder and identity. Everything here blocks.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use parking_lot::Mutex;

use super::access::{self, probe};
use super::{DatabasePlan, arguments};
use crate::testbed::Error;
use crate::testbed::disk::SmallDisk;
use crate::testbed::folder::make_private_folder;
use crate::testbed::port::PortLease;
use crate::testbed::process::{Process, tied_command};
use crate::testbed::snapshot::{Restart, Snapshot};
use crate::testbed::template::{copy_folder, forget_identity};

const READY_LIMIT: Duration = Duration::from_secs(90);
/// Room for the data of a fresh server and for some hundred thousand coupons.
const SMALL_DISK_MIB: u32 = 512;
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Who writes to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Whoever may.
    Primary,
    /// Only replication.
    Replica,
}

#[derive(Debug)]
pub(super) struct Server {
    plan: Arc<DatabasePlan>,
    role: Role,
    lease: PortLease,
    folder: PathBuf,
    process: Process,
    /// Where the data is, if it is on a file system of its own. After the process, so that it goes when the server is gone.
    disk: Option<SmallDisk>,
    server_id: AtomicU32,
    /// Held by whoever stops, starts or copies.
    changing: Mutex<()>,
}

impl Server {
    /// A server with fresh data, not running yet.
    pub(super) fn new(plan: &Arc<DatabasePlan>, name: &str, small_disk: bool, role: Role) -> Result<Self, Error> {
        let folder = plan.folder.join(name);
        make_private_folder(&folder.join(arguments::TEMPORARY))?;
        let process = Process::new(name.to_owned(), folder.join("log"));
        let lease = PortLease::take()?;
        let data = folder.join(arguments::DATA);
        let disk = small_disk.then(|| SmallDisk::start(&data, SMALL_DISK_MIB, name, &plan.folder)).transpose()?;
        let server = Self {
            plan: Arc::clone(plan),
            role,
            lease,
            folder,
            process,
            disk,
            server_id: AtomicU32::new(0),
            changing: Mutex::default(),
        };
        server.fill_from(&plan.template)?;
        Ok(server)
    }

    pub(super) fn plan(&self) -> &DatabasePlan {
        &self.plan
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.lease.address()
    }

    pub(super) fn socket_path(&self) -> PathBuf {
        self.folder.join(arguments::SOCKET)
    }

    pub(super) fn server_id(&self) -> u32 {
        self.server_id.load(Ordering::Acquire)
    }

    /// Does `work` while nobody else stops, starts or copies this server.
    pub(super) fn alone<T>(&self, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let _one_at_a_time = self.changing.lock();
        work(self)
    }

    /// Where this process finds the data; the server finds it in its folder.
    fn data(&self) -> Result<PathBuf, Error> {
        match &self.disk {
            Some(disk) => disk.seen_here(),
            None => Ok(self.folder.join(arguments::DATA)),
        }
    }

    pub(super) fn small_disk(&self) -> Result<&SmallDisk, Error> {
        self.disk.as_ref().ok_or_else(|| Error::WrongState {
            name: self.process.name().to_owned(),
            problem: "is on no small disk: name it in TestbedSpec::small_disks",
        })
    }

    /// Replaces the data, and with it the identity: a server that comes back with other data is another server.
    fn fill_from(&self, source: &Path) -> Result<(), Error> {
        let data = self.data()?;
        if let Some(disk) = &self.disk {
            disk.clear()?;
        } else if data.exists() {
            fs::remove_dir_all(&data).map_err(Error::io(format!("remove {}", data.display())))?;
        }
        copy_folder(source, &data)?;
        forget_identity(&data)?;
        self.server_id.store(self.plan.new_server_id(), Ordering::Release);
        Ok(())
    }

    pub(super) fn launch(&self) -> Result<(), Error> {
        for stale in [arguments::SOCKET, arguments::SOCKET_LOCK] {
            drop(fs::remove_file(self.folder.join(stale)));
        }
        let server_id = self.server_id();
        let program = &self.plan.program.path;
        let mut command = match &self.disk {
            Some(disk) => disk.command(program, &self.plan.folder)?,
            None => tied_command(program, &self.plan.folder)?,
        };
        command.args(arguments::all(&self.plan, &self.folder, self.lease.port(), server_id));
        if self.role == Role::Replica {
            command.args(["--read-only=ON", "--relay-log=relay"]);
        }
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

    pub(super) fn stop(&self) -> Result<(), Error> {
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

    pub(super) fn restart(&self, with: &Restart) -> Result<(), Error> {
        self.stop()?;
        match with {
            Restart::Data => {}
            Restart::Empty => self.fill_from(&self.plan.template)?,
            Restart::Snapshot(snapshot) => self.fill_from(snapshot.path())?,
        }
        self.launch_again()
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, Error> {
        let snapshots = make_private_folder(&self.plan.folder.join("snapshots"))?;
        let snapshot = Snapshot::reserve(&snapshots, self.process.name());
        let freeze = self.process.is_running() && !self.process.is_paused();
        if freeze {
            self.process.pause()?;
        }
        let copied = self.data().and_then(|data| copy_folder(&data, snapshot.path()));
        if freeze {
            self.process.resume()?;
        }
        copied.map(|()| snapshot)
    }
}
