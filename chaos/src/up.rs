//! `scrip-chaos testbed up`: servers to try things on by hand.

use std::io::Write;

use comfy_table::{Table, presets};

use crate::testbed::{Error, Flavour, Testbed, TestbedSpec};

/// Starts the servers, prints where they are, and keeps them until `stop` is done.
///
/// # Errors
/// When a server does not start, or the table cannot be written.
pub async fn up(spec: TestbedSpec, out: &mut impl Write, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let started = std::time::Instant::now();
    tokio::pin!(stop);
    let testbed = tokio::select! {
        testbed = Testbed::start(spec) => testbed?,
        () = &mut stop => return Ok(()),
    };
    let elapsed = started.elapsed();
    let written = writeln!(
        out,
        "{}\nFiles, passwords among them: {}\nUp in {elapsed:.1?}. Ctrl-C ends it.",
        table(&testbed),
        testbed.folder().display(),
    );
    written.and_then(|()| out.flush()).map_err(Error::io("print the table"))?;
    stop.await;
    Ok(())
}

fn table(testbed: &Testbed) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["server", "kind", "address", "pid", "log"]);
    for database in testbed.primaries() {
        let kind = match database.flavour() {
            Flavour::MariaDb => "MariaDB",
            Flavour::MySql => "MySQL",
        };
        table.add_row(row(database.name(), kind, database.address(), database.pid(), database.log_path()));
    }
    for shard in testbed.shards() {
        table.add_row(row(shard.name(), "Redis", shard.address(), shard.pid(), shard.log_path()));
    }
    table
}

fn row(name: &str, kind: &str, address: std::net::SocketAddr, pid: Option<u32>, log: &std::path::Path) -> [String; 5] {
    let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    [name.to_owned(), kind.to_owned(), address.to_string(), pid, log.display().to_string()]
}
