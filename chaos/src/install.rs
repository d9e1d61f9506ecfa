//! Installs the servers that the testbed needs from the distribution's packages.
//!
//! Only what is missing is installed, and each step is said aloud. Services are left alone: the testbed uses the
//! programs, never a service of the system.

use std::env;
use std::io::{IsTerminal, Write};
use std::process::{Command, ExitStatus, Stdio};

use crate::testbed::{find_program, servers_present};

/// Why the servers could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This process may not install packages.
    #[error("{why}. Run this, then try again:\n\n    {command}\n")]
    NotPossible {
        /// What is in the way.
        why: &'static str,
        /// The command that installs what is missing.
        command: String,
    },
    /// The package manager failed.
    #[error("`{command}` failed with {status}")]
    Failed {
        /// The command.
        command: String,
        /// Its exit status.
        status: ExitStatus,
    },
    /// The package manager could not be started, or the progress could not be written.
    #[error("cannot install: {0}")]
    Io(#[from] std::io::Error),
    /// The packages are there but the programs are not.
    #[error("{0} still missing after the installation")]
    StillMissing(String),
}

/// Installs what is missing, and says on `out` what is done.
///
/// # Errors
/// When something is missing and cannot be installed; the error says what to run.
pub fn install(out: &mut impl Write) -> Result<(), Error> {
    install_packages(out, missing_packages)
}

/// The same with what only tests need: another language's protobuf runtime and compiler.
///
/// # Errors
/// As [`install`].
pub fn install_for_tests(out: &mut impl Write) -> Result<(), Error> {
    install_packages(out, || [missing_packages(), missing_packages_of_tests()].concat())
}

fn install_packages(out: &mut impl Write, missing_packages: impl Fn() -> Vec<&'static str>) -> Result<(), Error> {
    let packages = missing_packages();
    if packages.is_empty() {
        return Ok(());
    }
    let steps = steps(&packages, Rights::of_this_process(), find_program(&["apt-get"]).is_some())?;
    writeln!(out, "Missing: {}. Installing from the distribution's packages.", packages.join(", "))?;
    writeln!(out, "Services of theirs are not needed: the testbed starts servers of its own.")?;
    for step in steps {
        writeln!(out, "+ {}", step.join(" "))?;
        out.flush()?;
        run(&step)?;
    }
    let missing = missing_packages();
    if missing.is_empty() { Ok(()) } else { Err(Error::StillMissing(missing.join(", "))) }
}

/// The packages of what is not on this machine.
fn missing_packages() -> Vec<&'static str> {
    let (database, redis) = servers_present();
    let setpriv = find_program(&["setpriv"]).is_some();
    let needed = [(database, "mariadb-server"), (redis, "redis-server"), (setpriv, "util-linux")];
    needed.into_iter().filter(|(present, _)| !present).map(|(_, package)| package).collect()
}

fn missing_packages_of_tests() -> Vec<&'static str> {
    let needed = [
        (python_with_protobuf().is_some(), "python3-protobuf"),
        (find_program(&["protoc"]).is_some(), "protobuf-compiler"),
    ];
    needed.into_iter().filter(|(present, _)| !present).map(|(_, package)| package).collect()
}

/// A Python whose stock protobuf runtime is installed. The distribution's own comes first: that is the one that its
/// packages serve.
pub fn python_with_protobuf() -> Option<&'static str> {
    ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        let mut import = Command::new(python);
        import.args(["-c", "import google.protobuf"]).stdout(Stdio::null()).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    })
}

/// How this process may become root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    Root,
    /// `sudo` may ask for a password on the terminal.
    SudoAsking,
    /// Nobody is there to be asked.
    SudoSilent,
    None,
}

impl Rights {
    fn of_this_process() -> Self {
        let sudo = find_program(&["sudo"]).is_some();
        match (nix::unistd::geteuid().is_root(), sudo, std::io::stdin().is_terminal()) {
            (true, _, _) => Self::Root,
            (false, true, true) => Self::SudoAsking,
            (false, true, false) => Self::SudoSilent,
            (false, false, _) => Self::None,
        }
    }

    fn prefix(self) -> &'static [&'static str] {
        match self {
            Self::Root | Self::None => &[],
            Self::SudoAsking => &["sudo"],
            Self::SudoSilent => &["sudo", "-n"],
        }
    }
}

/// The commands to run, each with all its words.
fn steps(packages: &[&str], rights: Rights, has_apt: bool) -> Result<[Vec<String>; 2], Error> {
    let by_hand =
        || format!("sudo apt-get update && sudo apt-get install --yes --no-install-recommends {}", packages.join(" "));
    if !has_apt {
        let why = "this machine has no apt-get: install the packages of these names, or their like, by its own means";
        return Err(Error::NotPossible { why, command: by_hand() });
    }
    if rights == Rights::None {
        return Err(Error::NotPossible { why: "installing takes root or sudo", command: by_hand() });
    }
    let step = |words: &[&str]| {
        let environment = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
        [rights.prefix(), &environment, words].concat().iter().map(|&word| word.to_owned()).collect()
    };
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    Ok([step(&["update"]), step(&install)])
}

fn run(words: &[String]) -> Result<(), Error> {
    let (program, arguments) = words.split_first().ok_or_else(|| std::io::Error::other("an empty command"))?;
    let status = Command::new(program).args(arguments).current_dir(env::temp_dir()).status()?;
    if status.success() { Ok(()) } else { Err(Error::Failed { command: words.join(" "), status }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_installs_and_others_go_through_sudo() {
        let cases = [
            (Rights::Root, "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends a b"),
            (
                Rights::SudoAsking,
                "sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends a b",
            ),
            (
                Rights::SudoSilent,
                "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends a b",
            ),
        ];
        for (rights, expect) in cases {
            let [_update, install] = steps(&["a", "b"], rights, true).expect("possible");
            assert_eq!(install.join(" "), expect);
        }
    }

    #[test]
    fn where_it_cannot_be_done_the_command_is_said() {
        for (rights, has_apt) in [(Rights::None, true), (Rights::Root, false)] {
            let text = steps(&["mariadb-server"], rights, has_apt).expect_err("not possible").to_string();
            assert!(text.contains("apt-get install --yes --no-install-recommends mariadb-server"), "{text}");
        }
    }
}
