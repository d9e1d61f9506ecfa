//! Reading a topology from disk. The only I/O of the crate, and done once.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::limits::FILE_LEN_MAX;
use crate::{Topology, Violations};

/// Why a topology file could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read the topology {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is longer than any topology.
    #[error("{path} is longer than {FILE_LEN_MAX} bytes, which no topology is; name another file")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8, as TOML has to be.
    #[error("{path} is not UTF-8 text; save it as UTF-8")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The file was read, and is wrong.
    #[error("the topology {path} is refused, {} to fix:\n{violations}", violations.len())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it.
        violations: Violations,
    },
}

impl Topology {
    /// Loads a file, and the secrets that it names, from the disk and the environment of this process.
    ///
    /// # Errors
    /// When the file cannot be read, or with everything that is wrong with it.
    pub fn load(path: impl AsRef<Path>) -> Result<Topology, LoadError> {
        let path = path.as_ref();
        let base_dir = path.parent().unwrap_or(Path::new(""));
        let env = |name: &str| std::env::var(name).ok();
        Topology::parse(&read_text(path)?, base_dir, &env).map_err(|violations| invalid(path, violations))
    }

    /// Loads a file as [`Topology::parse_without_secrets`] does.
    ///
    /// # Errors
    /// When the file cannot be read, or with everything that is wrong with it.
    pub fn load_without_secrets(path: impl AsRef<Path>) -> Result<Topology, LoadError> {
        let path = path.as_ref();
        Topology::parse_without_secrets(&read_text(path)?).map_err(|violations| invalid(path, violations))
    }
}

fn invalid(path: &Path, violations: Violations) -> LoadError {
    LoadError::Invalid { path: path.to_owned(), violations }
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let owned = || path.to_owned();
    let bytes = read_limited(path, FILE_LEN_MAX)
        .map_err(|source| LoadError::Read { path: owned(), source })?
        .ok_or_else(|| LoadError::TooLong { path: owned() })?;
    String::from_utf8(bytes).map_err(|_| LoadError::NotText { path: owned() })
}

/// The content of a file, or `None` when it is longer than `len_max`. Counts what it reads instead of asking for the
/// length, which a device or a pipe does not have.
pub(crate) fn read_limited(path: &Path, len_max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(len_max + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= len_max).then_some(bytes))
}
