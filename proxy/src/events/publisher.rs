//! The publisher of one primary's events: a task of every proxy, of which the holder of the lease works.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, gauge};
use scrip_shard_config::ShardId;
use tokio::time::{Instant, sleep};

use super::relay;
use crate::clock::Clock;
use crate::coupon_id::CouponIds;
use crate::meter::Meter;
use crate::store::events::{Added, Entry, Holder, OutboxRow, ShardProgress};
use crate::store::mysql::Outbox;
use crate::store::redis::{ENTRIES_MAX, EventStreams};
use crate::store::{Run, StoreError};
use crate::telemetry::metric::{EVENTS_LEADS, EVENTS_OLDEST, EVENTS_WAITING};

/// The name of the lease.
const LEASE: &str = "events";
/// After a holder died, so long nobody publishes.
const LEASE_LASTS: Duration = Duration::from_secs(5);
/// The holder renews so often, and the others ask so often.
const LEASE_EVERY: Duration = Duration::from_millis(1_500);
/// The lives of the shards are asked for, the backlog is sampled, and old rows are dropped so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Rows read at once: bounds what is held in memory.
const ROWS: u32 = 64;
/// Rows dropped at once: bounds what a transaction locks.
const DROPPED: u32 = 1_000;
/// Slices of them in one look.
const DROPS: usize = 10;
/// Between two attempts while a store does not answer, from and to.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// What a publisher is told.
#[derive(Debug, Clone)]
pub struct PublisherSettings {
    /// How often the outbox is looked into, unless more waits than one look takes.
    pub poll_interval: Duration,
    /// How long rows are held after they have left.
    pub retention: Duration,
    /// Names this run of this proxy in the lease.
    pub owner: String,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The shard began another life: the next round finds out which.
    #[error("shard {0} has lost its data")]
    OtherRun(ShardId),
    /// Somebody else publishes.
    #[error("another publisher has taken over")]
    Superseded,
}

/// What a round leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Rows are known to wait.
    More,
    /// What came since it began. A round costs a commit and a call to each shard, whatever it carries: at once, thirty
    /// publishers would make thousands of them a second for a few rows each.
    Little,
}

/// The publisher of one primary.
#[derive(Debug)]
pub struct Publisher {
    outbox: Outbox,
    streams: EventStreams,
    ids: CouponIds,
    clock: Clock,
    meter: Arc<Meter>,
    settings: PublisherSettings,
    /// The lives of the shards, as this holder noted them.
    shards: BTreeMap<ShardId, ShardProgress>,
    looked: Option<Instant>,
    gauges: Gauges,
}

#[derive(Debug)]
struct Gauges {
    waiting: Gauge,
    oldest: Gauge,
    leads: Gauge,
}

impl Publisher {
    /// A publisher over these stores.
    pub fn new(
        outbox: Outbox,
        streams: EventStreams,
        ids: CouponIds,
        clock: Clock,
        meter: Arc<Meter>,
        settings: PublisherSettings,
    ) -> Self {
        let of = |name| gauge!(name, "primary" => outbox.primary().to_string());
        let gauges = Gauges { waiting: of(EVENTS_WAITING), oldest: of(EVENTS_OLDEST), leads: of(EVENTS_LEADS) };
        Self { outbox, streams, ids, clock, meter, settings, shards: BTreeMap::new(), looked: None, gauges }
    }

