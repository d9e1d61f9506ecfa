//! The migrations, and which of them a server has.

use std::time::Duration;

use super::failure::Failed;
use super::session::Session;
use super::sql;

/// Tables that are versioned together. The meta primary has both parts in one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Primary,
    Meta,
}

const PRIMARY: &[&str] = &[
    include_str!("migrations/primary_0001.sql"),
    include_str!("migrations/primary_0002.sql"),
    include_str!("migrations/primary_0003.sql"),
    include_str!("migrations/primary_0004.sql"),
    include_str!("migrations/primary_0005.sql"),
    include_str!("migrations/primary_0006.sql"),
    include_str!("migrations/primary_0007.sql"),
    include_str!("migrations/primary_0008.sql"),
    include_str!("migrations/primary_0009.sql"),
    include_str!("migrations/primary_0010.sql"),
    include_str!("migrations/primary_0011.sql"),
];
const META: &[&str] = &[
    include_str!("migrations/meta_0001.sql"),
    include_str!("migrations/meta_0002.sql"),
    include_str!("migrations/meta_0003.sql"),
    include_str!("migrations/meta_0004.sql"),
];

impl Part {
    /// As `schema_version` spells it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Primary => "primary",
            Part::Meta => "meta",
        }
    }

    /// The migrations, the first of which is number 1. Each can be run again after it stopped midway.
    pub(super) fn migrations(self) -> &'static [&'static str] {
        match self {
            Part::Primary => PRIMARY,
            Part::Meta => META,
        }
    }

    /// The version that this program works with.
    pub(super) fn latest(self) -> u32 {
        // A handful.
        self.migrations().len() as u32
    }

    /// The version that a server has.
    pub(super) async fn version(self, session: &mut Session, limit: Duration) -> Result<u32, Failed> {
        let rows: Vec<u32> = session.rows(sql::SCHEMA_VERSION, (self.name(),), limit).await?;
        rows.first().copied().ok_or_else(|| Failed::unexpected("no schema version"))
    }

    /// Whether this program works with that version.
    pub(super) fn check(self, found: u32) -> Result<(), String> {
        let (name, known) = (self.name(), self.latest());
        if found < known {
            Err(format!("its {name} schema is at version {found} and has to be at {known}; run `scrip-proxy migrate`"))
        } else if found > known {
            Err(self.newer(found))
        } else {
            Ok(())
        }
    }

    /// That a server is ahead of this program.
    pub(super) fn newer(self, found: u32) -> String {
        let (name, known) = (self.name(), self.latest());
        format!("its {name} schema is at version {found}, this program knows {known}; use a newer program")
    }
}

/// The statements of a migration, which end in a semicolon at the end of a line.
pub(super) fn statements(migration: &'static str) -> impl Iterator<Item = &'static str> {
    migration.split(";\n").map(|text| text.trim().trim_end_matches(';')).filter(|text| !text.is_empty())
}
