//! A fresh data folder, made once for each program and copied from then on.
//!
//! Initialising a database takes seconds, copying the result takes milliseconds. The copy to copy from is kept in the
//! user's cache folder. Testbeds that start at once wait for one another at a lock; the finished folder appears by a
//! rename, so there is never half of one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use super::Error;
use super::binary::{DatabaseProgram, Flavour, find_program};
use super::folder::{lock_file, make_private_folder, user_folder};
use super::process::tied_command;

/// Part of the cached folder's name: raise it when the way of making one changes.
const FORMAT: u32 = 1;

/// The folder to copy from, made now if this program has none yet.
pub(crate) fn template(program: &DatabaseProgram) -> Result<PathBuf, Error> {
    let cache = make_private_folder(&cache_folder()?)?;
    let name = template_name(program);
    let finished = cache.join(&name);
    let _lock = lock_file(&cache.join(format!("{name}.lock")))?;
    if !finished.exists() {
        let draft = cache.join(format!("{name}.draft"));
        drop(fs::remove_dir_all(&draft));
        make_private_folder(&draft)?;
        initialise(program, &draft)?;
        forget_identity(&draft)?;
        fs::rename(&draft, &finished).map_err(Error::io(format!("rename to {}", finished.display())))?;
    }
    Ok(finished)
}

/// Copies a data folder, sharing blocks where the file system can and leaving out blocks of zeros.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), Error> {
    let mut command = Command::new("cp");
    command.args(["--recursive", "--preserve=mode", "--reflink=auto", "--sparse=always", "--no-target-directory"]);
    let output = command.arg(from).arg(to).stdin(Stdio::null()).output().map_err(Error::io("run cp"))?;
    check("cp", &output)
}

/// Makes the next start from this data folder a new server: MySQL draws a new `server_uuid` when the file is missing.
pub(crate) fn forget_identity(data: &Path) -> Result<(), Error> {
    match fs::remove_file(data.join("auto.cnf")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove auto.cnf")(error)),
        _ => Ok(()),
    }
}

/// The argument that names the user to run as; servers refuse to run as root without it.
pub(crate) fn user_argument() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten()?;
    Some(format!("--user={}", user.name))
}

fn cache_folder() -> Result<PathBuf, Error> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(match cache {
        Some(cache) => cache,
        None => user_folder()?,
    }
    .join("scrip-testbed"))
}

fn template_name(program: &DatabaseProgram) -> String {
    let real = fs::canonicalize(&program.path).unwrap_or_else(|_| program.path.clone());
    let file = fs::metadata(&real).ok();
    let mut hasher = DefaultHasher::new();
    (FORMAT, &real, file.as_ref().map(fs::Metadata::len), file.and_then(|file| file.modified().ok())).hash(&mut hasher);
    let version: String =
        program.version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let flavour = match program.flavour {
        Flavour::MariaDb => "mariadb",
        Flavour::MySql => "mysql",
    };
    format!("{flavour}-{version}-{:016x}", hasher.finish())
}

fn initialise(program: &DatabaseProgram, data: &Path) -> Result<(), Error> {
    let mut command = match program.flavour {
        Flavour::MariaDb => mariadb_installer(program, data)?,
        Flavour::MySql => mysql_initialiser(program, data)?,
    };
    command.args(user_argument()).arg(format!("--datadir={}", data.display()));
    let output = command.output().map_err(Error::io("initialise a data folder"))?;
    check("the initialisation of a data folder", &output)
}

fn mariadb_installer(program: &DatabaseProgram, data: &Path) -> Result<Command, Error> {
    let base = program.path.parent().and_then(Path::parent).filter(|base| *base != Path::new("/usr"));
    let beside = base.and_then(|base| installer_in(base).map(|script| (script, base)));
    let (script, base) = match beside {
        Some((script, base)) => (script, Some(base)),
        None => (installer_on_path()?, None),
    };
    let mut command = tied_command(&script, data)?;
    command.arg("--no-defaults").args(base.map(|base| format!("--basedir={}", base.display())));
    command.args(["--auth-root-authentication-method=socket", "--skip-test-db", "--skip-name-resolve"]);
    command.args(["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M", "--innodb-use-native-aio=0"]);
    Ok(command)
}

const INSTALLERS: [&str; 2] = ["mariadb-install-db", "mysql_install_db"];

fn installer_in(base: &Path) -> Option<PathBuf> {
    let folders = ["bin", "scripts"].map(|folder| base.join(folder));
    folders.iter().flat_map(|folder| INSTALLERS.map(|name| folder.join(name))).find(|script| script.is_file())
}

fn installer_on_path() -> Result<PathBuf, Error> {
    find_program(&INSTALLERS).ok_or_else(|| Error::MissingProgram {
        program: INSTALLERS.join(" or "),
        remedy: "install the package mariadb-server".to_owned(),
    })
}

fn mysql_initialiser(program: &DatabaseProgram, data: &Path) -> Result<Command, Error> {
    let mut command = tied_command(&program.path, data)?;
    command.args(["--no-defaults", "--initialize-insecure", "--innodb-redo-log-capacity=8M"]);
    command.args(["--innodb-buffer-pool-size=16M", "--innodb-use-native-aio=0", "--disable-log-bin"]);
    Ok(command)
}

fn check(program: &str, output: &Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Err(Error::ProgramFailed { program: program.to_owned(), status: output.status.to_string(), tail: text })
}
