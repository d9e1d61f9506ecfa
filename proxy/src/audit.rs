//! The audit: do the promises hold, as far as the stores show it?
//!
//! Reads every primary and meta, writes nothing, and needs no proxy. It can run while claims are taken: each primary is
//! read in one snapshot, and the comparisons allow for what moves between the snapshots (how: see `compare`). A primary
//! that cannot be read makes the verdict incomplete, never clean.
//!
//! - `sql`: every query. `link`: a connection in a snapshot.
//! - `meta`, `scan`, `logs`: what is read. `compare`: the checks, pure. `bulk`, `codes`, `uses`, `packs`, `archive`: both, for bulk
//!   jobs, exchange codes, packs and archived coupons. `report`: what comes out.

mod archive;
mod bulk;
mod codes;
mod compare;
mod link;
mod logs;
mod meta;
mod packs;
pub mod report;
mod scan;
mod sql;
mod uses;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scrip_shard_config::{Primary, PrimaryId, Topology};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use link::LinkError;
pub use report::{Finding, Kind, Report, Unaudited, Verdict};

use compare::Evidence;
use link::Link;
use meta::MetaView;
use scan::Scan;
use uses::Use;

/// How an audit reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// One connection.
    pub connect_timeout: Duration,
    /// One query. Twelve million coupons over thirty primaries are some seconds; this is for far more.
    pub query_timeout: Duration,
    /// Primaries read at once. Bounds what an audit costs the machine that runs them all.
    pub primaries_at_once: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(5), query_timeout: Duration::from_secs(600), primaries_at_once: 16 }
    }
}

/// Why nothing could be audited.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Without meta there is nothing to compare with.
    #[error("meta on {primary} could not be read: {source}")]
    Meta {
        /// The primary that holds meta.
        primary: PrimaryId,
        /// Why.
        source: LinkError,
    },
    /// The topology names no such primary; the checks of the topology rule it out.
    #[error("the topology has no primary {0}")]
    NoPrimary(PrimaryId),
}

/// Audits the whole deployment. Only [`Verdict::Clean`] means that all is well.
///
/// # Errors
/// When meta cannot be read. A primary that cannot be read is in [`Report::unaudited`].
pub async fn run(topology: &Arc<Topology>, options: Options) -> Result<Report, AuditError> {
    run_with(topology, options, None).await
}

/// The same; with a folder, every file that is registered must be in it and whole.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    topology: &Arc<Topology>,
    options: Options,
    archive: Option<&Path>,
) -> Result<Report, AuditError> {
    let started = Instant::now();
    let before = Arc::new(read_meta(topology, options).await?);
    let read = |primary: Primary| {
        let (topology, before) = (Arc::clone(topology), Arc::clone(&before));
        async move { scan_one(&primary, &topology, &before, options).await }
    };
    let (scans, mut unaudited) = each(topology, options, read).await;
    // The coupons first, then the uses that they come from.
    let (uses, unread) = match before.batches.is_empty() {
        true => Default::default(),
        false => each(topology, options, |primary| async move { uses_of(&primary, options).await }).await,
    };
    unaudited.extend(unread.into_iter().filter(|unread| scans.contains_key(&PrimaryId(unread.primary))));
    unaudited.sort_by_key(|unaudited| unaudited.primary);
    let uses: Vec<Use> = uses.into_values().flatten().collect();
    let after = read_meta(topology, options).await?;
    let complete = unaudited.is_empty();
    let evidence = Evidence { before: &before, scans: &scans, uses: &uses, after: &after, complete };
    let mut findings = compare::compare(&evidence);
    if let Some(folder) = archive {
        findings.extend(scans.iter().flat_map(|(id, scan)| archive::check_files(*id, &scan.archive.files, folder)));
    }
    Ok(Report {
        version: report::REPORT_VERSION,
        verdict: verdict(complete, &findings),
        topology_version: topology.version,
        primaries: scans.len(),
        unaudited,
        templates: after.templates.len(),
        coupons: scans.values().flat_map(|scan| scan.coupons.values()).map(|coupons| coupons.count).sum(),
        archived: scans.values().map(|scan| scan.archive.coupons()).sum(),
        issued: scans.values().flat_map(|scan| scan.ledgers.values()).map(|ledger| ledger.issued).sum(),
        steps: scans.values().map(|scan| scan.logs.steps).sum(),
        findings,
        took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

fn verdict(complete: bool, findings: &[Finding]) -> Verdict {
    match (complete, findings.is_empty()) {
        (false, _) => Verdict::Incomplete,
        (true, false) => Verdict::Findings,
        (true, true) => Verdict::Clean,
    }
}

async fn read_meta(topology: &Topology, options: Options) -> Result<MetaView, AuditError> {
    let id = topology.meta;
    let primary = topology.primary(id).ok_or(AuditError::NoPrimary(id))?;
    let failed = |source| AuditError::Meta { primary: id, source };
    let mut link = open(primary, options).await.map_err(failed)?;
    let view = MetaView::read(&mut link).await.map_err(failed)?;
    link.close().await;
    Ok(view)
}

/// Reads every primary, some at once.
async fn each<T: Send + 'static, F>(
    topology: &Topology,
    options: Options,
    read: impl Fn(Primary) -> F,
) -> (BTreeMap<PrimaryId, T>, Vec<Unaudited>)
where
    F: Future<Output = Result<T, LinkError>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(options.primaries_at_once.max(1)));
    let mut tasks = JoinSet::new();
    for primary in &topology.primaries {
        let (places, id, reading) = (Arc::clone(&places), primary.id, read(primary.clone()));
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            (id, reading.await)
        });
    }
    let (mut found, mut unaudited) = (BTreeMap::new(), Vec::new());
    let mut left: Vec<PrimaryId> = topology.primaries.iter().map(|primary| primary.id).collect();
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked stays in `left`.
        let Ok((id, read)) = joined else { continue };
        left.retain(|other| *other != id);
        match read {
            Ok(read) => _ = found.insert(id, read),
            Err(LinkError(why)) => unaudited.push(Unaudited { primary: id.0, why }),
        }
    }
    let crashed = |id: PrimaryId| Unaudited { primary: id.0, why: "the audit of it crashed".to_owned() };
    unaudited.extend(left.into_iter().map(crashed));
    (found, unaudited)
}

async fn uses_of(primary: &Primary, options: Options) -> Result<Vec<Use>, LinkError> {
    let mut link = open(primary, options).await?;
    let uses = uses::read(&mut link).await?;
    link.close().await;
    Ok(uses)
}

async fn scan_one(
    primary: &Primary,
    topology: &Topology,
    before: &MetaView,
    options: Options,
) -> Result<Scan, LinkError> {
    let mut link = open(primary, options).await?;
    let scan = Scan::read(&mut link, primary.id, topology, before).await?;
    link.close().await;
    Ok(scan)
}

async fn open(primary: &Primary, options: Options) -> Result<Link, LinkError> {
    Link::open(primary, options.connect_timeout, options.query_timeout).await
}
