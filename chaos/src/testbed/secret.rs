//! Passwords and keys: random, kept out of logs and process lists.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Error;

/// A secret. Its `Debug` output does not show it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// 16 random bytes as 32 hex digits.
    pub(crate) fn random() -> Self {
        Self(hex::encode(rand::random::<[u8; 16]>()))
    }

    /// The secret itself. Never log it, never put it into a command line.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Writes a file that only its owner can read (mode 0600), replacing what was there.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let doing = || Error::io(format!("write {}", path.display()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(doing())?;
    file.write_all(text.as_bytes()).map_err(doing())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::random();
        assert_eq!(secret.expose().len(), 32);
        assert!(!format!("{secret:?}").contains(secret.expose()));
    }

    #[test]
    fn a_private_file_is_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        write_private(&path, "text").expect("written");
        let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
