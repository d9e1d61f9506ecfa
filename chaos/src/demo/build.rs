//! Brings the programs that the demo runs up to date, when it was started by cargo.
//!
//! Cargo builds only the package that it is asked to run. Cargo itself decides what is older than its sources.

use std::env;
use std::process::Stdio;

use tokio::process::Command;

use super::{DemoSpec, Error};
use crate::screen::Screen;
use crate::testbed::proxy_binary;

/// Builds the proxy, and with `--keep` the command-line client, with the profile of the running program.
///
/// Dropping the future kills cargo.
pub(super) async fn build(spec: &DemoSpec, screen: &Screen) -> Result<(), Error> {
    let named = env::var_os("SCRIP_PROXY_BIN").is_some_and(|value| !value.is_empty());
    let Some(cargo) = env::var_os("CARGO") else { return Ok(()) };
    if !named {
        cargo_build(&cargo, &["-p", "scrip-proxy", "--bin", "scrip-proxy"], proxy_binary().is_none(), screen).await?;
    }
    if spec.keep {
        let client = ["-p", "scrip-client", "--features", "cli", "--bin", "scrip"];
        cargo_build(&cargo, &client, true, screen).await?;
    }
    Ok(())
}

/// `aloud`: it will take a while, so cargo shows what it does.
async fn cargo_build(cargo: &std::ffi::OsStr, target: &[&str], aloud: bool, screen: &Screen) -> Result<(), Error> {
    let mut words = vec!["build"];
    if !cfg!(debug_assertions) {
        words.push("--release");
    }
    words.extend(target);
    let command = format!("cargo {}", words.join(" "));
    screen.line(&format!("  + {command}"));
    if !aloud {
        words.push("--quiet");
    }
    let mut cargo = Command::new(cargo);
    cargo.args(&words).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).kill_on_drop(true);
    let failed = |status: String| Error::Build { command: command.clone(), status };
    let status = cargo.status().await.map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}
