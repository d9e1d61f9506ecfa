//! Finds the programs of the servers and tells their flavours apart.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// Folders that hold servers but are not on every user's `PATH`.
const SERVER_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Names one more database server that the tests are to run on, beside the one on `PATH`.
const EXTRA_DATABASE_SERVER: &str = "SCRIP_TEST_MYSQL";

const DATABASE_SERVERS: [&str; 2] = ["mariadbd", "mysqld"];
const REDIS_SERVERS: [&str; 2] = ["redis-server", "valkey-server"];

/// Which family a database server is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
}

/// A database server's program and what `--version` says of it.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseProgram {
    pub(crate) path: PathBuf,
    pub(crate) flavour: Flavour,
    /// As in `10.11.6-MariaDB`.
    pub(crate) version: String,
}

impl DatabaseProgram {
    /// Asks the given program, or the one on `PATH`, what it is.
    pub(crate) fn find(given: Option<&Path>) -> Result<Self, Error> {
        let path = given_or_found(given, &DATABASE_SERVERS, "mariadb-server")?;
        let output = Command::new(&path)
            .args(["--no-defaults", "--version"])
            .output()
            .map_err(Error::io(format!("run {} --version", path.display())))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match version_in(&text) {
            Some(version) if output.status.success() => Ok(Self { path, flavour: flavour_in(&text), version }),
            _ => Err(Error::ProgramFailed {
                program: format!("{} --version", path.display()),
                status: output.status.to_string(),
                tail: text + &String::from_utf8_lossy(&output.stderr),
            }),
        }
    }
}

/// The given Redis server's program, or the one on `PATH`.
pub(crate) fn redis_program(given: Option<&Path>) -> Result<PathBuf, Error> {
    given_or_found(given, &REDIS_SERVERS, "redis-server")
}

/// The database servers that a test should run on: the one on `PATH` and the one that `SCRIP_TEST_MYSQL` names.
pub fn database_servers_under_test() -> Vec<PathBuf> {
    let extra = env::var_os(EXTRA_DATABASE_SERVER).filter(|value| !value.is_empty()).map(PathBuf::from);
    find_program(&DATABASE_SERVERS).into_iter().chain(extra).collect()
}

/// Whether the database server and the Redis server are there, in this order.
pub(crate) fn servers_present() -> (bool, bool) {
    (find_program(&DATABASE_SERVERS).is_some(), find_program(&REDIS_SERVERS).is_some())
}

fn given_or_found(given: Option<&Path>, names: &[&str], package: &str) -> Result<PathBuf, Error> {
    let found = match given {
        Some(path) => Some(path.to_path_buf()).filter(|path| path.is_file()),
        None => find_program(names),
    };
    found.ok_or_else(|| Error::MissingProgram {
        program: given.map_or_else(|| names.join(" or "), |path| path.display().to_string()),
        remedy: format!("install the package {package}, or give the path of the program"),
    })
}

/// The first of `names` on `PATH`, or in the folders where distributions put servers.
pub(crate) fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    find_in(&path, names)
}

fn find_in(path: &OsStr, names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> =
        env::split_paths(path).chain(SERVER_FOLDERS.iter().map(PathBuf::from)).filter(|f| f.is_absolute()).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file()))
}

fn flavour_in(version_line: &str) -> Flavour {
    if version_line.contains("MariaDB") { Flavour::MariaDb } else { Flavour::MySql }
}

/// The word after `Ver`.
fn version_in(version_line: &str) -> Option<String> {
    let mut words = version_line.split_whitespace().skip_while(|word| *word != "Ver");
    words.nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavour_and_version_are_read_from_the_version_line() {
        let cases = [
            (
                "mariadbd  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu",
                Flavour::MariaDb,
                "10.11.6-MariaDB-0+deb12u1",
            ),
            ("/usr/sbin/mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community)", Flavour::MySql, "8.0.36"),
        ];
        for (line, flavour, version) in cases {
            assert_eq!(flavour_in(line), flavour, "{line}");
            assert_eq!(version_in(line).as_deref(), Some(version), "{line}");
        }
    }

    #[test]
    fn a_program_that_is_missing_is_named_with_its_package() {
        let error = redis_program(Some(Path::new("/nowhere/redis-server"))).expect_err("there is no such program");
        let text = error.to_string();
        assert!(text.contains("/nowhere/redis-server") && text.contains("redis-server"), "{text}");
    }
}
