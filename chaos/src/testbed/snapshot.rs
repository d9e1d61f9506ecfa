//! An older copy of a server's data, and what a restart begins with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A copy of a server's data at one instant. It lives in the testbed's folder and ends with it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    path: Arc<PathBuf>,
}

impl Snapshot {
    /// The place for a new copy: not there yet.
    pub(crate) fn reserve(snapshots: &Path, name: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { path: Arc::new(snapshots.join(format!("{name}-{number}"))) }
    }

    /// Where the copy is: a data folder of a database, or an RDB file of Redis.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What a server's restart begins with.
#[derive(Debug, Clone, Copy)]
pub enum RestartWith<'a> {
    /// With what it has. A database keeps its identity. Redis has what it saved when it was stopped cleanly, and nothing
    /// after a kill.
    Data,
    /// With nothing, as a replaced disk. A database gets a new identity.
    Empty,
    /// With an older copy, as a replica that lagged and was promoted. A database gets a new identity.
    Snapshot(&'a Snapshot),
}

/// [`RestartWith`] without the borrow, for the thread that does the work.
#[derive(Debug)]
pub(crate) enum Restart {
    Data,
    Empty,
    Snapshot(Snapshot),
}

impl From<RestartWith<'_>> for Restart {
    fn from(with: RestartWith<'_>) -> Self {
        match with {
            RestartWith::Data => Self::Data,
            RestartWith::Empty => Self::Empty,
            RestartWith::Snapshot(snapshot) => Self::Snapshot(snapshot.clone()),
        }
    }
}
