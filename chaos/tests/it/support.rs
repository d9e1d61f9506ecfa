//! Questions that several tests ask.

use std::path::Path;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use scrip_chaos::testbed::{Database, Flavour};

pub(crate) async fn connect(database: &Database) -> Conn {
    connect_with(database.options()).await
}

/// mysql_async waits for a greeting for ever; a server that has not accepted a connection may accept the next one.
pub(crate) async fn connect_with(options: OptsBuilder) -> Conn {
    for _ in 0..6 {
        let connecting = Conn::new(Opts::from(options.clone()));
        if let Ok(connected) = tokio::time::timeout(Duration::from_secs(10), connecting).await {
            return connected.expect("connected");
        }
    }
    panic!("no connection within a minute");
}

/// Whether only replication and administrators may write there. Returns the administrator's connection.
pub(crate) async fn set_read_only(database: &Database, is_read_only: bool) -> Conn {
    let mut admin = connect_with(database.admin_options()).await;
    let statement = format!("SET GLOBAL read_only = {}", u8::from(is_read_only));
    admin.query_drop(statement).await.expect("set");
    admin
}

/// What tells one incarnation of a server from another.
pub(crate) async fn identity_of(database: &Database) -> (u32, String) {
    let column = match database.flavour() {
        Flavour::MariaDb => "'-'",
        Flavour::MySql => "@@server_uuid",
    };
    let mut connection = connect(database).await;
    let identity = connection.query_first(format!("SELECT @@server_id, {column}")).await.expect("answered");
    identity.expect("a row")
}

pub(crate) async fn run(database: &Database, sql: &str) {
    connect(database).await.query_drop(sql).await.expect(sql);
}

/// The sum of the numbers in the table `t`; `None` if there is no such table.
pub(crate) async fn sum_of_t(database: &Database) -> Option<i64> {
    let sum: Result<Option<i64>, _> =
        connect(database).await.query_first("SELECT CAST(COALESCE(SUM(n), 0) AS SIGNED) FROM t").await;
    sum.ok().map(|row| row.expect("a row"))
}

/// Waits until something is so, for at most ten seconds.
pub(crate) fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
