//! What one primary holds, in one snapshot.

use std::collections::BTreeMap;

use scrip_shard_config::{PrimaryId, Tail, Topology};

use super::archive::Archive;
use super::bulk;
use super::codes::Codes;
use super::link::{Link, LinkError};
use super::logs::Logs;
use super::meta::{DailyLimit, Key, MetaView};
use super::packs::Packs;
use super::sql;
use super::uses::{self, Candidate};

/// Rows that a closer look lists for each kind of finding; there may be more. Prevents that a store full of findings
/// fills the memory.
pub(super) const LISTED_MAX: usize = 100;

/// Ledger rows of one sub-stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) stripes: u64,
    pub(super) stripe_max: u16,
    pub(super) epoch_max: u64,
    pub(super) issued: u64,
}

/// Coupons of one sub-stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coupons {
    pub(super) count: u64,
    pub(super) seq_max: u16,
}

/// A user whose coupons of a template are not as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) user: u64,
    pub(super) template: u32,
    pub(super) count: u64,
    pub(super) seq_min: u16,
    pub(super) seq_max: u16,
    pub(super) requests: u64,
}

/// A user above the limit of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AboveLimit {
    pub(super) user: u64,
    pub(super) template: u32,
    pub(super) count: u64,
    pub(super) seq_max: u16,
}

/// A user above the limit a day of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AboveDailyLimit {
    pub(super) user: u64,
    pub(super) template: u32,
    pub(super) count: u64,
    /// When the first coupon of that day was claimed.
    pub(super) first_ms: u64,
}

/// A row under another tail than its user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misplaced {
    pub(super) tail: u16,
    pub(super) user: u64,
    pub(super) template: u32,
}

/// A tail that belongs to another primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForeignTail {
    pub(super) tail: u16,
    pub(super) owner: Option<PrimaryId>,
    pub(super) count: u64,
    pub(super) user: u64,
}

/// What one primary holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) ledgers: BTreeMap<Key, Ledger>,
    pub(super) coupons: BTreeMap<Key, Coupons>,
    pub(super) groups: Vec<Group>,
    pub(super) above_limit: Vec<AboveLimit>,
    pub(super) above_daily_limit: Vec<AboveDailyLimit>,
    pub(super) misplaced: Vec<Misplaced>,
    pub(super) foreign_tails: Vec<ForeignTail>,
    pub(super) lists: BTreeMap<u32, bulk::List>,
    pub(super) codes: Codes,
    pub(super) candidates: Vec<Candidate>,
    pub(super) packs: Packs,
    pub(super) logs: Logs,
    pub(super) archive: Archive,
}

impl Scan {
    /// Reads a primary. `before`: meta as it was before the snapshot, for the limits of a closer look.
    pub(super) async fn read(
        link: &mut Link,
        id: PrimaryId,
        topology: &Topology,
        before: &MetaView,
    ) -> Result<Scan, LinkError> {
        check_node(link, id, topology.version).await?;
        let mut scan = Scan { ledgers: ledgers(link).await?, ..Scan::default() };
        let mut misplaced = 0;
        let rows: Vec<(u32, u16, u64, u16, u64)> = link.rows(sql::COUPONS, ()).await?;
        for (template, sub_stock, count, seq_max, off_tail) in rows {
            scan.coupons.insert((template, sub_stock), Coupons { count, seq_max });
            misplaced += off_tail;
        }
        scan.groups = groups(link).await?;
        if misplaced > 0 {
            scan.misplaced = look_at_misplaced(link).await?;
        }
        scan.foreign_tails = foreign_tails(link, id, topology).await?;
        scan.above_limit = above_limit(link, &scan.coupons, before).await?;
        scan.logs = Logs::read(link, before).await?;
        scan.above_daily_limit = above_daily_limit(link, &scan.coupons, before).await?;
        scan.lists = bulk::lists(link, &before.jobs).await?;
        scan.codes = Codes::read(link, id, topology).await?;
        scan.candidates = uses::candidates(link, &before.batches).await?;
        scan.packs = Packs::read(link, id, topology, before).await?;
        scan.archive = Archive::read(link, before).await?;
        scan.candidates.append(&mut scan.archive.candidates);
        for (id, list) in &mut scan.lists {
            let archived = scan.archive.of_jobs.get(id).copied().unwrap_or(0);
            list.without_coupon = list.without_coupon.saturating_sub(archived);
        }
        Ok(scan)
    }
}

