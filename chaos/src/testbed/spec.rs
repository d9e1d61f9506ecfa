//! What a testbed is to consist of.

use std::path::PathBuf;

/// What [`Testbed::start`](super::Testbed::start) starts.
#[derive(Debug, Clone)]
pub struct TestbedSpec {
    /// How many database servers.
    pub primaries: u16,
    /// How many Redis servers.
    pub shards: u16,
    /// How many replicas each database server has. With any, the servers keep a binary log.
    pub replicas_per_primary: u16,
    /// The database server's program; by default the one on `PATH` (`mariadbd` or `mysqld`).
    pub database_server: Option<PathBuf>,
    /// The Redis server's program; by default the one on `PATH` (`redis-server` or `valkey-server`).
    pub redis_server: Option<PathBuf>,
    /// Where the testbed makes its folder; by default the folder for temporary files. It must be short enough for what
    /// is put below it and on a file system with room for about 50 MiB a database server.
    pub folder: Option<PathBuf>,
    /// Whether a fault-injecting [`Link`](super::Link) stands before each server, and the topology names the links.
    pub links: bool,
    /// Database servers, by index, whose data is on a small file system of their own that can be filled
    /// ([`Database::fill_disk`](super::Database::fill_disk)). It is memory.
    pub small_disks: Vec<u16>,
    /// Settings of every database server.
    pub database: DatabaseSettings,
}

impl TestbedSpec {
    /// A testbed of this size with default settings.
    pub fn new(primaries: u16, shards: u16) -> Self {
        Self {
            primaries,
            shards,
            replicas_per_primary: 0,
            database_server: None,
            redis_server: None,
            folder: None,
            links: false,
            small_disks: Vec::new(),
            database: DatabaseSettings::default(),
        }
    }

    /// The same with a fault-injecting link before each server.
    #[must_use]
    pub fn with_links(mut self) -> Self {
        self.links = true;
        self
    }

    /// The same with so many replicas of each database server, which the topology names.
    #[must_use]
    pub fn with_replicas(mut self, replicas_per_primary: u16) -> Self {
        self.replicas_per_primary = replicas_per_primary;
        self
    }

    /// The same with this database server's program.
    #[must_use]
    pub fn with_database_server(mut self, program: impl Into<PathBuf>) -> Self {
        self.database_server = Some(program.into());
        self
    }
}

/// Settings of a database server that a test or a benchmark may want to choose.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// What an acknowledged commit survives.
    pub durability: Durability,
    /// InnoDB's buffer pool, in MiB. At least 8.
    pub buffer_pool_mib: u32,
    /// InnoDB's redo log, in MiB. At least 8.
    pub redo_mib: u32,
    /// Row-based binary log, with `sync_binlog=1` if durability is full.
    pub binlog: bool,
    /// How many clients may be connected at once.
    pub max_connections: u32,
    /// Further arguments for the server, after all others. Never a secret: they show in process lists.
    pub extra_arguments: Vec<String>,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            buffer_pool_mib: 32,
            redo_mib: 16,
            binlog: false,
            max_connections: 300,
            extra_arguments: Vec::new(),
        }
    }
}

/// What an acknowledged commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Power loss: redo log flushed at each commit, doublewrite on.
    Full,
    /// Death of the server's process, but not power loss: redo log written at each commit and flushed once a second.
    ProcessCrash,
}
