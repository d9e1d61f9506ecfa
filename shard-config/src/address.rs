//! Where a server listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::limits::SOCKET_PATH_LEN_MAX;

/// Where a server listens: `127.0.0.1:3306`, `db-7.internal:3306`, `[::1]:3306` or `unix:/run/mysqld.sock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A host name or IP address and a port.
    Tcp {
        /// Name or address, an IPv6 address without its brackets.
        host: String,
        /// Port, never 0.
        port: u16,
    },
    /// A Unix socket by its absolute path.
    Unix(PathBuf),
}

/// Why a text is no [`Address`]. Each message says what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// User and password have fields of their own.
    #[error("write host:port only; user and password have fields of their own")]
    Credentials,
    /// No port, or not a number from 1 to 65535.
    #[error("write host:port with a port from 1 to 65535, or unix:/path")]
    Port,
    /// The host is empty or holds something that no host name does.
    #[error("write a host name or an IP address before the port")]
    Host,
    /// An IPv6 address stands in brackets.
    #[error("write an IPv6 address in brackets: [::1]:3306")]
    Ipv6,
    /// The socket path is relative: it would depend on the directory of whoever reads it.
    #[error("write an absolute path after unix:")]
    RelativePath,
    /// The socket path is longer than the operating system takes.
    #[error("a Unix socket path has at most {SOCKET_PATH_LEN_MAX} bytes; use a shorter one")]
    LongPath,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        match text.strip_prefix("unix:") {
            Some(path) => unix(path),
            None => tcp(text),
        }
    }
}

fn unix(path: &str) -> Result<Address, AddressError> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(AddressError::RelativePath);
    }
    if path.len() > SOCKET_PATH_LEN_MAX {
        return Err(AddressError::LongPath);
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

fn tcp(text: &str) -> Result<Address, AddressError> {
    if text.contains('@') {
        return Err(AddressError::Credentials);
    }
    let (host, port) = text.rsplit_once(':').ok_or(AddressError::Port)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => ipv6(rest.strip_suffix(']').ok_or(AddressError::Ipv6)?)?,
        // A scheme such as mysql:// has its colon before the slash, and is no IPv6 address.
        None if host.contains(':') && !host.contains('/') => return Err(AddressError::Ipv6),
        None => host_name(host)?,
    };
    Ok(Address::Tcp { host, port: port_number(port)? })
}

fn ipv6(host: &str) -> Result<String, AddressError> {
    // Kept in its canonical spelling, so that two spellings of one address compare equal.
    let address = host.parse::<std::net::Ipv6Addr>().map_err(|_| AddressError::Ipv6)?;
    Ok(address.to_string())
}

fn host_name(host: &str) -> Result<String, AddressError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() || host.len() > 253 || !host.chars().all(legal) {
        return Err(AddressError::Host);
    }
    Ok(host.to_ascii_lowercase())
}

fn port_number(port: &str) -> Result<u16, AddressError> {
    // `parse` alone would take "+3306".
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressError::Port);
    }
    port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::Port)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
