//! The second level of the template cache: what MySQL said last, kept where every proxy finds it.
//!
//! It lives on the shard that the ring gives the key `templates`, in three keys: a hash of blobs, a sorted set of their
//! revisions, and a *head*. The cache holds every template that changed up to the head. The head carries the nonce of the
//! library's run, so a Redis that lost its data, or came back with old data, says that its head is 0. To refresh:
//!
//! 1. `lock`; who does not get it leaves the refresh to the one who did.
//! 2. `changed_since(what this proxy knows)` for the head; ask MySQL for what changed above it, page by page;
//! 3. `put(head, page)` for each page, which answers the new head. A head below the one that was passed says that the
//!    cache was lost meanwhile: go on from that head.
//!
//! The lock saves work and protects nothing: two refreshes at once are harmless, since a blob never gives way to an older
//! one.

use std::time::Duration;

use fred::interfaces::Resp3Frame;
use fred::types::Value;
use scrip_protocol::TemplateId;

use super::link::{CallError, Link};
use super::{KEY_COUNT_MAX, library, reply};
use crate::store::StoreError;
use crate::store::cache::{CacheStore, CachedTemplate, Changes};

/// Decides the shard.
pub(super) const KEY: &str = "templates";

const KEYS: [&str; 3] = ["templates:blobs", "templates:revisions", "templates:head"];
const LOCK: &str = "templates:lock";

/// The second level of the template cache. Cheap to clone. Every call has the time limit `cache`.
#[derive(Debug, Clone)]
pub struct TemplateCache {
    link: Link,
}

impl TemplateCache {
    pub(super) fn new(link: Link) -> Self {
        Self { link }
    }

    /// One template, if the cache has it.
    ///
    /// Cancellation: harmless, it only reads.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    pub async fn get(&self, template: TemplateId) -> Result<Option<CachedTemplate>, StoreError> {
        let frame = match self.fcall("scrip_templates_get", vec![Value::from(template.to_string())]).await {
            Err(CallError::Answer(what)) if library::is_missing(&what) => return Ok(None),
            answer => answer?,
        };
        if reply::is_nil(&frame) {
            return Ok(None);
        }
        let found = reply::array(frame).and_then(|frames| match frames.as_slice() {
            [revision, blob] => Some((reply::whole(revision)?, reply::bytes(blob)?)),
            _ => None,
        });
        let found = found.map(|(revision, blob)| Some(CachedTemplate { template, revision, blob }));
        found.ok_or_else(|| reply::not_understood(&self.link, "scrip_templates_get").into())
    }

    async fn fcall(&self, function: &'static str, args: Vec<Value>) -> Result<Resp3Frame, CallError> {
        let keys = KEYS.iter().copied().map(Value::from_static_str);
        self.link.fcall(function, keys, args.into_iter(), self.link.timeouts().cache).await
    }
}

impl CacheStore for TemplateCache {
    /// Cancellation: the lock may have been taken, and then ends by itself.
    async fn lock(&self, owner: &str, ttl: Duration) -> Result<bool, StoreError> {
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1);
        let words = [Value::from_static_str("NX"), Value::from_static_str("PX"), Value::Integer(ttl_ms)];
        let args = [Value::from_static_str(LOCK), Value::from(owner)].into_iter().chain(words).collect();
        let frame = self.link.call("SET", args, self.link.timeouts().cache).await?;
        Ok(!reply::is_nil(&frame))
    }

    /// At most [`KEY_COUNT_MAX`] templates. Cancellation: all of it is written, or nothing.
    async fn put(&self, since: u64, templates: &[CachedTemplate]) -> Result<u64, StoreError> {
        if templates.len() > KEY_COUNT_MAX {
            let what = format!("{} templates in one call; {KEY_COUNT_MAX} at most", templates.len());
            return Err(StoreError::Refused(what));
        }
        // Makes sure of the library, and of a run for the head to carry.
        library::run(&self.link).await?;
        let mut args = vec![Value::from(since.to_string())];
        args.extend(templates.iter().flat_map(arguments));
        let frame = self.fcall("scrip_templates_put", args).await?;
        reply::whole(&frame).ok_or_else(|| reply::not_understood(&self.link, "scrip_templates_put").into())
    }

    /// Cancellation: harmless, it only reads.
    async fn changed_since(&self, revision: u64, count_max: u32) -> Result<Changes, StoreError> {
        let args = vec![Value::from(revision.to_string()), Value::from(count_max.to_string())];
        let frame = match self.fcall("scrip_templates_changed", args).await {
            Err(CallError::Answer(what)) if library::is_missing(&what) => {
                return Ok(Changes { head: 0, templates: Vec::new() });
            }
            answer => answer?,
        };
        reply::array(frame)
            .and_then(|frames| changes(&frames))
            .ok_or_else(|| reply::not_understood(&self.link, "scrip_templates_changed").into())
    }
}

fn arguments(cached: &CachedTemplate) -> [Value; 3] {
    let CachedTemplate { template, revision, blob } = cached;
    [Value::from(template.to_string()), Value::from(revision.to_string()), Value::Bytes(blob.clone())]
}

fn changes(frames: &[Resp3Frame]) -> Option<Changes> {
    let (head, rest) = frames.split_first()?;
    let templates = rest.chunks(3).map(|triple| match triple {
        [id, revision, blob] => Some(CachedTemplate {
            template: TemplateId::try_new(u32::try_from(reply::whole(id)?).ok()?).ok()?,
            revision: reply::whole(revision)?,
            blob: reply::bytes(blob)?,
        }),
        _ => None,
    });
    Some(Changes { head: reply::whole(head)?, templates: templates.collect::<Option<_>>()? })
}
