//! The testbed's folder: locked by its owner, removed at the end, swept by others if the owner could not.
//!
//! Three things remove it: the owner's drop; a janitor process that waits for the owner's end on a pipe (this covers
//! `kill -9` and statics, which are never dropped); and the sweep of the next testbed.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::{env, fs, io};

use nix::sys::signal::{Signal, kill};

use super::port::sweep_leases;
use super::process::{MARK, pid_of, spawn};
use super::{Error, Secret};

const BED_PREFIX: &str = "bed-";
const OWNER_LOCK: &str = "owner.lock";

/// Waits for end of file on its input, which comes when the owner is gone, and removes the folder. It is tried twice, as
/// the servers are being killed at that moment.
const JANITOR: &str =
    r#"cat >/dev/null; for pause in 0.1 1; do sleep $pause; rm -rf -- "$1" && exit; done 2>/dev/null"#;

/// A folder that belongs to one testbed.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _owner: File,
    janitor: Option<(Child, ChildStdin)>,
}

impl Folder {
    /// Sweeps what dead owners left in `parent` (by default the user's folder for temporary files) and makes a new one.
    pub(crate) fn create(parent: Option<&Path>) -> Result<Self, Error> {
        let parent = match parent {
            Some(parent) => make_private_folder(parent)?,
            None => user_folder()?,
        };
        let _sweep = lock_file(&parent.join("sweep.lock"))?;
        sweep(&parent);
        sweep_leases()?;
        let name = format!("{BED_PREFIX}{}", &Secret::random().expose()[..8]);
        let path = make_private_folder(&parent.join(name))?;
        let owner = lock_file(&path.join(OWNER_LOCK))?;
        let janitor = Some(start_janitor(&path)?);
        Ok(Self { path, _owner: owner, janitor })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
        if let Some((mut janitor, input)) = self.janitor.take() {
            drop(input);
            drop(janitor.kill());
            drop(janitor.wait());
        }
    }
}

/// The folder of this user's testbeds, for no other user to look into.
pub(crate) fn user_folder() -> Result<PathBuf, Error> {
    let user = nix::unistd::geteuid();
    make_private_folder(&env::temp_dir().join(format!("scrip-testbed-{user}")))
}

/// Makes a folder with mode 0700 unless it exists, and refuses one that belongs to another user.
pub(crate) fn make_private_folder(path: &Path) -> Result<PathBuf, Error> {
    let doing = || Error::io(format!("make the folder {}", path.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(doing())?;
    let path = fs::canonicalize(path).map_err(doing())?;
    if fs::metadata(&path).map_err(doing())?.uid() != nix::unistd::geteuid().as_raw() {
        return Err(doing()(io::Error::other("it belongs to another user")));
    }
    Ok(path)
}

/// Opens a file and waits for its exclusive lock, which ends with the returned handle (or with the process).
pub(crate) fn lock_file(path: &Path) -> Result<File, Error> {
    let file = open_lock_file(path).map_err(Error::io(format!("open {}", path.display())))?;
    file.lock().map_err(Error::io(format!("lock {}", path.display())))?;
    Ok(file)
}

pub(crate) fn open_lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn start_janitor(path: &Path) -> Result<(Child, ChildStdin), Error> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("sh");
    command.args(["-c", JANITOR, "scrip-testbed-janitor"]).arg(path);
    command.current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let doing = || Error::io("start the janitor of the testbed's folder");
    let mut janitor = spawn(command).map_err(doing())?;
    let input = janitor.stdin.take().ok_or_else(|| doing()(io::Error::other("it has no input")))?;
    Ok((janitor, input))
}

/// Removes the folders in `parent` whose owners are gone, after killing what is left of their servers.
fn sweep(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for path in entries.filter(|entry| is_bed(&entry.file_name().to_string_lossy())).map(|entry| entry.path()) {
        let lock = open_lock_file(&path.join(OWNER_LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            kill_marked(&path);
            drop(fs::remove_dir_all(&path));
        }
    }
}

fn is_bed(name: &str) -> bool {
    name.starts_with(BED_PREFIX)
}

/// Kills the processes whose environment says that they belong to the testbed in `folder`.
///
/// They normally die with their parent. What this catches is a child whose parent died in the instant between fork
/// and the request to the kernel to be told of it.
fn kill_marked(folder: &Path) {
    let mark = format!("{MARK}={}", folder.display()).into_bytes();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == mark) {
            // It may be gone already.
            kill(pid_of(pid), Signal::SIGKILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_swept_only_when_its_owner_is_gone() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let stale = parent.path().join("bed-stale");
        fs::create_dir(&stale).expect("made");
        let living = Folder::create(Some(parent.path())).expect("a folder");
        let other = Folder::create(Some(parent.path())).expect("a second folder");
        assert!(!stale.exists());
        assert!(living.path().exists() && other.path().exists());
        let path = living.path().to_path_buf();
        drop(living);
        assert!(!path.exists());
    }
}
