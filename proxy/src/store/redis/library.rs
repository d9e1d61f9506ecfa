//! Loads the function library: only when it is missing or older, because loading makes every key of the shard stale.

use std::iter;

use fred::types::Value;

use super::link::{CallError, Link};
use super::reply;
use crate::store::Run;

/// The library.
const SOURCE: &str = include_str!("scrip.lua");

/// As in the library.
const VERSION: u64 = 1;

enum Library {
    Missing,
    Loaded { run: Run, version: u64 },
}

/// The nonce of the library of our version, loaded if need be.
///
/// Cancellation: a load that was sent may still happen, which at worst makes the keys stale.
pub(super) async fn run(link: &Link) -> Result<Run, CallError> {
    if let Library::Loaded { run, version: VERSION } = ask(link).await? {
        return Ok(run);
    }
    let _one_at_a_time = link.loading().lock().await;
    match ask(link).await? {
        Library::Missing => load(link, false).await?,
        Library::Loaded { version, .. } if version < VERSION => load(link, true).await?,
        Library::Loaded { run, version: VERSION } => return Ok(run),
        Library::Loaded { version, .. } => return Err(newer(link, version)),
    }
    match ask(link).await? {
        Library::Loaded { run, version: VERSION } => Ok(run),
        Library::Loaded { version, .. } if version > VERSION => Err(newer(link, version)),
        Library::Loaded { .. } | Library::Missing => {
            Err(CallError::Answer(link.say("somebody else replaces the function library at the same time")))
        }
    }
}

/// Whether an error says that the server lacks the function: the library is missing, or older than the function.
pub(super) fn is_missing(answer: &str) -> bool {
    answer.contains("Function not found")
}

/// Drawn anew for each call: the nonce is made of the first one's.
async fn ask(link: &Link) -> Result<Library, CallError> {
    let salt = format!("{:032x}", rand::random::<u128>());
    let answer = link.fcall("scrip_run", iter::empty(), iter::once(Value::from(salt)), link.timeouts().call).await;
    let frames = match answer {
        Ok(frame) => reply::array(frame),
        Err(CallError::Answer(what)) if is_missing(&what) => return Ok(Library::Missing),
        Err(error) => return Err(error),
    };
    let parsed = frames.as_deref().and_then(|frames| match frames {
        [run, version] => Some(Library::Loaded { run: Run(reply::text(run)?), version: reply::whole(version)? }),
        _ => None,
    });
    parsed.ok_or_else(|| reply::not_understood(link, "scrip_run"))
}

async fn load(link: &Link, replace: bool) -> Result<(), CallError> {
    let words = if replace { &["LOAD", "REPLACE"][..] } else { &["LOAD"][..] };
    let args = words.iter().copied().chain(iter::once(SOURCE)).map(Value::from_static_str).collect();
    match link.call("FUNCTION", args, link.timeouts().call).await {
        // Another proxy was faster. Its library is as good as ours, if it is of our version: the caller looks.
        Err(CallError::Answer(what)) if !replace && what.contains("Library 'scrip' already exists") => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            tracing::info!(shard = %link.shard(), version = VERSION, replace, "function library loaded");
            Ok(())
        }
    }
}

fn newer(link: &Link, version: u64) -> CallError {
    let ours = format!("the function library on the server is version {version}, this proxy knows {VERSION}");
    CallError::Answer(link.say(&format!("{ours}: upgrade the proxy")))
}

#[cfg(test)]
mod tests {
    use super::{SOURCE, VERSION};

    #[test]
    fn the_version_is_the_one_of_the_library() {
        assert!(SOURCE.contains(&format!("\nlocal VERSION = {VERSION}\n")));
        assert!(SOURCE.starts_with("#!lua name=scrip\n"));
    }
}
