//! A Redis server's process and folder. Everything here blocks.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::RedisPlan;
use super::command::call;
use crate::testbed::Error;
use crate::testbed::folder::make_private_folder;
use crate::testbed::port::PortLease;
use crate::testbed::process::{Process, tied_command};
use crate::testbed::secret::write_private;
use crate::testbed::snapshot::{Restart, Snapshot};

const READY_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const SYNC_LIMIT: Duration = Duration::from_secs(30);
const SAVED: &str = "dump.rdb";

#[derive(Debug)]
pub(super) struct Server {
    plan: Arc<RedisPlan>,
    lease: PortLease,
    folder: PathBuf,
    process: Process,
    /// Held by whoever stops, starts or copies.
    changing: Mutex<()>,
}

impl Server {
    pub(super) fn new(plan: &Arc<RedisPlan>, name: &str) -> Result<Self, Error> {
        let folder = make_private_folder(&plan.folder.join(name))?;
        let process = Process::new(name.to_owned(), folder.join("log"));
        let lease = PortLease::take()?;
        Ok(Self { plan: Arc::clone(plan), lease, folder, process, changing: Mutex::default() })
    }

    pub(super) fn plan(&self) -> &RedisPlan {
        &self.plan
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.lease.address()
    }

    /// Does `work` while nobody else stops, starts or copies this server.
    pub(super) fn alone<T>(&self, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let _one_at_a_time = self.changing.lock();
        work(self)
    }

    /// No persistence: what is to survive is saved on demand.
    fn config(&self) -> String {
        let (port, password, folder) = (self.lease.port(), self.plan.password.expose(), self.folder.display());
        format!(
            "bind 127.0.0.1\nport {port}\nunixsocket server.sock\nunixsocketperm 700\nrequirepass {password}\n\
             masterauth {password}\ndir \"{folder}\"\ndbfilename {SAVED}\nsave \"\"\nappendonly no\n\
             maxmemory-policy noeviction\nstop-writes-on-bgsave-error no\nrdb-del-sync-files yes\n\
             repl-diskless-sync yes\nrepl-diskless-sync-delay 0\ndaemonize no\nset-proc-title no\nlogfile \"\"\n\
             always-show-logo no\n"
        )
    }

    pub(super) fn launch(&self) -> Result<(), Error> {
        let config = self.folder.join("redis.conf");
        write_private(&config, &self.config())?;
        let mut command = tied_command(&self.plan.program, &self.plan.folder)?;
        self.process.start({
            command.arg(&config).current_dir(&self.folder);
            command
        })?;
        self.process.wait_ready(READY_LIMIT, || self.probe())?;
        // Loaded: what is not saved again must not come back after a kill.
        drop(fs::remove_file(self.folder.join(SAVED)));
        Ok(())
    }

    /// Whether our own process answers, not another one on its port, and has loaded its data.
    fn probe(&self) -> Result<(), String> {
        let info = self.command("INFO", &[]).map_err(|error| error.to_string())?;
        let pid = self.process.pid().map(|pid| format!("process_id:{pid}"));
        let lines = || info.lines().map(str::trim);
        let is_ours = pid.is_some_and(|pid| lines().any(|line| line == pid));
        let is_loaded = lines().any(|line| line == "loading:0");
        if is_ours && is_loaded { Ok(()) } else { Err("another server answers, or it is loading".to_owned()) }
    }

    pub(super) fn command(&self, name: &'static str, arguments: &[&str]) -> Result<String, Error> {
        let refused = |answer| Error::Redis { name: self.process.name().to_owned(), command: name, answer };
        call(self.lease.address(), &self.plan.password, name, arguments).map_err(refused)
    }

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
        // The connection ends without an answer when it goes well.
        let answer = self.command("SHUTDOWN", &["SAVE"]);
        match self.process.wait_exit(STOP_LIMIT) {
            Some(_status) => Ok(()),
            None => answer.and(Err(self.wrong_state("does not stop"))),
        }
    }

    pub(super) fn restart(&self, with: &Restart) -> Result<(), Error> {
        self.stop()?;
        let saved = self.folder.join(SAVED);
        match with {
            Restart::Data => {}
            Restart::Empty => drop(fs::remove_file(&saved)),
            Restart::Snapshot(snapshot) => {
                fs::copy(snapshot.path(), &saved).map_err(Error::io("copy a snapshot"))?;
            }
        }
        self.launch_again()
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, Error> {
        if !self.process.is_running() || self.process.is_paused() {
            return Err(self.wrong_state("must be running for a snapshot"));
        }
        self.command("SAVE", &[])?;
        let snapshots = make_private_folder(&self.plan.folder.join("snapshots"))?;
        let snapshot = Snapshot::reserve(&snapshots, self.process.name());
        fs::rename(self.folder.join(SAVED), snapshot.path()).map_err(Error::io("keep a snapshot"))?;
        Ok(snapshot)
    }

    pub(super) fn replicate(&self, primary: SocketAddr) -> Result<(), Error> {
        let (host, port) = (primary.ip().to_string(), primary.port().to_string());
        self.command("REPLICAOF", &[&host, &port])?;
        self.process.wait_ready(SYNC_LIMIT, || match self.command("INFO", &["replication"]) {
            Ok(info) if info.contains("master_link_status:up") => Ok(()),
            Ok(_not_yet) => Err("it has no full copy yet".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }

    fn wrong_state(&self, problem: &'static str) -> Error {
        Error::WrongState { name: self.process.name().to_owned(), problem }
    }
}
