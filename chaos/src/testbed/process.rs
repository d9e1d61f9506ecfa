//! Child processes that cannot outlive this process.
//!
//! Each child is started through `setpriv --pdeathsig KILL`: the kernel kills it when its parent is gone, however that
//! came about. The kernel means the *thread* that forked, so one thread that lives as long as the process forks them all.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;

use super::Error;
use super::binary::find_program;

/// Names the testbed's folder in the environment of every child, so that a sweep recognises what it may kill.
pub(crate) const MARK: &str = "SCRIP_TESTBED_FOLDER";

const POLL: Duration = Duration::from_millis(5);
const READY_POLL: Duration = Duration::from_millis(25);

type SpawnRequest = (Command, SyncSender<io::Result<Child>>);

/// Starts `command` from the thread that lives as long as the process.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<SpawnRequest>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts processes is gone");
    let (answer, answered) = sync_channel(1);
    SPAWNER.get_or_init(start_spawner).send((command, answer)).map_err(|_unsent| gone())?;
    answered.recv().map_err(|_unanswered| gone())?
}

fn start_spawner() -> Sender<SpawnRequest> {
    let (sender, requests) = channel::<SpawnRequest>();
    thread::spawn(move || {
        for (mut command, answer) in requests {
            drop(answer.send(command.spawn()));
        }
    });
    sender
}

/// A command that runs `program` such that it is killed when this process ends.
///
/// It is in a process group of its own: Ctrl-C in a terminal reaches only the parent, which then ends its children.
pub(crate) fn tied_command(program: &Path, testbed_folder: &Path) -> Result<Command, Error> {
    use std::os::unix::process::CommandExt;
    let setpriv = find_program(&["setpriv"]).ok_or_else(|| Error::MissingProgram {
        program: "setpriv".to_owned(),
        remedy: "install the package util-linux (2.33 or later): it ties the servers' life to this process".to_owned(),
    })?;
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command.env(MARK, testbed_folder).stdin(Stdio::null()).process_group(0);
    Ok(command)
}

/// One child process that can be started again and again, with a log file that all its runs append to.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    log_path: PathBuf,
    /// Where the present run's part of the log begins.
    log_start: AtomicU64,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(crate) fn new(name: String, log_path: PathBuf) -> Self {
        Self { name, log_path, log_start: AtomicU64::new(0), child: Mutex::new(None) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn log_path(&self) -> &Path {
        &self.log_path
    }

    /// Starts the process with its output appended to the log. An earlier run must have ended.
    pub(crate) fn start(&self, mut command: Command) -> Result<(), Error> {
        let mut child = self.child.lock();
        if alive(&mut child).is_some() {
            return Err(Error::WrongState { name: self.name.clone(), problem: "is running already" });
        }
        let doing = || Error::io(format!("open {}", self.log_path.display()));
        let log = OpenOptions::new().create(true).append(true).open(&self.log_path).map_err(doing())?;
        self.log_start.store(log.metadata().map_err(doing())?.len(), Ordering::Relaxed);
        command.stderr(log.try_clone().map_err(doing())?).stdout(log);
        *child = Some(spawn(command).map_err(Error::io(format!("start {}", self.name)))?);
        Ok(())
    }

    /// The last lines that the present run wrote, for error messages.
    pub(crate) fn log_tail(&self) -> String {
        const LINES: usize = 20;
        let bytes = fs::read(&self.log_path).unwrap_or_default();
        let start = usize::try_from(self.log_start.load(Ordering::Relaxed)).unwrap_or(0).min(bytes.len());
        let text = String::from_utf8_lossy(&bytes[start..]);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// Waits until `attempt` succeeds. Fails when the process ends first, and after `limit`.
    pub(crate) fn wait_ready<E: std::fmt::Display>(
        &self,
        limit: Duration,
        mut attempt: impl FnMut() -> Result<(), E>,
    ) -> Result<(), Error> {
        let (name, log_path) = (self.name.clone(), self.log_path.clone());
        let deadline = Instant::now() + limit;
        loop {
            if !self.is_running() {
                return Err(Error::Exited { name, log_path, tail: self.log_tail() });
            }
            match attempt() {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= deadline => {
                    let (last, tail) = (error.to_string(), self.log_tail());
                    return Err(Error::NotReady { name, waited: limit, last, log_path, tail });
                }
                Err(_not_yet) => thread::sleep(READY_POLL),
            }
        }
    }

    /// The process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        alive(&mut self.child.lock()).map(|child| child.id())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// Sends a signal. Never to a process that has been waited for: its id may be another's by now.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        let mut child = self.child.lock();
        let Some(child) = alive(&mut child) else {
            return Err(Error::WrongState { name: self.name.clone(), problem: "is not running" });
        };
        kill(pid_of(child.id()), signal)
            .map_err(|errno| Error::io(format!("send {signal} to {}", self.name))(errno.into()))
    }

    /// Kills the process if it runs, and waits until it is gone.
    pub(crate) fn kill(&self) {
        if let Some(child) = self.child.lock().as_mut() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Freezes the process, and returns when it has stopped.
    pub(crate) fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::SIGSTOP)?;
        while self.pid().is_some_and(|pid| process_state(pid) != Some('T')) {
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Lets a frozen process go on.
    pub(crate) fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::SIGCONT)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pid().and_then(process_state) == Some('T')
    }

    /// Waits for the process to end by itself; `None` if it was never started or still runs after `limit`.
    pub(crate) fn wait_exit(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.lock().as_mut()?.try_wait().ok().flatten() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The child, unless it has ended: then it is waited for, and its id is nobody's.
fn alive(child: &mut Option<Child>) -> Option<&mut Child> {
    let child = child.as_mut()?;
    matches!(child.try_wait(), Ok(None)).then_some(child)
}

pub(crate) fn pid_of(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed())
}

/// The state letter in `/proc/PID/stat`: it follows the command's name, which is in parentheses.
fn process_state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
