//! Where the figures come from.

use std::collections::BTreeSet;
use std::thread::available_parallelism;

use serde::Serialize;

use super::machine;
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
            processor: machine::processor(),
            memory_gib: machine::memory_kib().div_ceil(1 << 20),
            system: machine::system(),
            kernel: machine::kernel(),
            database: name_of(&databases.join(", ")),
            redis: machine::redis(testbed).await,
            debug_build: cfg!(debug_assertions),
        }
    }
}

fn name_of(version: &str) -> String {
    // MariaDB says its name in its version; MySQL does not.
    if version.contains("MariaDB") { format!("MariaDB {version}") } else { format!("MySQL {version}") }
}
