//! The ready file: tells whoever started this process where it listens.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

/// What the file holds, as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// Where callers connect; the port that was given where the configuration says 0.
    pub listen: SocketAddr,
    /// Where metrics and health answer.
    pub admin_listen: SocketAddr,
    /// This process.
    pub pid: u32,
}

/// Writes the file in one step: who sees it sees all of it.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(path: &Path, ready: &Ready) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", ready.pid));
    std::fs::write(&partial, serde_json::to_string(ready)?)?;
    std::fs::rename(&partial, path)
}
