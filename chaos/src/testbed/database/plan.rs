//! What all database servers of a testbed share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::access::Credentials;
use crate::testbed::binary::DatabaseProgram;
use crate::testbed::secret::write_private;
use crate::testbed::{DatabaseSettings, Error};

/// What all database servers of a testbed share.
#[derive(Debug)]
pub(crate) struct DatabasePlan {
    pub(crate) program: DatabaseProgram,
    pub(crate) settings: DatabaseSettings,
    /// The data folder to copy from.
    pub(crate) template: PathBuf,
    /// The testbed's folder.
    pub(crate) folder: PathBuf,
    pub(super) credentials: Credentials,
    next_server_id: AtomicU32,
}

impl DatabasePlan {
    pub(crate) fn new(
        program: DatabaseProgram,
        settings: DatabaseSettings,
        template: PathBuf,
        folder: PathBuf,
    ) -> Result<Self, Error> {
        let credentials = Credentials::random();
        write_private(&folder.join("init.sql"), &credentials.init_sql())?;
        // Ids of different testbeds differ as well, but for bad luck.
        let next_server_id = AtomicU32::new(rand::random_range(1..u32::MAX / 2));
        Ok(Self { program, settings, template, folder, credentials, next_server_id })
    }

    pub(super) fn new_server_id(&self) -> u32 {
        self.next_server_id.fetch_add(1, Ordering::Relaxed)
    }
}
