//! Users of the testbed's databases, and the question that shows that a server is ready.

use std::net::SocketAddr;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::testbed::Secret;

/// The database of a primary.
pub(crate) const DATABASE: &str = "scrip";
/// The user that proxies connect as.
pub(crate) const USER: &str = "scrip";
/// The user of tests that need to do what a proxy may not.
pub(super) const ADMIN: &str = "scrip_admin";

const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// The passwords of a testbed's databases.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(super) scrip: Secret,
    pub(super) admin: Secret,
}

impl Credentials {
    pub(super) fn random() -> Self {
        Self { scrip: Secret::random(), admin: Secret::random() }
    }

    /// What each server runs at each start, before it takes connections, from a file that only its owner can read.
    pub(super) fn init_sql(&self) -> String {
        let mut sql = format!("CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4;\n");
        for host in ["127.0.0.1", "localhost"] {
            for (user, secret) in [(USER, &self.scrip), (ADMIN, &self.admin)] {
                let password = secret.expose();
                sql += &format!("CREATE USER IF NOT EXISTS '{user}'@'{host}' IDENTIFIED BY '{password}';\n");
            }
            sql += &format!("GRANT ALL ON {DATABASE}.* TO '{USER}'@'{host}';\n");
            sql += &format!("GRANT ALL ON `{DATABASE}\\_%`.* TO '{USER}'@'{host}';\n");
            sql += &format!("GRANT ALL ON *.* TO '{ADMIN}'@'{host}' WITH GRANT OPTION;\n");
        }
        sql
    }
}

/// Straight to this address: without `prefer_socket(false)` the client would switch to the server's unix socket, past any
/// fault-injecting link.
pub(super) fn options(address: SocketAddr, user: &str, password: &Secret) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .prefer_socket(false)
        .user(Some(user))
        .pass(Some(password.expose()))
}

/// Asks the server behind `options` for its id. Must be called outside of any async runtime.
pub(super) fn probe(options: OptsBuilder, server_id: u32) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let answer = runtime.block_on(async { tokio::time::timeout(PROBE_LIMIT, ask_server_id(options.into())).await });
    match answer {
        Ok(Ok(Some(id))) if id == server_id => Ok(()),
        Ok(Ok(other)) => Err(format!("another server answers: {other:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err("no answer".to_owned()),
    }
}

async fn ask_server_id(options: Opts) -> Result<Option<u32>, mysql_async::Error> {
    let mut connection = Conn::new(options).await?;
    let id = connection.query_first("SELECT @@server_id").await?;
    connection.disconnect().await?;
    Ok(id)
}
