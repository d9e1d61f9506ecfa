//! Keeps the snapshot of templates fresh: from Redis (second level), which one proxy at a time keeps fresh from MySQL
//! (truth). A Redis that does not answer costs a read of MySQL, never a claim.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use scrip_protocol::TemplateId;
use scrip_protocol::v1::Template;
use scrip_shard_config::SubStock;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::admin::{Component, Health, Status};
use crate::flow::Flow;
use crate::operation::message;
use crate::store::cache::{CacheStore, CachedTemplate};
use crate::store::{MetaError, MetaStore, StoreError, TemplateRecord};

/// Templates of one read.
const PAGE: u32 = 500;

/// What a refresh may take at least.
const LIMIT_MIN: Duration = Duration::from_secs(1);

/// Refreshes the snapshot.
#[derive(Debug)]
pub struct Refresher<M, C> {
    flow: Arc<Flow>,
    meta: M,
    cache: C,
    health: Arc<Health>,
    owner: String,
    every: Duration,
    known: u64,
}

impl<M: MetaStore, C: CacheStore> Refresher<M, C> {
    /// `owner`: names this proxy in the lock.
    pub fn new(flow: Arc<Flow>, meta: M, cache: C, health: Arc<Health>, owner: String, every: Duration) -> Self {
        Self { flow, meta, cache, health, owner, every, known: 0 }
    }

    /// Serves for ever.
    pub async fn run(mut self) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut fresh = Instant::now();
        loop {
            ticks.tick().await;
            match self.refresh_in_time().await {
                Ok(()) => {
                    fresh = Instant::now();
                    self.health.set(Component::Templates, Status::Up);
                }
                Err(error) => {
                    tracing::debug!(%error, "templates not refreshed");
                    let age_s = fresh.elapsed().as_secs();
                    // A snapshot that was loaded once still serves.
                    if self.flow.templates.count() == 0 {
                        self.health.set(Component::Templates, Status::Down(format!("not loaded: {error}")));
                    } else if age_s >= 60 {
                        tracing::warn!(age_s, %error, "templates not refreshed for long");
                    }
                }
            }
        }
    }

    /// A read that hangs must not keep a snapshot old for the whole time limit of a store: another one may get through.
    /// Cancelled, it has taken over what it had read.
    async fn refresh_in_time(&mut self) -> Result<(), MetaError> {
        let limit = (self.every * 4).max(LIMIT_MIN);
        let late = || StoreError::Unreachable(format!("no end within {limit:?}"));
        timeout(limit, self.refresh()).await.unwrap_or_else(|_elapsed| Err(late().into()))
    }

    async fn refresh(&mut self) -> Result<(), MetaError> {
        let head = match self.read_cache().await {
            Ok(head) => head,
            Err(error) => {
                tracing::debug!(%error, "second level of the template cache does not answer");
                return self.read_meta().await;
            }
        };
        if head < self.known || self.known == 0 {
            // The cache is behind what is known here, or was lost: it tells nothing.
            self.read_meta().await?;
        }
        if self.cache.lock(&self.owner, self.every).await == Ok(true) {
            self.fill_cache(head).await?;
        }
        Ok(())
    }

    /// Takes over what the cache has; returns its head.
    async fn read_cache(&mut self) -> Result<u64, StoreError> {
        loop {
            let changes = self.cache.changed_since(self.known, PAGE).await?;
            let more = changes.templates.len() >= PAGE as usize;
            let newest = changes.templates.last().map(|cached| cached.revision);
            self.flow.templates.apply(changes.templates.iter().filter_map(decode).collect());
            self.known = self.known.max(newest.unwrap_or(0));
            if !more {
                return Ok(changes.head);
            }
        }
    }

    async fn read_meta(&mut self) -> Result<(), MetaError> {
        loop {
            let records = self.meta.templates_changed(self.known, PAGE).await?;
            let more = records.len() >= PAGE as usize;
            self.known = self.known.max(records.last().map_or(0, |record| record.revision));
            self.flow.templates.apply(records);
            if !more {
                return Ok(());
            }
        }
    }

    async fn fill_cache(&mut self, mut head: u64) -> Result<(), MetaError> {
        loop {
            let records = self.meta.templates_changed(head, PAGE).await?;
            let Some(last) = records.last().map(|record| record.revision) else { return Ok(()) };
            let page: Vec<CachedTemplate> = records.iter().map(encode).collect();
            let more = records.len() >= PAGE as usize;
            self.flow.templates.apply(records);
            if head <= self.known {
                self.known = self.known.max(last);
            }
            head = match self.cache.put(head, &page).await {
                Ok(head) if more => head,
                Ok(_) => return Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "second level of the template cache not written");
                    return Ok(());
                }
            };
        }
    }
}

fn encode(record: &TemplateRecord) -> CachedTemplate {
    let blob = Bytes::from(message(record).encode_to_vec());
    CachedTemplate { template: record.template, revision: record.revision, blob }
}

/// What the cache holds is only ever what a proxy wrote; anything else is left to MySQL.
fn decode(cached: &CachedTemplate) -> Option<TemplateRecord> {
    let template = Template::decode(cached.blob.clone()).ok()?;
    let status = template.status();
    Some(TemplateRecord {
        template: TemplateId::try_new(template.template_id).ok()?,
        status,
        total_stock: template.total_stock,
        sold_out: template.sold_out,
        created_at_ms: u64::try_from(template.created_at_ms).ok()?,
        revision: template.revision,
        sub_stocks: template
            .sub_stocks
            .iter()
            .map(|&sub| u16::try_from(sub).map(SubStock))
            .collect::<Result<_, _>>()
            .ok()?,
        stripes: u16::try_from(template.stripes).ok()?,
        definition: template.definition?,
    })
}
