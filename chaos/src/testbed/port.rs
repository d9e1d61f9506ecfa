//! Loopback ports that stay reserved while their server is down.
//!
//! A server that restarts keeps its port, so the port must not be given away in between: neither to another testbed of
//! this user (a locked file stands for each port) nor to an outgoing connection (the range lies below the one that
//! Linux uses for those). Programs that know nothing of this are seen by a trial bind, and met by trying again.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::folder::{make_private_folder, open_lock_file, user_folder};

const FIRST: u16 = 12_000;
const LAST: u16 = 31_999;

/// A port of this testbed, until dropped.
#[derive(Debug)]
pub(crate) struct PortLease {
    port: u16,
    lock_path: PathBuf,
    _lock: File,
}

impl PortLease {
    /// Reserves a port that nothing listens on, beginning the search at a random one.
    pub(crate) fn take() -> Result<Self, Error> {
        let folder = make_private_folder(&user_folder()?.join("ports"))?;
        let count = LAST - FIRST + 1;
        let start = rand::random_range(0..count);
        (0..count)
            .map(|step| FIRST + ((u32::from(start) + u32::from(step)) % u32::from(count)) as u16)
            .find_map(|port| Self::try_take(&folder, port))
            .ok_or(Error::NoFreePort { first: FIRST, last: LAST })
    }

    fn try_take(folder: &Path, port: u16) -> Option<Self> {
        let lock_path = folder.join(port.to_string());
        let lock = open_lock_file(&lock_path).ok()?;
        lock.try_lock().ok()?;
        let lease = Self { port, lock_path, _lock: lock };
        (lease.is_current() && TcpListener::bind(lease.address()).is_ok()).then_some(lease)
    }

    /// Whether the locked file is still the one that the path names: its last holder may have removed it.
    fn is_current(&self) -> bool {
        let locked = self._lock.metadata().map(|file| file.ino());
        let named = fs::metadata(&self.lock_path).map(|file| file.ino());
        matches!((locked, named), (Ok(locked), Ok(named)) if locked == named)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// Removes the files of leases whose holders were killed.
pub(crate) fn sweep_leases() -> Result<(), Error> {
    let folder = make_private_folder(&user_folder()?.join("ports"))?;
    for entry in fs::read_dir(&folder).map_err(Error::io("list the leased ports"))?.flatten() {
        // Taking the lease and dropping it at once removes the file.
        let port = entry.file_name().to_string_lossy().parse();
        drop(port.ok().and_then(|port| PortLease::try_take(&folder, port)));
    }
    Ok(())
}

impl Drop for PortLease {
    fn drop(&mut self) {
        if self.is_current() {
            drop(fs::remove_file(&self.lock_path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn leases_are_distinct() {
        let leases: Vec<PortLease> = (0..50).map(|_| PortLease::take().expect("a port")).collect();
        let ports: HashSet<u16> = leases.iter().map(PortLease::port).collect();
        assert_eq!(ports.len(), leases.len());
    }

    #[test]
    fn a_leased_port_is_not_given_twice_and_returns_after_its_lease() {
        let lease = PortLease::take().expect("a port");
        let folder = lease.lock_path.parent().expect("a folder").to_path_buf();
        let port = lease.port();
        assert!(PortLease::try_take(&folder, port).is_none());
        drop(lease);
        assert!(PortLease::try_take(&folder, port).is_some());
        assert!(!folder.join(port.to_string()).exists());
    }
}
