//! Proxies as processes: nothing of the proxy is linked, so any binary that keeps the contract can be run.
//!
//! The contract: `scrip-proxy run --config FILE` and `scrip-proxy migrate --config FILE`; the keys in `config`; a ready
//! file, written once both listeners accept; `GET /healthz` is 200 when the proxy serves.

mod binary;
mod config;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::Deserialize;

pub use self::binary::{build_proxy, proxy_binary};
use self::config::ProxyFiles;
use super::deployment::Deployment;
use super::port::PortLease;
use super::process::{Process, tied_command};
use super::{Error, http};
use crate::testbed::offload::offload;

const READY_LIMIT: Duration = Duration::from_secs(60);
const MIGRATE_LIMIT: Duration = Duration::from_secs(300);

/// What proxy to start.
#[derive(Debug, Clone, Default)]
pub struct ProxySpec {
    /// Its name, which must be its own within the testbed.
    pub name: String,
    /// The program; by default [`proxy_binary`].
    pub binary: Option<PathBuf>,
    /// TOML that is merged into the configuration: values replace, arrays are appended.
    pub config: String,
    /// Further environment variables.
    pub env: Vec<(String, String)>,
    /// What a start waits for.
    pub wait_for: WaitFor,
}

impl ProxySpec {
    /// A proxy of this name with everything else by default.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The same with this TOML merged into its configuration.
    #[must_use]
    pub fn with_config(mut self, config: impl Into<String>) -> Self {
        self.config = config.into();
        self
    }
}

/// When a proxy counts as started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitFor {
    /// It accepts connections and says that it is healthy.
    #[default]
    Healthy,
    /// It accepts connections.
    Listening,
}

/// A proxy's process. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct ProxyProcess {
    proxy: Arc<Proxy>,
}

#[derive(Debug)]
struct Proxy {
    spec: ProxySpec,
    binary: PathBuf,
    files: ProxyFiles,
    testbed_folder: PathBuf,
    process: Process,
    listen: PortLease,
    admin_listen: PortLease,
}

/// What the proxy writes when it listens.
#[derive(Debug, Deserialize)]
struct Ready {
    listen: SocketAddr,
    admin_listen: SocketAddr,
    pid: u32,
}

impl ProxyProcess {
    pub(super) fn start(deployment: &Deployment, spec: &ProxySpec) -> Result<Self, Error> {
        let mut attempts_left = 5;
        loop {
            attempts_left -= 1;
            let proxy = Proxy::new(deployment, spec)?;
            match proxy.launch() {
                Err(error) if error.is_port_taken() && attempts_left > 0 => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(Self { proxy: Arc::new(proxy) }),
            }
        }
    }

    /// The name that it was started with.
    pub fn name(&self) -> &str {
        self.proxy.process.name()
    }

    /// Where callers connect. It stays the same over restarts.
    pub fn address(&self) -> SocketAddr {
        self.proxy.listen.address()
    }

    /// Where metrics and health are served. It stays the same over restarts.
    pub fn admin_address(&self) -> SocketAddr {
        self.proxy.admin_listen.address()
    }

    /// What it wrote to standard output and standard error, over all its runs.
    pub fn log_path(&self) -> &Path {
        self.proxy.process.log_path()
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.proxy.process.pid()
    }

    /// Whether it runs; a frozen proxy does.
    pub fn is_running(&self) -> bool {
        self.proxy.process.is_running()
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&self) {
        self.proxy.process.kill();
    }

    /// SIGSTOP, and waits until it stands still.
    pub fn pause(&self) -> Result<(), Error> {
        self.proxy.process.pause()
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<(), Error> {
        self.proxy.process.resume()
    }

    /// SIGTERM: asks it to drain. Does not wait.
    pub fn terminate(&self) -> Result<(), Error> {
        self.proxy.process.signal(Signal::SIGTERM)
    }

    /// Waits until it has ended, at most `limit`; `None` if it still runs.
    pub async fn wait_exit(&self, limit: Duration) -> Result<Option<ExitStatus>, Error> {
        let proxy = Arc::clone(&self.proxy);
        offload(move || Ok(proxy.process.wait_exit(limit))).await
    }

    /// Starts a proxy that has ended again, with the same configuration and addresses.
    pub async fn restart(&self) -> Result<(), Error> {
        let proxy = Arc::clone(&self.proxy);
        offload(move || proxy.launch()).await
    }

    /// The body of a path on the admin listener, as in `/metrics`. An answer other than 200 is an error.
    pub async fn admin_get(&self, path: &'static str) -> Result<String, Error> {
        let proxy = Arc::clone(&self.proxy);
        offload(move || {
            let got = http::get(proxy.admin_listen.address(), path);
            got.map_err(|problem| Error::io(format!("get {path}"))(std::io::Error::other(problem)))
        })
        .await
    }
}

impl Proxy {
    fn new(deployment: &Deployment, spec: &ProxySpec) -> Result<Self, Error> {
        let (listen, admin_listen) = (PortLease::take()?, PortLease::take()?);
        let files = ProxyFiles::write(deployment, spec, listen.address(), admin_listen.address())?;
        Ok(Self {
            spec: spec.clone(),
            binary: binary_for(spec)?,
            process: Process::new(spec.name.clone(), files.log.clone()),
            files,
            testbed_folder: deployment.folder().to_path_buf(),
            listen,
            admin_listen,
        })
    }

    fn launch(&self) -> Result<(), Error> {
        drop(fs::remove_file(&self.files.ready));
        let mut command = tied_command(&self.binary, &self.testbed_folder)?;
        command.arg("run").arg("--config").arg(&self.files.config).envs(self.spec.env.iter().cloned());
        self.process.start(command)?;
        self.process.wait_ready(READY_LIMIT, || self.probe())
    }

    fn probe(&self) -> Result<(), String> {
        let text = fs::read_to_string(&self.files.ready).map_err(|_absent| "it does not listen yet".to_owned())?;
        let ready: Ready = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let expected = (Some(ready.pid), ready.listen, ready.admin_listen);
        if expected != (self.process.pid(), self.listen.address(), self.admin_listen.address()) {
            return Err(format!("the ready file is of another proxy: {text}"));
        }
        match self.spec.wait_for {
            WaitFor::Listening => Ok(()),
            WaitFor::Healthy => http::get(ready.admin_listen, "/healthz").map(drop),
        }
    }
}

/// Runs `scrip-proxy migrate` to its end.
pub(super) fn migrate(deployment: &Deployment, spec: &ProxySpec) -> Result<(), Error> {
    let unused = SocketAddr::from(([127, 0, 0, 1], 0));
    let spec = ProxySpec { name: "migrate".to_owned(), ..spec.clone() };
    let files = ProxyFiles::write(deployment, &spec, unused, unused)?;
    let process = Process::new(spec.name.clone(), files.log.clone());
    let mut command = tied_command(&binary_for(&spec)?, deployment.folder())?;
    command.arg("migrate").arg("--config").arg(&files.config).envs(spec.env.iter().cloned());
    process.start(command)?;
    let status = process.wait_exit(MIGRATE_LIMIT);
    if status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let status = status.unwrap_or(ExitStatus::from_raw(Signal::SIGKILL as i32));
    Err(Error::ProgramFailed {
        program: format!("{} migrate", binary::NAME),
        status: status.to_string(),
        tail: process.log_tail(),
    })
}

fn binary_for(spec: &ProxySpec) -> Result<PathBuf, Error> {
    spec.binary.clone().or_else(proxy_binary).ok_or_else(binary::missing)
}