    /// Serves for ever. Cancelling is a crash: see the table in [`crate::events`].
    pub async fn run(mut self) {
        loop {
            match self.outbox.hold(LEASE, &self.settings.owner, LEASE_LASTS).await {
                Ok(Some(holder)) => self.lead(holder).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(primary = %self.outbox.primary(), %error, "no lease to publish events");
                }
            }
            sleep(LEASE_EVERY).await;
        }
    }

    /// As long as the lease is ours.
    async fn lead(&mut self, holder: Holder) {
        tracing::info!(primary = %self.outbox.primary(), term = holder.term, "publishes events");
        self.shards.clear();
        self.looked = None;
        self.gauges.leads.set(1.0);
        let mut renewed = Instant::now();
        let mut pause = BACKOFF[0];
        loop {
            if renewed.elapsed() >= LEASE_EVERY {
                renewed = Instant::now();
                match self.outbox.hold(LEASE, &holder.owner, LEASE_LASTS).await {
                    Ok(Some(now)) if now == holder => {}
                    Ok(_) | Err(_) => break,
                }
            }
            match self.round(&holder).await {
                Ok(Left::More) => pause = BACKOFF[0],
                Ok(Left::Little) => {
                    pause = BACKOFF[0];
                    sleep(self.settings.poll_interval).await;
                }
                Err(Stopped::Superseded) => break,
                Err(error) => {
                    tracing::debug!(primary = %self.outbox.primary(), %error, "events wait");
                    self.looked = None;
                    self.sample().await;
                    sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF[1]);
                }
            }
        }
        tracing::info!(primary = %self.outbox.primary(), term = holder.term, "publishes events no longer");
        [&self.gauges.leads, &self.gauges.waiting, &self.gauges.oldest].into_iter().for_each(|gauge| gauge.set(0.0));
    }

    /// Publishes some rows: those of a shard that has forgotten them first.
    async fn round(&mut self, holder: &Holder) -> Result<Left, Stopped> {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            self.look(holder).await?;
            self.sample().await;
            self.looked = Some(Instant::now());
        }
        let behind = self.shards.values().find(|shard| shard.replay_after < shard.replay_until).cloned();
        match behind {
            Some(shard) => self.replay(shard, holder).await,
            None => self.publish(holder).await,
        }
    }

    /// Which life every shard is in, and is it the one that rows have left to?
    async fn look(&mut self, holder: &Holder) -> Result<(), Stopped> {
        let mut noted = self.outbox.shards().await?;
        for shard in self.streams.shards() {
            let run = self.streams.run(shard).await?;
            let known = noted.iter().any(|progress| progress.shard == shard && progress.run == run);
            if !known {
                self.outbox.born(shard, &run, holder).await?;
                noted = self.outbox.shards().await?;
            }
        }
        self.shards = noted.into_iter().map(|progress| (progress.shard, progress)).collect();
        for _ in 0..DROPS {
            if self.outbox.drop_old(self.settings.retention, DROPPED).await? < u64::from(DROPPED) {
                break;
            }
        }
        Ok(())
    }

    async fn publish(&self, holder: &Holder) -> Result<Left, Stopped> {
        let rows = self.outbox.unpublished(ROWS).await?;
        let count = self.add(&rows, None, holder).await?;
        let ids: Vec<u64> = rows.iter().map(|row| row.id).collect();
        self.outbox.mark(&ids, holder).await?;
        self.meter.events_published.add(count);
        Ok(if rows.len() < ROWS as usize { Left::Little } else { Left::More })
    }

    async fn replay(&mut self, shard: ShardProgress, holder: &Holder) -> Result<Left, Stopped> {
        let rows = self.outbox.published(shard.replay_after, shard.replay_until, ROWS).await?;
        let count = self.add(&rows, Some(shard.shard), holder).await?;
        let after = if rows.len() < ROWS as usize { shard.replay_until } else { last(&rows, shard.replay_until) };
        self.outbox.replayed(&shard, after, holder).await?;
        self.meter.events_replayed.add(count);
        if let Some(known) = self.shards.get_mut(&shard.shard) {
            known.replay_after = after;
        }
        Ok(Left::More)
    }

    /// Adds the entries of these rows, by row, to all shards or to one; how many.
    async fn add(&self, rows: &[OutboxRow], only: Option<ShardId>, holder: &Holder) -> Result<usize, Stopped> {
        let mut by_shard: BTreeMap<ShardId, Vec<Entry>> = BTreeMap::new();
        for row in rows {
            for entry in relay::entries(self.outbox.primary(), row, self.streams.count(), &self.ids) {
                let Some(shard) = self.streams.shard_of(entry.stream) else { continue };
                if only.is_none_or(|only| only == shard) {
                    by_shard.entry(shard).or_default().push(entry);
                }
            }
        }
        let mut count = 0;
        for (shard, entries) in by_shard {
            let run = self.shards.get(&shard).map(|progress| &progress.run).ok_or(Stopped::OtherRun(shard))?;
            self.add_to(shard, run, &entries, holder).await?;
            count += entries.len();
        }
        Ok(count)
    }

    /// In calls of a bounded size. One that fails keeps what is behind it from the shard.
    async fn add_to(&self, shard: ShardId, run: &Run, entries: &[Entry], holder: &Holder) -> Result<(), Stopped> {
        for entries in entries.chunks(ENTRIES_MAX) {
            let term = (self.outbox.primary(), holder.term);
            match self.streams.add(shard, run, term, entries).await? {
                Added::Done => {}
                Added::OtherRun => return Err(Stopped::OtherRun(shard)),
                Added::Superseded => return Err(Stopped::Superseded),
            }
        }
        Ok(())
    }

    async fn sample(&self) {
        let Ok(backlog) = self.outbox.backlog().await else { return };
        let waits_ms = match backlog.oldest_at_ms {
            0 => 0,
            oldest_at_ms => self.clock.now_ms().saturating_sub(oldest_at_ms),
        };
        // Far below 2^53.
        self.gauges.waiting.set(backlog.rows as f64);
        self.gauges.oldest.set(Duration::from_millis(waits_ms).as_secs_f64());
    }
}

fn last(rows: &[OutboxRow], otherwise: u64) -> u64 {
    rows.last().map_or(otherwise, |row| row.id)
}
