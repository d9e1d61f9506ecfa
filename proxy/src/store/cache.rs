//! The second level of the template cache, as the refresher sees it.

use std::time::Duration;

use bytes::Bytes;
use scrip_protocol::TemplateId;

use super::StoreError;

/// A template as it is cached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedTemplate {
    /// Which.
    pub template: TemplateId,
    /// Grows with every change of any template; below 2^53.
    pub revision: u64,
    /// The template, encoded by the caller.
    pub blob: Bytes,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The cache holds all that changed up to this revision. 0: it is empty, or was lost.
    pub head: u64,
    /// By revision. Fewer than asked for: there are no more.
    pub templates: Vec<CachedTemplate>,
}

/// Where the proxies keep for each other what meta said last. Everything in it can be lost at any moment. Each call is one
/// attempt with a short time limit: a claim can do without it.
pub trait CacheStore: Send + Sync + 'static {
    /// Takes the lock for `ttl`, if nobody holds it. It is not given back: it ends by itself.
    fn lock(&self, owner: &str, ttl: Duration) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Writes templates, and answers the head. They are all that changed above `since` up to the last of them, by
    /// revision. A template never gives way to an older one. The head moves only if it had reached `since`.
    fn put(&self, since: u64, templates: &[CachedTemplate]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The head, and up to `count_max` templates that changed above `revision`.
    fn changed_since(&self, revision: u64, count_max: u32) -> impl Future<Output = Result<Changes, StoreError>> + Send;
}
