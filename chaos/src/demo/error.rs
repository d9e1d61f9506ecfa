//! What can stop a demo.

use std::io;
use std::path::PathBuf;

use scrip_client::{ConnectError, CreateTemplateError, GetTemplateError, SetStatusError};
use scrip_shard_config::LoadError;

use crate::evidence::AuditError;
use crate::oracle::ReadError;
use crate::{install, testbed};

/// Why the demo could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments contradict each other.
    #[error("{0}")]
    Spec(&'static str),
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
    /// Servers or proxies did not start.
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    /// The topology that was just written is refused.
    #[error(transparent)]
    Topology(#[from] LoadError),
    /// The SDK found no proxy.
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
    /// The result could not be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}
