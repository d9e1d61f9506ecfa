//! What can stop a demo or a run.

use std::io;
use std::path::PathBuf;

use scrip_client::{
    ConnectError, CreateCodeBatchError, CreateTemplateError, ExportCodesError, GetTemplateError, SetStatusError,
};
use scrip_shard_config::LoadError;

use crate::evidence::AuditError;
use crate::oracle::ReadError;
use crate::{install, testbed};

/// Why a demo or a run could not come to its end. A broken promise is no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments contradict each other.
    #[error("{0}")]
    Spec(&'static str),
    /// There is no such scenario.
    #[error("there is no scenario {0:?}: see --list")]
    NoScenario(String),
    /// A server is missing and could not be installed.
    #[error(transparent)]
    Install(#[from] install::Error),
    /// A program could not be built; cargo has said why.
    #[error("`{command}` failed ({status})")]
    Build {
        /// The command.
        command: String,
        /// How it ended.
        status: String,
    },
    /// Servers or proxies did not start, stop, or come back.
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    /// The topology that was just written is refused.
    #[error(transparent)]
    Topology(#[from] LoadError),
    /// A client found no proxy.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The template was not created.
    #[error("the template was not created: {0}")]
    Create(#[from] CreateTemplateError),
    /// The template was not published.
    #[error("the template was not published: {0}")]
    Publish(#[from] SetStatusError),
    /// The template could not be read.
    #[error("the template could not be read: {0}")]
    Template(#[from] GetTemplateError),
    /// A store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// `scrip-proxy audit` gave no report.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A statement that only an administrator may run failed.
    #[error("{name} refuses a statement of the administrator: {source}")]
    Statement {
        /// Which database.
        name: String,
        /// What it said.
        source: mysql_async::Error,
    },
    /// The configuration of proxies that was asked for is no TOML.
    #[error("the configuration of the proxies: {0}")]
    ProxyConfig(toml::de::Error),
    /// The codes were not created.
    #[error("the codes were not created: {0}")]
    Codes(#[from] CreateCodeBatchError),
    /// The codes could not be read.
    #[error("the codes could not be read: {0}")]
    Export(#[from] ExportCodesError),
    /// No client for the streams of events could be made.
    #[error("no client for the streams of events: {0}")]
    Consumer(#[from] fred::error::Error),
    /// A task of the run panicked.
    #[error("a task of the run panicked")]
    Panicked,
    /// The result could not be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}
