//! Secrets, and the references by which the file names them.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::limits::SECRET_LEN_MAX;

/// A password. It is not shown by `Debug`, has no `Display`, and leaves only through [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    #[must_use]
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The password itself. Hand it to the driver and to nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// How the topology file names a secret. It never holds the secret itself, so it can be committed and mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// `{ env = "NAME" }`: an environment variable of the process that loads the file.
    Env(String),
    /// `{ file = "path" }`: the content of a file, one trailing newline removed. Relative to the topology file.
    File(PathBuf),
}

/// Why a [`SecretRef`] leads to no secret. None of the messages holds any part of one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the environment variable is not set; set it, or use {{ file = \"path\" }}")]
    NotSet,
    #[error("the secret is empty; give it a value, or remove the key where there is no password")]
    Empty,
    #[error("the file cannot be read ({0}); create it, or correct the path")]
    Unreadable(std::io::ErrorKind),
    #[error("the file is longer than {SECRET_LEN_MAX} bytes; name the file that holds the secret alone")]
    TooLong,
    #[error("the file is not UTF-8 text; write the secret as text")]
    NotText,
}

impl SecretRef {
    pub(crate) fn resolve(&self, base_dir: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, SecretError> {
        let text = match self {
            SecretRef::Env(name) => env(name).ok_or(SecretError::NotSet)?,
            SecretRef::File(path) => read(&base_dir.join(path))?,
        };
        if text.is_empty() { Err(SecretError::Empty) } else { Ok(Secret(text)) }
    }
}

fn read(path: &Path) -> Result<String, SecretError> {
    let bytes = crate::load::read_limited(path, SECRET_LEN_MAX)
        .map_err(|error| SecretError::Unreadable(error.kind()))?
        .ok_or(SecretError::TooLong)?;
    let mut text = String::from_utf8(bytes).map_err(|_| SecretError::NotText)?;
    // Editors and `echo` end a file with a newline that is no part of the secret. Spaces may be.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}
