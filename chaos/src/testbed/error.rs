//! What can go wrong while a testbed is started or used.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why the testbed could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that the testbed runs is not installed.
    #[error("{program} was not found: {remedy}")]
    MissingProgram {
        /// The program, or the alternatives.
        program: String,
        /// What to install or set.
        remedy: String,
    },
    /// A file, folder or process operation failed.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The cause.
        source: io::Error,
    },
    /// A server ended before it answered.
    #[error("{name} ended before it was ready; the end of {log}:\n{tail}", log = log_path.display())]
    Exited {
        /// Which server.
        name: String,
        /// Its log file.
        log_path: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A server did not answer in time.
    #[error("{name} was not ready after {waited:?} ({last}); the end of {log}:\n{tail}", log = log_path.display())]
    NotReady {
        /// Which server.
        name: String,
        /// How long it was given.
        waited: Duration,
        /// What the last attempt met.
        last: String,
        /// Its log file.
        log_path: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A helper program reported failure.
    #[error("{program} failed with {status}:\n{tail}")]
    ProgramFailed {
        /// The program.
        program: String,
        /// Its exit status.
        status: String,
        /// The last lines that it wrote.
        tail: String,
    },
    /// The given configuration of a proxy is not TOML.
    #[error("the configuration of {name} is not TOML: {problem}")]
    Config {
        /// Which proxy.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A Redis server refused a command.
    #[error("{name} answered {command} with: {answer}")]
    Redis {
        /// Which server.
        name: String,
        /// The command's name.
        command: &'static str,
        /// What came back.
        answer: String,
    },
    /// Replication could not be set up or changed.
    #[error("the replication of {name}: {problem}")]
    Replication {
        /// Which replica.
        name: String,
        /// What a server said.
        problem: String,
    },
    /// The server must be running (or must not be) for this.
    #[error("{name} {problem}")]
    WrongState {
        /// Which server.
        name: String,
        /// What is in the way.
        problem: &'static str,
    },
    /// No free port was found.
    #[error("no free loopback port between {first} and {last}")]
    NoFreePort {
        /// The first port tried.
        first: u16,
        /// The last port tried.
        last: u16,
    },
    /// A worker thread of the testbed panicked.
    #[error("a worker thread of the testbed panicked")]
    WorkerPanicked,
}

impl Error {
    /// Whether a server ended because its port is another's.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Exited { tail, .. } if tail.contains("Address already in use"))
    }

    /// Wraps an I/O error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
