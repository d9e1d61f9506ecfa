//! Settle: re-derive what may still be handed out of a sub-stock from the ledgers of all primaries.
//!
//! The order of the steps, and what each is bound to, was model-checked; every line of it is needed:
//!
//! 0. the shards' runs, and the server behind every primary, *before* step 1;
//! 1. meta, one transaction: compare-and-set of the epoch; allotment and list of primaries are read in it;
//! 2. every primary: the fence goes up to `{epoch, server of step 0}`, only then is `issued` read;
//! 3. *all* primaries done, and the epoch still ours: what is left is `allotment - issued`;
//! 4. install, bound to the run of step 0, sent once.
//!
//! Any proxy may settle at any time, several at once. A crash in the middle leaves fences up and the old count in
//! Redis: its grants are fenced until somebody settles again, which `unsettled` makes sure of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use scrip_shard_config::{PrimaryId, ShardId, SubStock, Topology};
use tokio::task::JoinSet;

use crate::meter::Meter;
use crate::store::{
    Advanced, Ended, Fence, FenceError, Install, Installed, MetaError, MetaStore, RecordStore, Run, Server, StockKey,
    StockStore, StoreError, SubStockRecord, TemplateRecord,
};
use crate::template::Template;

/// How one sub-stock came out of a settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It serves this many units under a new epoch.
    Open {
        /// Units that may be handed out.
        count: u64,
    },
    /// Every unit of it became a coupon.
    Drained,
    /// Another settle is ahead, or has just been.
    Lost,
    /// Its shard did not answer or is of another run by now, or it has grown since: settle again.
    Again,
}

/// What to do with sub-stocks whose shard does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// Leave them out: their shard will be back.
    Wait,
    /// Raise their fences as well, so that a withdrawal can end: steps 1 to 3 need no shard.
    Fence,
    /// Raise their fences, and move what is left of them to the sub-stocks whose shards answer.
    Move,
}

/// Why a settle stopped. Nothing that it did has to be undone.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// A primary cannot be reached: claims of the old epoch may still commit there.
    #[error("{primary}: {error}")]
    Primary {
        /// Which.
        primary: PrimaryId,
        /// How.
        error: FenceError,
    },
    /// Meta lists other primaries, or other servers behind them, than step 0 found.
    #[error("the primaries or their servers changed during the settle")]
    PrimariesChanged,
    /// Meta.
    #[error("meta: {0}")]
    Meta(#[from] MetaError),
    /// A task of the settle was cancelled.
    #[error("the settle was cancelled")]
    Cancelled,
}

/// What came of a settle.
#[derive(Debug)]
pub struct Report {
    /// Each sub-stock asked for.
    pub settled: Vec<(SubStock, Settled)>,
    /// Every sub-stock of the template is drained.
    pub sold_out: bool,
    /// A withdrawal waits for a settle that wins every sub-stock of the template at once; this was not one.
    pub withdrawal_pending: bool,
}

/// Settles sub-stocks. Cheap to clone.
#[derive(Debug)]
pub struct Settler<S, R, M> {
    topology: Arc<Topology>,
    stock: S,
    record: R,
    meta: M,
    meter: Arc<Meter>,
}

impl<S: Clone, R: Clone, M: Clone> Clone for Settler<S, R, M> {
    fn clone(&self) -> Self {
        let Self { topology, stock, record, meta, meter } = self;
        Self {
            topology: Arc::clone(topology),
            stock: stock.clone(),
            record: record.clone(),
            meta: meta.clone(),
            meter: Arc::clone(meter),
        }
    }
}

/// What moves: the rest of some sub-stocks, to others.
struct Rest {
    from: Vec<SubStock>,
    to: Vec<SubStock>,
}

/// Step 0.
struct Before {
    runs: BTreeMap<ShardId, Run>,
    servers: Vec<(PrimaryId, Server)>,
}

impl<S: StockStore, R: RecordStore, M: MetaStore> Settler<S, R, M> {
    /// A settler over these stores.
    pub fn new(topology: Arc<Topology>, stock: S, record: R, meta: M, meter: Arc<Meter>) -> Self {
        Self { topology, stock, record, meta, meter }
    }

    /// Settles some sub-stocks of a template in one go. `quiet`: not sooner than so after their last settle.
    ///
    /// # Errors
    /// [`SettleError`]: it stopped, and may be tried again.
    pub async fn settle(
        &self,
        template: &Template,
        slots: &[usize],
        quiet: Duration,
        away: Away,
    ) -> Result<Report, SettleError> {
        let result = self.run(template, slots, quiet, away).await;
        match &result {
            Ok(report) => self.meter.settles.add(report.settled.len()),
            Err(_) => self.meter.settles_stopped.add(1),
        }
        result
    }

