//! What a server says of itself.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest, Sha256};

/// Columns of `meta_primary.identity`.
const IDENTITY_LEN_MAX: usize = 255;

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Oracle's, and what calls itself by its version numbers.
    Mysql,
    /// MariaDB.
    MariaDb,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flavour::Mysql => "MySQL",
            Flavour::MariaDb => "MariaDB",
        })
    }
}

impl Flavour {
    /// The oldest version that is supported.
    fn oldest(self) -> (u16, u16) {
        match self {
            Flavour::Mysql => (8, 0),
            Flavour::MariaDb => (10, 6),
        }
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Whose it is.
    pub flavour: Flavour,
    /// Its version as it writes it.
    pub version: String,
    /// Which server it is among all: the first half of [`crate::store::Server`].
    pub identity: String,
    variables: HashMap<String, String>,
}

impl ServerFacts {
    /// From the rows of SHOW VARIABLES.
    ///
    /// # Errors
    /// A version that is not supported, in words that say which is.
    pub(super) fn new(rows: Vec<(String, String)>) -> Result<ServerFacts, String> {
        let variables: HashMap<String, String> =
            rows.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let version = variables.get("version").cloned().unwrap_or_default();
        let flavour = if version.to_ascii_lowercase().contains("mariadb") { Flavour::MariaDb } else { Flavour::Mysql };
        supported(flavour, &version)?;
        let identity = identity(flavour, &variables);
        Ok(ServerFacts { flavour, version, identity, variables })
    }

    /// A variable of the server; `None`: it has none of this name.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

fn supported(flavour: Flavour, version: &str) -> Result<(), String> {
    // MariaDB up to 10.x may put "5.5.5-" before its version for the sake of old replicas.
    let plain = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = plain.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u16>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= flavour.oldest() {
        return Ok(());
    }
    Err(format!("the server is {flavour} {version}; scrip works on MySQL 8.0 and later and on MariaDB 10.6 and later"))
}

/// MySQL has one id of its own. MariaDB's `server_uid` is made of the host's address and the port, so that servers of
/// one host and all those without a port share it: the rest tells them apart.
fn identity(flavour: Flavour, variables: &HashMap<String, String>) -> String {
    let value = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
    let text = match flavour {
        Flavour::Mysql => value("server_uuid").to_owned(),
        Flavour::MariaDb => format!(
            "{}/{}@{}:{}{}",
            value("server_uid"),
            value("server_id"),
            value("hostname"),
            value("port"),
            value("socket")
        ),
    };
    if text.len() <= IDENTITY_LEN_MAX && text.is_ascii() { text } else { hex::encode(Sha256::digest(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(rows: &[(&str, &str)]) -> Result<ServerFacts, String> {
        ServerFacts::new(rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn versions() {
        for (version, ok) in [
            ("8.0.36", true),
            ("9.7.4-2", true),
            ("5.7.44-log", false),
            ("10.11.19-MariaDB-0+deb12u1", true),
            ("5.5.5-10.6.1-MariaDB", true),
            ("10.5.27-MariaDB", false),
            ("12.0.1-MariaDB", true),
            ("", false),
        ] {
            assert_eq!(facts(&[("version", version)]).is_ok(), ok, "{version}");
        }
    }

    #[test]
    fn identities() {
        let mysql = facts(&[("version", "9.7.4"), ("server_uuid", "u-1"), ("port", "3306")]).expect("supported");
        assert_eq!(mysql.identity, "u-1");
        let rows = [("version", "10.11.2-MariaDB"), ("server_uid", "x="), ("server_id", "7"), ("hostname", "h")];
        let rows = [&rows[..], &[("port", "0"), ("socket", "/s")]].concat();
        assert_eq!(facts(&rows).expect("supported").identity, "x=/7@h:0/s");
    }
}
