//! All tests of the workspace, after installing what they need.

use std::env;
use std::io::Write;
use std::process::{Command, ExitStatus};

use crate::install::{self, install_for_tests};

/// Why the tests could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server is missing and could not be installed.
    #[error(transparent)]
    Install(#[from] install::Error),
    /// Cargo could not be started.
    #[error("cannot run cargo: {0}")]
    Cargo(std::io::Error),
}

/// Runs every test of the workspace with the output inherited, and returns how it ended.
///
/// `further` is put at the end of the command, as in `-p scrip-chaos` or `-- --nocapture`.
///
/// # Errors
/// When the tests could not be run at all.
pub fn suite(out: &mut impl Write, further: &[String]) -> Result<ExitStatus, Error> {
    install_for_tests(out)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--all-features", "--no-fail-fast"]);
    if !further.iter().any(|word| word == "-p" || word == "--package") {
        command.arg("--workspace");
    }
    command.args(further).status().map_err(Error::Cargo)
}
