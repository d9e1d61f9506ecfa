//! Where the proxy's program is, and how it gets there.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::testbed::Error;

/// Names the proxy's program, in place of the one beside the running program.
const VARIABLE: &str = "SCRIP_PROXY_BIN";
/// The package and the program.
pub(super) const NAME: &str = "scrip-proxy";

/// The proxy's program: `SCRIP_PROXY_BIN`, else `scrip-proxy` beside the running program (tests run one folder further
/// down). `None` if it is in neither place.
pub fn proxy_binary() -> Option<PathBuf> {
    named().or_else(|| {
        let program = env::current_exe().ok()?;
        let places: Vec<PathBuf> = program.ancestors().skip(1).take(2).map(|folder| folder.join(NAME)).collect();
        places.into_iter().find(|place| fs::metadata(place).is_ok_and(|file| file.is_file()))
    })
}

/// Builds the proxy with the profile of the running program, when that was started by cargo; otherwise does nothing.
///
/// Cargo builds only the package that it is asked to run: this brings the proxy up to date beside it. It blocks.
///
/// # Errors
/// When it cannot be built; cargo has said why on standard error.
pub fn build_proxy() -> Result<(), Error> {
    let Some(cargo) = env::var_os("CARGO").filter(|_| named().is_none()) else { return Ok(()) };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", NAME, "--bin", NAME]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().map_err(Error::io("run cargo"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::ProgramFailed {
        program: format!("cargo build -p {NAME}"),
        status: status.to_string(),
        tail: String::new(),
    })
}

pub(super) fn missing() -> Error {
    Error::MissingProgram {
        program: NAME.to_owned(),
        remedy: format!("build it with `cargo build -p {NAME}`, or set {VARIABLE} to its path"),
    }
}

fn named() -> Option<PathBuf> {
    env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}
