//! What can stop a bench.

use std::path::PathBuf;

use scrip_chaos::evidence::AuditError;
use scrip_chaos::testbed;
use scrip_client::{
    ConnectError, CreateTemplateError, GetBulkJobError, GetTemplateError, ListCouponsError, SetStatusError,
    SubmitBulkJobError,
};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments do not fit together.
    #[error("{0}")]
    Arguments(String),
    /// Servers or proxies could not be started or used.
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    /// The topology that the testbed wrote could not be read.
    #[error(transparent)]
    Topology(#[from] scrip_shard_config::LoadError),
    /// No proxy serves.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A template was not created.
    #[error("a template was not created: {0}")]
    Create(#[from] CreateTemplateError),
    /// A template was not published.
    #[error("a template was not published: {0}")]
    Publish(#[from] SetStatusError),
    /// A template was not read.
    #[error("a template was not read: {0}")]
    Template(#[from] GetTemplateError),
    /// Coupons were not listed.
    #[error("coupons were not listed: {0}")]
    List(#[from] ListCouponsError),
    /// A bulk job was not submitted.
    #[error("a bulk job was not submitted: {0}")]
    Submit(#[from] SubmitBulkJobError),
    /// A bulk job was not looked at.
    #[error("a bulk job was not looked at: {0}")]
    Bulk(#[from] GetBulkJobError),
    /// A database did not do what was asked.
    #[error("database: {0}")]
    Database(#[from] mysql_async::Error),
    /// Redis did not do what was asked.
    #[error("redis: {0}")]
    Redis(#[from] fred::error::Error),
    /// CPU time or memory of a process could not be read.
    #[error("cannot read {path}: {problem}")]
    Usage {
        /// The file of the operating system.
        path: String,
        /// Why.
        problem: String,
    },
    /// The audit could not be made.
    #[error("the audit could not be made: {0}")]
    Audit(#[from] AuditError),
    /// The count is wrong: figures of such a run are void.
    #[error("VOID: {0}")]
    Void(String),
    /// A report could not be read or written.
    #[error("{path}: {problem}", path = path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// Two reports do not measure the same.
    #[error("these reports cannot be compared: {0}")]
    Unlike(String),
    /// A task of the bench crashed.
    #[error("a task of the bench crashed: {0}")]
    Crashed(#[from] tokio::task::JoinError),
}