    async fn run(
        &self,
        template: &Template,
        slots: &[usize],
        quiet: Duration,
        away: Away,
    ) -> Result<Report, SettleError> {
        let record = &template.record;
        let before = self.before(template, slots).await?;
        let asked: Vec<SubStock> = slots.iter().map(|&slot| template.slots[slot].key.sub_stock).collect();
        let (present, absent): (Vec<SubStock>, Vec<SubStock>) =
            asked.iter().partition(|sub| before.runs.contains_key(&self.shard_of(template, **sub)));
        let expected: Vec<(SubStock, u64)> = self
            .meta
            .sub_stocks(record.template)
            .await?
            .iter()
            .map(|record| (record.key.sub_stock, record.epoch))
            .filter(|(sub, _)| present.contains(sub) || (away != Away::Wait && absent.contains(sub)))
            .collect();

        let advanced = self.meta.advance(record.template, &expected, quiet).await?;
        if !same_primaries(&advanced.primaries, &before.servers) {
            return Err(SettleError::PrimariesChanged);
        }
        let issued = self.raise_fences(record, &advanced, &before.servers).await?;
        let rest = Rest { from: if away == Away::Move { absent } else { Vec::new() }, to: present };
        let (counts, grown) = self.counts(record, &advanced, issued, &rest).await?;
        let installed = self.install(template, &before.runs, &counts).await;
        let sold_out = self.finish(record, &counts, &installed).await?;

        let due = |sub: SubStock| grown.contains(&sub) || !before.runs.contains_key(&self.shard_of(template, sub));
        let settled = asked.iter().map(|&sub| (sub, outcome(sub, due(sub), &counts, &installed)));
        let withdrawal_pending = advanced.withdrawal_pending && counts.len() < template.slots.len();
        Ok(Report { settled: settled.collect(), sold_out, withdrawal_pending })
    }

    fn shard_of(&self, template: &Template, sub_stock: SubStock) -> ShardId {
        let slot = template.slots.iter().find(|slot| slot.key.sub_stock == sub_stock);
        self.topology.shards[slot.map_or(0, |slot| slot.shard)].id
    }

    /// Step 0. A shard that does not answer leaves its sub-stocks out; a primary that does not answer stops all.
    async fn before(&self, template: &Template, slots: &[usize]) -> Result<Before, SettleError> {
        let mut runs = JoinSet::new();
        for shard in shards(template, slots) {
            let (stock, shard) = (self.stock.clone(), self.topology.shards[shard].id);
            runs.spawn(async move { (shard, stock.run(shard).await) });
        }
        let mut servers = JoinSet::new();
        for primary in &self.topology.primaries {
            let (record, primary) = (self.record.clone(), primary.id);
            servers.spawn(async move { (primary, record.server(primary).await) });
        }
        let mut before = Before { runs: BTreeMap::new(), servers: Vec::new() };
        while let Some(joined) = runs.join_next().await {
            match joined.map_err(|_| SettleError::Cancelled)? {
                (shard, Ok(run)) => drop(before.runs.insert(shard, run)),
                (shard, Err(error)) => tracing::debug!(%shard, %error, "shard left out of a settle"),
            }
        }
        while let Some(joined) = servers.join_next().await {
            let (primary, server) = joined.map_err(|_| SettleError::Cancelled)?;
            let server = server.map_err(|error| SettleError::Primary { primary, error: error.into() })?;
            before.servers.push((primary, server));
        }
        Ok(before)
    }

    /// Step 2, on all primaries at once; units issued by each sub-stock over all of them. A sub-stock whose fence
    /// stands higher anywhere is left out: another settle is ahead.
    async fn raise_fences(
        &self,
        template: &TemplateRecord,
        advanced: &Advanced,
        servers: &[(PrimaryId, Server)],
    ) -> Result<BTreeMap<StockKey, u64>, SettleError> {
        let fences: Vec<(StockKey, u64)> = advanced.won.iter().map(|record| (record.key, record.epoch)).collect();
        if fences.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut raising = JoinSet::new();
        for (primary, server) in servers.iter().cloned() {
            let (record, fences, stripes) = (self.record.clone(), fences.clone(), template.stripes);
            raising.spawn(async move { (primary, record.raise_fences(primary, &server, &fences, stripes).await) });
        }
        let mut issued: BTreeMap<StockKey, Option<u64>> = fences.iter().map(|(key, _)| (*key, Some(0))).collect();
        while let Some(joined) = raising.join_next().await {
            let (primary, raised) = joined.map_err(|_| SettleError::Cancelled)?;
            let raised = raised.map_err(|error| SettleError::Primary { primary, error })?;
            if raised.len() != fences.len() {
                return Err(unexpected(primary, "an answer for every fence", raised.len()));
            }
            for ((key, _), fence) in fences.iter().zip(raised) {
                issued.entry(*key).and_modify(|sum| *sum = add(*sum, fence));
            }
        }
        Ok(issued.into_iter().filter_map(|(key, sum)| Some((key, sum?))).collect())
    }

