//! Room on disk, before it is needed.

use std::path::Path;
use std::process::Command;

use crate::Error;

/// What must stay free for everything else.
const RESERVE: u64 = 2 << 30;

/// Refuses to write so many bytes below `folder` where they would fill the disk.
pub(crate) fn check_room(folder: &Path, bytes: u64) -> Result<(), Error> {
    let free = free_bytes(folder)?;
    if bytes + RESERVE <= free {
        return Ok(());
    }
    let mib = |bytes: u64| bytes >> 20;
    let (wanted, free, folder) = (mib(bytes + RESERVE), mib(free), folder.display());
    let mend = "measure smaller sizes, or set TMPDIR to a folder on a larger disk";
    Err(Error::Arguments(format!("{wanted} MiB are needed at {folder} and {free} MiB are free: {mend}")))
}

fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let failed = |problem: String| Error::Usage { path: format!("the free space of {}", folder.display()), problem };
    let output = Command::new("df").args(["-P", "-k"]).arg(folder).output();
    let output = output.map_err(|error| failed(format!("df: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let kib = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)).and_then(|word| word.parse().ok());
    kib.map(|kib: u64| kib << 10).ok_or_else(|| failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_disk_has_room_for_everything() {
        let folder = std::env::temp_dir();
        assert!(free_bytes(&folder).expect("a size") > 0);
        let error = check_room(&folder, u64::MAX >> 2).expect_err("too much").to_string();
        assert!(error.contains("MiB are free"), "{error}");
    }
}
