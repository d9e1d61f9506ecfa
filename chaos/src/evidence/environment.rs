//! Where the figures come from.

use std::collections::BTreeSet;
use std::fs;
use std::thread::available_parallelism;

use serde::Serialize;

use crate::oracle::StoresView;
use crate::testbed::Testbed;

/// The machine and the servers.
#[derive(Debug, Serialize)]
pub(crate) struct Environment {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_gib: u64,
    pub(crate) system: String,
    pub(crate) kernel: String,
    /// As the servers say it themselves.
    pub(crate) database: String,
    /// As the servers say it themselves.
    pub(crate) redis: String,
    /// This program was built without optimisation, so the figures say nothing.
    pub(crate) debug_build: bool,
}

impl Environment {
    pub(crate) async fn read(testbed: &Testbed, view: &StoresView) -> Self {
        let databases: BTreeSet<&str> = view.servers.iter().map(|server| server.version.as_str()).collect();
        let databases: Vec<&str> = databases.into_iter().collect();
        Self {
            cores: available_parallelism().map_or(0, usize::from),
            processor: value_of("/proc/cpuinfo", "model name", ':'),
            memory_gib: memory_gib(),
            system: value_of("/etc/os-release", "PRETTY_NAME", '=').trim_matches('"').to_owned(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            database: name_of(&databases.join(", ")),
            redis: redis(testbed).await,
            debug_build: cfg!(debug_assertions),
        }
    }
}

fn name_of(version: &str) -> String {
    // MariaDB says its name in its version; MySQL does not.
    if version.contains("MariaDB") { format!("MariaDB {version}") } else { format!("MySQL {version}") }
}

async fn redis(testbed: &Testbed) -> String {
    let Some(shard) = testbed.shards().first() else { return String::new() };
    let info = shard.command("INFO", &["server"]).await.unwrap_or_default();
    let value = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match (value("valkey_version:"), value("redis_version:")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, version) => format!("Redis {}", version.unwrap_or("of an unknown version")),
    }
}

fn memory_gib() -> u64 {
    let text = value_of("/proc/meminfo", "MemTotal", ':');
    let kib: u64 = text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
    kib.div_ceil(1 << 20)
}

/// The value of the first line that begins with `key`; empty if there is none.
fn value_of(path: &str, key: &str, separator: char) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(separator)).map_or_else(String::new, |(_, value)| value.trim().to_owned())
}