    /// Step 3: what is left of each sub-stock whose epoch is still ours. A withdrawal that waits for these fences ends
    /// first; else what cannot be served moves. Beside it the sub-stocks that this made grow: they have a later epoch.
    async fn counts(
        &self,
        template: &TemplateRecord,
        advanced: &Advanced,
        issued: BTreeMap<StockKey, u64>,
        rest: &Rest,
    ) -> Result<(Vec<(SubStockRecord, u64)>, Vec<SubStock>), SettleError> {
        if issued.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let raised: Vec<(SubStockRecord, u64)> =
            advanced.won.iter().filter_map(|record| Some((*record, *issued.get(&record.key)?))).collect();
        let now = if advanced.withdrawal_pending {
            self.meta.finish_withdrawal(template.template, &raised).await?
        } else if !rest.from.is_empty() && !rest.to.is_empty() {
            let from = raised.iter().filter(|(record, _)| rest.from.contains(&record.key.sub_stock));
            self.meta.move_rest(template.template, &from.copied().collect::<Vec<_>>(), &rest.to).await?
        } else {
            self.meta.sub_stocks(template.template).await?
        };
        let current = |record: &SubStockRecord| now.iter().find(|now| now.key == record.key).copied();
        let mut counts = Vec::with_capacity(raised.len());
        let mut grown = Vec::new();
        for (record, issued) in raised {
            match current(&record) {
                Some(now) if now.epoch == record.epoch => counts.push((now, now.allotment.saturating_sub(issued))),
                Some(now) if now.allotment > record.allotment => grown.push(now.key.sub_stock),
                Some(_) | None => {}
            }
        }
        Ok((counts, grown))
    }

    /// Step 4, each shard once.
    async fn install(
        &self,
        template: &Template,
        runs: &BTreeMap<ShardId, Run>,
        counts: &[(SubStockRecord, u64)],
    ) -> BTreeMap<StockKey, Installed> {
        let mut by_shard: BTreeMap<ShardId, Vec<Install>> = BTreeMap::new();
        for (record, count) in counts {
            let shard = self.shard_of(template, record.key.sub_stock);
            let install = Install { key: record.key, epoch: record.epoch, count: *count };
            by_shard.entry(shard).or_default().push(install);
        }
        let mut installing = JoinSet::new();
        for (shard, installs) in by_shard {
            let Some(run) = runs.get(&shard).cloned() else { continue };
            let stock = self.stock.clone();
            installing.spawn(async move {
                let result = stock.install(shard, &run, &installs).await;
                (shard, installs, result)
            });
        }
        let mut installed = BTreeMap::new();
        while let Some(joined) = installing.join_next().await {
            let Ok((shard, installs, result)) = joined else { continue };
            match result {
                Ok(results) => installed.extend(installs.iter().map(|install| install.key).zip(results)),
                Err(error) => tracing::debug!(%shard, %error, "install not confirmed; settling again"),
            }
        }
        installed
    }

    /// Writes down what came to its end.
    async fn finish(
        &self,
        template: &TemplateRecord,
        counts: &[(SubStockRecord, u64)],
        installed: &BTreeMap<StockKey, Installed>,
    ) -> Result<bool, SettleError> {
        let ended = counts.iter().map(|(record, count)| Ended {
            sub_stock: record.key.sub_stock,
            epoch: record.epoch,
            installed: is_done(installed, record.key),
            drained: *count == 0,
        });
        let ended: Vec<Ended> = ended.filter(|ended| ended.installed || ended.drained).collect();
        if ended.is_empty() {
            return Ok(false);
        }
        Ok(self.meta.mark_settled(template.template, &ended).await?)
    }
}

/// `due`: what is not settled has to be, and no other settle is at it.
fn outcome(
    sub_stock: SubStock,
    due: bool,
    counts: &[(SubStockRecord, u64)],
    installed: &BTreeMap<StockKey, Installed>,
) -> Settled {
    let Some((record, count)) = counts.iter().find(|(record, _)| record.key.sub_stock == sub_stock) else {
        return if due { Settled::Again } else { Settled::Lost };
    };
    match (count, is_done(installed, record.key)) {
        (0, _) => Settled::Drained,
        (&count, true) => Settled::Open { count },
        (_, false) => Settled::Again,
    }
}

fn is_done(installed: &BTreeMap<StockKey, Installed>, key: StockKey) -> bool {
    installed.get(&key) == Some(&Installed::Done)
}

fn add(sum: Option<u64>, fence: Fence) -> Option<u64> {
    match fence {
        Fence::Raised { issued } => sum?.checked_add(issued),
        Fence::Above => None,
    }
}

fn unexpected(primary: PrimaryId, wanted: &str, got: usize) -> SettleError {
    let error = StoreError::Refused(format!("expected {wanted}, got {got}"));
    SettleError::Primary { primary, error: error.into() }
}

fn shards(template: &Template, slots: &[usize]) -> Vec<usize> {
    let mut shards: Vec<usize> = slots.iter().map(|&slot| template.slots[slot].shard).collect();
    shards.sort_unstable();
    shards.dedup();
    shards
}

fn same_primaries(listed: &[(PrimaryId, Server)], found: &[(PrimaryId, Server)]) -> bool {
    listed.len() == found.len() && listed.iter().all(|entry| found.contains(entry))
}
