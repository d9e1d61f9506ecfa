//! One Redis server of the testbed, and what can be done to it.

mod command;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::command::call;
use super::folder::make_private_folder;
use super::offload::offload;
use super::port::PortLease;
use super::process::{Process, tied_command};
use super::secret::write_private;
use super::snapshot::{Restart, RestartWith, Snapshot};
use super::{Error, Secret};

const READY_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const SYNC_LIMIT: Duration = Duration::from_secs(30);
const SAVED: &str = "dump.rdb";

/// What all Redis servers of a testbed share.
#[derive(Debug)]
pub(crate) struct RedisPlan {
    pub(crate) program: PathBuf,
    /// The testbed's folder.
    pub(crate) folder: PathBuf,
    pub(crate) password: Secret,
}

/// A Redis server. Clones are handles to the same server.
#[derive(Debug, Clone)]
pub struct RedisServer {
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    plan: Arc<RedisPlan>,
    lease: PortLease,
    folder: PathBuf,
    process: Process,
    /// Held by whoever stops, starts or copies.
    changing: Mutex<()>,
}

impl RedisServer {
    /// Starts a new server and waits until it answers. A port that somebody else took meanwhile is replaced by another.
    pub(crate) fn start(plan: &Arc<RedisPlan>, name: &str) -> Result<Self, Error> {
        let mut attempts_left = 5;
        loop {
            attempts_left -= 1;
            let server = Server::new(plan, name)?;
            match server.launch() {
                Err(error) if error.is_port_taken() && attempts_left > 0 => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(Self { server: Arc::new(server) }),
            }
        }
    }

    /// The name, as in `shard-02`.
    pub fn name(&self) -> &str {
        self.server.process.name()
    }

    /// Where it listens. It stays the same over restarts.
    pub fn address(&self) -> SocketAddr {
        self.server.lease.address()
    }

    /// The password of the default user.
    pub fn password(&self) -> &Secret {
        &self.server.plan.password
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

    /// Saves the data and shuts it down. A server that is not running is left alone.
    pub async fn stop(&self) -> Result<(), Error> {
        self.run(|server| server.stop()).await
    }

    /// Starts it again on the same port and waits until it answers. If it runs, it is stopped cleanly before; for a crash
    /// call [`kill`](Self::kill) first.
    pub async fn restart(&self, with: RestartWith<'_>) -> Result<(), Error> {
        let with = Restart::from(with);
        self.run(move |server| server.restart(&with)).await
    }

    /// Saves what a running server has, for a later restart with older data.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        self.run(|server| server.snapshot()).await
    }

    /// Makes it a replica of `other` and waits until it has a full copy.
    pub async fn replicate(&self, other: &Self) -> Result<(), Error> {
        let primary = other.address();
        self.run(move |server| server.replicate(primary)).await
    }

    /// Makes a replica a primary (`REPLICAOF NO ONE`).
    pub async fn promote(&self) -> Result<(), Error> {
        self.run(|server| server.command("REPLICAOF", &["NO", "ONE"]).map(drop)).await
    }

    /// Sends one command and returns the answer as text: elements of a list in lines, nil as an empty text.
    pub async fn command(&self, name: &'static str, arguments: &[&str]) -> Result<String, Error> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.run(move |server| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            server.command(name, &arguments)
        })
        .await
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
    fn new(plan: &Arc<RedisPlan>, name: &str) -> Result<Self, Error> {
        let folder = make_private_folder(&plan.folder.join(name))?;
        let process = Process::new(name.to_owned(), folder.join("log"));
        let lease = PortLease::take()?;
        Ok(Self { plan: Arc::clone(plan), lease, folder, process, changing: Mutex::default() })
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

    fn launch(&self) -> Result<(), Error> {
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

    fn command(&self, name: &'static str, arguments: &[&str]) -> Result<String, Error> {
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

    fn stop(&self) -> Result<(), Error> {
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

    fn restart(&self, with: &Restart) -> Result<(), Error> {
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

    fn snapshot(&self) -> Result<Snapshot, Error> {
        if !self.process.is_running() || self.process.is_paused() {
            return Err(self.wrong_state("must be running for a snapshot"));
        }
        self.command("SAVE", &[])?;
        let snapshots = make_private_folder(&self.plan.folder.join("snapshots"))?;
        let snapshot = Snapshot::reserve(&snapshots, self.process.name());
        fs::rename(self.folder.join(SAVED), snapshot.path()).map_err(Error::io("keep a snapshot"))?;
        Ok(snapshot)
    }

    fn replicate(&self, primary: SocketAddr) -> Result<(), Error> {
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
