//! A file system of a fixed size for one server, which can be filled: what a full disk does, without a disk, and without
//! being root.
//!
//! A process holds a user and a mount namespace in which a `tmpfs` lies over the server's data folder; the server is started
//! inside, and this process reaches the files through `/proc`. It is the kernel that says `ENOSPC`, at whatever write meets
//! it. What is not as on a disk: it is memory, so nothing survives the end of the testbed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Error;
use super::binary::find_program;
use super::process::{Process, tied_command};

const READY_LIMIT: Duration = Duration::from_secs(10);
/// Takes all the room that is left.
const BALLAST: &str = "ballast";
const MOUNTED: &str = "mounted";
const MOUNT: &str = "mount -t tmpfs -o \"size=$2m,mode=700\" tmpfs \"$1\" && : > \"$1/$3\" && exec sleep infinity";

/// A file system of a fixed size.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    holder: Process,
    folder: PathBuf,
}

impl SmallDisk {
    /// Puts one over `folder`, which is made.
    pub(crate) fn start(folder: &Path, mib: u32, name: &str, testbed_folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))?;
        let log = folder.with_extension("disk.log");
        let disk = Self { holder: Process::new(format!("{name}-disk"), log), folder: folder.to_path_buf() };
        let mut command = tied_command(&program("unshare")?, testbed_folder)?;
        command.args(["--user", "--map-root-user", "--mount", "--propagation", "private", "--"]);
        // Whoever enters a namespace is no longer killed with its parent unless it asks for it again.
        command.arg(program("setpriv")?).args(["--pdeathsig", "KILL", "--", "sh", "-c", MOUNT, "sh"]);
        command.arg(folder).args([&mib.to_string(), MOUNTED]);
        disk.holder.start(command)?;
        disk.holder.wait_ready(READY_LIMIT, || {
            fs::remove_file(disk.seen_here()?.join(MOUNTED)).map_err(Error::io("see the file system of a server"))
        })?;
        Ok(disk)
    }

    /// Where this process finds what the server has in the folder.
    pub(crate) fn seen_here(&self) -> Result<PathBuf, Error> {
        let Some(pid) = self.holder.pid() else {
            return Err(Error::WrongState { name: self.holder.name().to_owned(), problem: "is gone" });
        };
        let inside = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        Ok(Path::new("/proc").join(pid.to_string()).join("root").join(inside))
    }

    /// A command that runs `server` where the file system is, tied to this process.
    pub(crate) fn command(&self, server: &Path, testbed_folder: &Path) -> Result<Command, Error> {
        let Some(pid) = self.holder.pid() else {
            return Err(Error::WrongState { name: self.holder.name().to_owned(), problem: "is gone" });
        };
        let mut command = tied_command(&program("nsenter")?, testbed_folder)?;
        command.args(["--target", &pid.to_string(), "--user", "--preserve-credentials", "--mount", "--"]);
        command.arg(program("setpriv")?).args(["--pdeathsig", "KILL", "--"]).arg(server);
        Ok(command)
    }

    /// Removes everything on it.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        let folder = self.seen_here()?;
        let failed = || Error::io(format!("clear {}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(failed())?;
        }
        Ok(())
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) -> Result<(), Error> {
        let path = self.seen_here()?.join(BALLAST);
        let mut file = File::create(&path).map_err(Error::io("fill a disk"))?;
        for len in [1 << 20, 4 << 10] {
            let piece = vec![0; len];
            loop {
                match file.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(Error::io("fill a disk")(error)),
                }
            }
        }
        Ok(())
    }

    /// Gives that room back.
    pub(crate) fn free(&self) -> Result<(), Error> {
        match fs::remove_file(self.seen_here()?.join(BALLAST)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("free a disk")(error)),
            _ => Ok(()),
        }
    }
}

fn program(name: &'static str) -> Result<PathBuf, Error> {
    find_program(&[name]).ok_or_else(|| Error::MissingProgram {
        program: name.to_owned(),
        remedy: "install the package util-linux".to_owned(),
    })
}
