//! What the figures were measured on: read from the machine and from the servers, not from what was asked for.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use scrip_chaos::evidence::machine;

use crate::deployment::Deployment;
use crate::report::Environment;
use crate::{Error, sql};

/// Reads everything. The commit is that of the sources beside which this program was built, when git knows it.
pub(crate) async fn read(deployment: &Deployment) -> Result<(Environment, BTreeMap<String, String>), Error> {
    let mut variables = variables(deployment).await?;
    let database = variables.remove("version").unwrap_or_default();
    let environment = Environment {
        cores: available_parallelism().map_or(0, usize::from),
        processor: machine::processor(),
        memory_mib: machine::memory_kib() / 1024,
        system: machine::system(),
        kernel: machine::kernel(),
        load_before: fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned(),
        database: if database.contains("MariaDB") { database } else { format!("MySQL {database}") },
        redis: machine::redis(&deployment.testbed).await,
        debug_build: cfg!(debug_assertions),
    };
    Ok((environment, variables))
}

/// The commit, with a mark if tracked files were changed since.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    if changed { format!("{commit}-changed") } else { commit }
}

/// The variables of all primaries; where they differ, all values.
async fn variables(deployment: &Deployment) -> Result<BTreeMap<String, String>, Error> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for primary in deployment.testbed.primaries() {
        let mut conn = Conn::new(Opts::from(primary.options().prefer_socket(false))).await?;
        let rows: Vec<(String, String)> = conn.query(sql::VARIABLES).await?;
        for (name, value) in rows {
            let known = all.entry(name).or_insert_with(|| value.clone());
            if !known.split(" / ").any(|known| known == value) {
                *known = format!("{known} / {value}");
            }
        }
        conn.disconnect().await?;
    }
    Ok(all)
}
