//! Replication between two servers of a testbed. Everything here blocks, and must be called outside of any async runtime.

use std::net::SocketAddr;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row};

use crate::testbed::{Flavour, Secret};

/// What a replica is told of its primary.
pub(super) struct Upstream<'a> {
    pub(super) address: SocketAddr,
    pub(super) user: &'static str,
    pub(super) password: &'a Secret,
    /// Connects to it.
    pub(super) options: OptsBuilder,
}

/// Makes a fresh server follow another one from where that stands now. Both were set up alike, and nothing else was written.
pub(super) fn follow(replica: OptsBuilder, upstream: &Upstream<'_>, flavour: Flavour) -> Result<(), String> {
    let status = match flavour {
        Flavour::MariaDb => "SHOW MASTER STATUS",
        Flavour::MySql => "SHOW BINARY LOG STATUS",
    };
    blocking(async {
        let mut primary = Conn::new(upstream.options.clone()).await?;
        let row: Option<Row> = primary.query_first(status).await?;
        let at = row.and_then(|row| Some((row.get::<String, _>(0)?, row.get::<u64, _>(1)?)));
        primary.disconnect().await?;
        let Some((file, position)) = at else { return Ok(Err("the primary has no binary log".to_owned())) };
        let mut replica = Conn::new(replica).await?;
        replica.query_drop(change(upstream, flavour, &file, position)).await?;
        replica.query_drop(statement(flavour, "START", "")).await?;
        replica.disconnect().await?;
        Ok(Ok(()))
    })?
}

/// Starts or stops the thread that applies what was received.
pub(super) fn apply(replica: OptsBuilder, flavour: Flavour, verb: &'static str) -> Result<(), String> {
    blocking(async {
        let mut replica = Conn::new(replica).await?;
        replica.query_drop(statement(flavour, verb, " SQL_THREAD")).await?;
        replica.disconnect().await
    })
}

fn statement(flavour: Flavour, verb: &str, thread: &str) -> String {
    match flavour {
        Flavour::MariaDb => format!("{verb} SLAVE{thread}"),
        Flavour::MySql => format!("{verb} REPLICA{thread}"),
    }
}

fn change(upstream: &Upstream<'_>, flavour: Flavour, file: &str, position: u64) -> String {
    let (host, port) = (upstream.address.ip(), upstream.address.port());
    let (user, password) = (upstream.user, upstream.password.expose());
    let (verb, of, more) = match flavour {
        Flavour::MariaDb => ("CHANGE MASTER TO", "MASTER", ""),
        // No TLS here: the password goes under the server's RSA key.
        Flavour::MySql => ("CHANGE REPLICATION SOURCE TO", "SOURCE", ", SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1"),
    };
    format!(
        "{verb} {of}_HOST = '{host}', {of}_PORT = {port}, {of}_USER = '{user}', {of}_PASSWORD = '{password}', \
         {of}_LOG_FILE = '{file}', {of}_LOG_POS = {position}, {of}_CONNECT_RETRY = 1{more}"
    )
}

fn blocking<T>(work: impl Future<Output = Result<T, mysql_async::Error>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(work).map_err(|error| error.to_string())
}
