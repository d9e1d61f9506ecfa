//! Archive files: named so that no two writers ever share one, whole or not there.
//!
//! A file is written as `NAME.part`, and durable with its folder before anything of it is removed from the primary. It gets its
//! name once its primary has registered it. [`Name`] holds the term of the lease that it was written under: who leaves a part
//! behind can no longer register it once another holder has a higher term.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use scrip_shard_config::PrimaryId;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::line::{Head, Tail};

const EXTENSION: &str = ".ndjson.gz";
const PART: &str = ".part";

/// The name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) primary: PrimaryId,
    /// Of the lease that it was written under.
    pub(super) term: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub(super) at_ms: u64,
    /// Who held the lease: one run of one proxy.
    pub(super) owner: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { primary, term, at_ms, owner } = self;
        write!(f, "{primary}_{at_ms:013}_t{term:06}_{owner}{EXTENSION}")
    }
}

impl Name {
    /// The name that a part of this primary will have; `None`: it is something else.
    pub(super) fn of_part(file_name: &str, primary: PrimaryId) -> Option<Self> {
        let name = file_name.strip_suffix(PART)?.strip_suffix(EXTENSION)?;
        let mut pieces = name.strip_prefix(&format!("{primary}_"))?.splitn(3, '_');
        let at_ms = pieces.next()?.parse().ok()?;
        let term = pieces.next()?.strip_prefix('t')?.parse().ok()?;
        let read = Self { primary, term, at_ms, owner: pieces.next()?.to_owned() };
        (format!("{read}{PART}") == file_name).then_some(read)
    }
}

/// Counts what goes through it, and keeps its digest.
struct Digested<W> {
    inner: W,
    sha256: Sha256,
}

impl<W: Write> Write for Digested<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a part, and makes it durable; the digest of what it holds before its last line. What it leaves behind when it fails is
/// no whole file, and is removed later.
pub(super) fn write<T: Serialize>(
    folder: &Path,
    name: &Name,
    head: &Head<'_>,
    bodies: &[T],
    steps: usize,
) -> io::Result<[u8; 32]> {
    let path = folder.join(format!("{name}{PART}"));
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let compressed = GzEncoder::new(BufWriter::new(file), Compression::default());
    let mut out = Digested { inner: compressed, sha256: Sha256::new() };
    line(&mut out, head)?;
    for body in bodies {
        line(&mut out, body)?;
    }
    let digest: [u8; 32] = out.sha256.clone().finalize().into();
    line(&mut out, &Tail { coupons: bodies.len(), steps, sha256: hex::encode(digest) })?;
    let file = out.inner.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    sync(folder)?;
    Ok(digest)
}

fn line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Gives a registered part its name.
pub(super) fn finish(folder: &Path, name: &Name) -> io::Result<()> {
    fs::rename(folder.join(format!("{name}{PART}")), folder.join(name.to_string()))?;
    sync(folder)
}

/// Removes a part that can never be registered.
pub(super) fn discard(folder: &Path, name: &Name) -> io::Result<()> {
    fs::remove_file(folder.join(format!("{name}{PART}")))
}

/// The parts of a primary in a folder.
pub(super) fn parts(folder: &Path, primary: PrimaryId) -> io::Result<Vec<Name>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file_name = entry?.file_name();
        parts.extend(file_name.to_str().and_then(|file_name| Name::of_part(file_name, primary)));
    }
    Ok(parts)
}

/// What was made, renamed or removed in the folder outlasts a power failure.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::archive::line::head;

    fn name() -> Name {
        Name { primary: PrimaryId(3), term: 7, at_ms: 1_700_000_000_123, owner: "proxy_a-00ff".to_owned() }
    }

    #[test]
    fn names_tell_who_wrote_under_which_term() {
        let name = name();
        assert_eq!(name.to_string(), "p03_1700000000123_t000007_proxy_a-00ff.ndjson.gz");
        let read = |text: &str| Name::of_part(text, PrimaryId(3));
        assert_eq!(read("p03_1700000000123_t000007_proxy_a-00ff.ndjson.gz.part"), Some(name));
        for other in [
            "p03_1700000000123_t000007_proxy_a-00ff.ndjson.gz",
            "p04_1700000000123_t000007_proxy_a-00ff.ndjson.gz.part",
            "p03_1700000000123_t7_proxy_a-00ff.ndjson.gz.part",
            "p03_1700000000123_000007_proxy_a-00ff.ndjson.gz.part",
            "notes.part",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_part_is_whole_and_never_written_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let digest = write(folder.path(), &name(), &head("p03", 5), &["one", "two"], 4).expect("written");
        let again = write(folder.path(), &name(), &head("p03", 5), &["other"], 0).expect_err("it is there");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(parts(folder.path(), PrimaryId(3)).expect("read"), [name()]);
        finish(folder.path(), &name()).expect("renamed");
        assert_eq!(parts(folder.path(), PrimaryId(3)).expect("read"), []);

        let mut text = String::new();
        let file = File::open(folder.path().join(name().to_string())).expect("a file");
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
        let before = "{\"scrip_archive\":1,\"primary\":\"p03\",\"at_ms\":5}\n\"one\"\n\"two\"\n";
        assert_eq!(digest, <[u8; 32]>::from(Sha256::digest(before)));
        let last = format!("{{\"coupons\":2,\"steps\":4,\"sha256\":\"{}\"}}\n", hex::encode(digest));
        assert_eq!(text, format!("{before}{last}"));
    }
}
