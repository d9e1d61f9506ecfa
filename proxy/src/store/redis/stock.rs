//! The calls of the stock protocol on one shard.

use fred::interfaces::Resp3Frame;
use fred::types::Value;
use scrip_shard_config::stock_key;

use super::link::{CallError, Link};
use super::{KEY_COUNT_MAX, library, reply};
use crate::store::{Deducted, Install, Installed, Release, Run, StockKey, Want};

/// Loads the library and asks once more if it is missing: a deduction may be repeated.
pub(super) async fn deduct(link: &Link, wants: &[Want]) -> Result<Vec<Deducted>, CallError> {
    if wants.is_empty() {
        return Ok(Vec::new());
    }
    let frame = match deduct_once(link, wants).await {
        Err(CallError::Answer(what)) if library::is_missing(&what) => {
            library::run(link).await?;
            deduct_once(link, wants).await?
        }
        answer => answer?,
    };
    let parsed = reply::array(frame).filter(|frames| frames.len() == 2 * wants.len());
    parsed
        .and_then(|frames| frames.chunks_exact(2).map(deducted).collect())
        .ok_or_else(|| reply::not_understood(link, "scrip_deduct"))
}

async fn deduct_once(link: &Link, wants: &[Want]) -> Result<Resp3Frame, CallError> {
    let names = names(link, wants.iter().map(|want| want.key))?;
    let counts = wants.iter().map(|want| Value::Integer(i64::from(want.count)));
    link.fcall("scrip_deduct", names.into_iter(), counts, link.timeouts().deduct).await
}

fn deducted(pair: &[Resp3Frame]) -> Option<Deducted> {
    match (reply::integer(pair.first()?)?, reply::integer(pair.get(1)?)?) {
        (-1, 0) => Some(Deducted::Stale),
        (epoch, count) => {
            Some(Deducted::Granted { epoch: u64::try_from(epoch).ok()?, count: u32::try_from(count).ok()? })
        }
    }
}

/// Where the library is missing the units are stale with everything else, and there is nothing to give them back to.
pub(super) async fn release(link: &Link, units: &[Release]) -> Result<(), CallError> {
    if units.is_empty() {
        return Ok(());
    }
    let names = names(link, units.iter().map(|release| release.key))?;
    let args: Vec<Value> =
        units.iter().flat_map(|release| [decimal(release.epoch), decimal(u64::from(release.count))]).collect();
    match to_the_end(link, "scrip_release", names, args).await {
        Err(CallError::Answer(what)) if library::is_missing(&what) => Ok(()),
        answer => answer.map(drop),
    }
}

/// Where the library is missing the run of step 0 is gone: an error, and the caller settles again.
pub(super) async fn install(link: &Link, run: &Run, installs: &[Install]) -> Result<Vec<Installed>, CallError> {
    if installs.is_empty() {
        return Ok(Vec::new());
    }
    let names = names(link, installs.iter().map(|install| install.key))?;
    let mut args = vec![Value::from(run.0.as_str())];
    args.extend(installs.iter().flat_map(|install| [decimal(install.epoch), decimal(install.count)]));
    let frame = to_the_end(link, "scrip_install", names, args).await?;
    let parsed = reply::array(frame).filter(|frames| frames.len() == installs.len());
    parsed
        .and_then(|frames| frames.iter().map(installed).collect())
        .ok_or_else(|| reply::not_understood(link, "scrip_install"))
}

fn installed(frame: &Resp3Frame) -> Option<Installed> {
    match reply::integer(frame)? {
        0 => Some(Installed::Done),
        1 => Some(Installed::OtherRun),
        2 => Some(Installed::NotNewer),
        _ => None,
    }
}

pub(super) async fn remaining(link: &Link, keys: &[StockKey]) -> Result<Vec<Option<u64>>, CallError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let names = names(link, keys.iter().copied())?;
    let answer = link.fcall("scrip_remaining", names.into_iter(), std::iter::empty(), link.timeouts().call).await;
    let frame = match answer {
        Err(CallError::Answer(what)) if library::is_missing(&what) => return Ok(vec![None; keys.len()]),
        answer => answer?,
    };
    let parsed = reply::array(frame).filter(|frames| frames.len() == keys.len());
    parsed
        .and_then(|frames| frames.iter().map(left).collect())
        .ok_or_else(|| reply::not_understood(link, "scrip_remaining"))
}

fn left(frame: &Resp3Frame) -> Option<Option<u64>> {
    if reply::is_nil(frame) { Some(None) } else { reply::whole(frame).map(Some) }
}

/// Runs a call on a task of its own, so that it ends at its time limit even if the caller is dropped: a command that a
/// dropped caller leaves in the queue is not marked as timed out, and could be written much later.
async fn to_the_end(
    link: &Link,
    function: &'static str,
    names: Vec<Value>,
    args: Vec<Value>,
) -> Result<Resp3Frame, CallError> {
    let own = link.clone();
    let call = async move { own.fcall(function, names.into_iter(), args.into_iter(), own.timeouts().call).await };
    match tokio::spawn(call).await {
        Ok(answer) => answer,
        Err(error) => Err(CallError::NoAnswer(link.say(&format!("{function}: {error}")))),
    }
}

fn names(link: &Link, keys: impl ExactSizeIterator<Item = StockKey>) -> Result<Vec<Value>, CallError> {
    if keys.len() > KEY_COUNT_MAX {
        return Err(CallError::Answer(link.say(&format!("{} keys in one call; {KEY_COUNT_MAX} at most", keys.len()))));
    }
    Ok(keys.map(|key| Value::from(stock_key(key.template.get(), key.sub_stock))).collect())
}

/// The library checks that it is below 2^53.
fn decimal(number: u64) -> Value {
    Value::from(number.to_string())
}