/// Findings against another server, or by another map of the tails, would be nonsense.
async fn check_node(link: &mut Link, id: PrimaryId, version: u64) -> Result<(), LinkError> {
    let rows: Vec<(u16, u64)> = link.rows(sql::NODE, ()).await?;
    match rows.first() {
        None => Err(LinkError("it does not say which primary it is; run migrate".to_owned())),
        Some(&(primary, _)) if primary != id.0 => {
            Err(LinkError(format!("it says that it is {}; correct its address in the topology", PrimaryId(primary))))
        }
        Some(&(_, found)) if found != version => {
            Err(LinkError(format!("it is at version {found} of the topology, this file at {version}")))
        }
        Some(_) => Ok(()),
    }
}

async fn ledgers(link: &mut Link) -> Result<BTreeMap<Key, Ledger>, LinkError> {
    let rows: Vec<(u32, u16, u64, u16, u64, u64)> = link.rows(sql::LEDGER, ()).await?;
    let ledger = |(template, sub_stock, stripes, stripe_max, epoch_max, issued)| {
        ((template, sub_stock), Ledger { stripes, stripe_max, epoch_max, issued })
    };
    Ok(rows.into_iter().map(ledger).collect())
}

async fn groups(link: &mut Link) -> Result<Vec<Group>, LinkError> {
    let rows: Vec<(u64, u32, u64, u16, u16, u64)> = link.rows(sql::USERS, (LISTED_MAX,)).await?;
    let group = |(user, template, count, seq_min, seq_max, requests)| Group {
        user,
        template,
        count,
        seq_min,
        seq_max,
        requests,
    };
    Ok(rows.into_iter().map(group).collect())
}

async fn look_at_misplaced(link: &mut Link) -> Result<Vec<Misplaced>, LinkError> {
    let rows: Vec<(u16, u64, u32)> = link.rows(sql::MISPLACED, (LISTED_MAX,)).await?;
    Ok(rows.into_iter().map(|(tail, user, template)| Misplaced { tail, user, template }).collect())
}

async fn foreign_tails(link: &mut Link, id: PrimaryId, topology: &Topology) -> Result<Vec<ForeignTail>, LinkError> {
    let tails: Vec<u16> = link.rows(sql::TAILS, ()).await?;
    let mut foreign = Vec::new();
    for tail in tails {
        let owner = Tail::try_new(tail).map(|tail| topology.primary_of(tail));
        if owner == Some(id) || foreign.len() == LISTED_MAX {
            continue;
        }
        let rows: Vec<(u64, u64)> = link.rows(sql::TAIL, (tail,)).await?;
        let (count, user) = rows.first().copied().unwrap_or_default();
        foreign.push(ForeignTail { tail, owner, count, user });
    }
    Ok(foreign)
}

/// One more pass for each template with a number above its limit: none, in a store without findings.
async fn above_limit(
    link: &mut Link,
    coupons: &BTreeMap<Key, Coupons>,
    before: &MetaView,
) -> Result<Vec<AboveLimit>, LinkError> {
    let mut limits = BTreeMap::new();
    for ((template, _), coupons) in coupons {
        let limit = before.templates.get(template).map(|template| template.per_user_limit);
        if let Some(limit) = limit.filter(|limit| u32::from(coupons.seq_max) > *limit) {
            limits.insert(*template, limit);
        }
    }
    let mut found = Vec::new();
    for (template, limit) in limits {
        let rows: Vec<(u64, u64, u16)> = link.rows(sql::ABOVE_LIMIT, (template, limit, LISTED_MAX)).await?;
        found.extend(rows.into_iter().map(|(user, count, seq_max)| AboveLimit { user, template, count, seq_max }));
    }
    Ok(found)
}

/// One more pass for each template with a limit a day that some user's number is above. A template that is younger than the
/// first reading of meta is left to the next audit.
async fn above_daily_limit(
    link: &mut Link,
    coupons: &BTreeMap<Key, Coupons>,
    before: &MetaView,
) -> Result<Vec<AboveDailyLimit>, LinkError> {
    let mut limits = BTreeMap::new();
    for ((template, _), coupons) in coupons {
        let limit = before.templates.get(template).and_then(|template| template.daily_limit);
        if let Some(limit) = limit.filter(|limit| u32::from(coupons.seq_max) > limit.coupons) {
            limits.insert(*template, limit);
        }
    }
    let mut found = Vec::new();
    for (template, DailyLimit { coupons, shift_ms }) in limits {
        let parameters = (template, shift_ms, coupons, LISTED_MAX);
        let rows: Vec<(u64, u64, u64)> = link.rows(sql::ABOVE_DAILY_LIMIT, parameters).await?;
        let above = |(user, count, first_ms)| AboveDailyLimit { user, template, count, first_ms };
        found.extend(rows.into_iter().map(above));
    }
    Ok(found)
}
