//! Loads the function libraries, each only when it is missing or older: loading that of the stock makes every key of the
//! shard stale. Each has a nonce of its own for each of its lives, the run.

use std::iter;

use fred::types::Value;

use super::link::{CallError, Link};
use super::reply;
use crate::store::Run;

/// A library, and how it is asked for its run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Library {
    name: &'static str,
    source: &'static str,
    /// As in its source.
    version: u64,
    run: &'static str,
}

/// Stock, and the second level of the template cache.
const STOCK: Library = Library { name: "scrip", source: include_str!("scrip.lua"), version: 1, run: "scrip_run" };

/// Events. Apart from the stock, so that no change of it makes the stock stale.
pub(super) const EVENTS: Library =
    Library { name: "scrip_events", source: include_str!("events.lua"), version: 1, run: "scrip_events_run" };

enum Found {
    Missing,
    Loaded { run: Run, version: u64 },
}

/// The nonce of the stock's library of our version, loaded if need be.
///
/// Cancellation: a load that was sent may still happen, which at worst makes the keys stale.
pub(super) async fn run(link: &Link) -> Result<Run, CallError> {
    run_of(link, &STOCK).await
}

/// The nonce of a library of our version, loaded if need be.
pub(super) async fn run_of(link: &Link, library: &Library) -> Result<Run, CallError> {
    let ours = library.version;
    match ask(link, library).await? {
        Found::Loaded { run, version } if version == ours => return Ok(run),
        Found::Loaded { .. } | Found::Missing => {}
    }
    let _one_at_a_time = link.loading().lock().await;
    match ask(link, library).await? {
        Found::Missing => load(link, library, false).await?,
        Found::Loaded { version, .. } if version < ours => load(link, library, true).await?,
        Found::Loaded { run, version } if version == ours => return Ok(run),
        Found::Loaded { version, .. } => return Err(newer(link, library, version)),
    }
    match ask(link, library).await? {
        Found::Loaded { run, version } if version == ours => Ok(run),
        Found::Loaded { version, .. } if version > ours => Err(newer(link, library, version)),
        Found::Loaded { .. } | Found::Missing => {
            Err(CallError::Answer(link.say("somebody else replaces the function library at the same time")))
        }
    }
}

/// Whether an error says that the server lacks the function: the library is missing, or older than the function.
pub(super) fn is_missing(answer: &str) -> bool {
    answer.contains("Function not found")
}

/// Drawn anew for each call: the nonce is made of the first one's.
async fn ask(link: &Link, library: &Library) -> Result<Found, CallError> {
    let salt = format!("{:032x}", rand::random::<u128>());
    let answer = link.fcall(library.run, iter::empty(), iter::once(Value::from(salt)), link.timeouts().call).await;
    let frames = match answer {
        Ok(frame) => reply::array(frame),
        Err(CallError::Answer(what)) if is_missing(&what) => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    let parsed = frames.as_deref().and_then(|frames| match frames {
        [run, version] => Some(Found::Loaded { run: Run(reply::text(run)?), version: reply::whole(version)? }),
        _ => None,
    });
    parsed.ok_or_else(|| reply::not_understood(link, library.run))
}

async fn load(link: &Link, library: &Library, replace: bool) -> Result<(), CallError> {
    let words = if replace { &["LOAD", "REPLACE"][..] } else { &["LOAD"][..] };
    let args = words.iter().copied().chain(iter::once(library.source)).map(Value::from_static_str).collect();
    match link.call("FUNCTION", args, link.timeouts().call).await {
        // Another proxy was faster. Its library is as good as ours, if it is of our version: the caller looks.
        Err(CallError::Answer(what)) if !replace && what.contains("already exists") => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            let Library { name, version, .. } = library;
            tracing::info!(shard = %link.shard(), name, version, replace, "function library loaded");
            Ok(())
        }
    }
}

fn newer(link: &Link, library: &Library, version: u64) -> CallError {
    let Library { name, version: known, .. } = library;
    let ours = format!("the function library {name} on the server is version {version}, this proxy knows {known}");
    CallError::Answer(link.say(&format!("{ours}: upgrade the proxy")))
}

#[cfg(test)]
mod tests {
    use super::{EVENTS, STOCK};

    #[test]
    fn the_version_is_the_one_of_the_library() {
        for library in [STOCK, EVENTS] {
            assert!(library.source.contains(&format!("\nlocal VERSION = {}\n", library.version)));
            assert!(library.source.starts_with(&format!("#!lua name={}\n", library.name)));
            assert!(library.source.contains(&format!("function_name = '{}'", library.run)));
        }
    }
}
