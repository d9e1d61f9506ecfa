//! Closing templates for good on a primary, and moving their coupons out of it.
//!
//! Why nothing can be issued or written anew once a coupon is removed:
//! - *No claim.* A record raises ledger rows that stand at the epoch and server of its grant. Those of a closed template stand
//!   at the last epoch there is and under no server, and no settle lowers a fence.
//! - *No step.* What appends to a log reads, in the same statement, the row of `node` and whether the template is sealed, under
//!   locks; the seal is set under the exclusive lock of that row. So every step was committed before it, or is refused.
//! - *No second removal.* The transaction that removes coupons holds the row of the lease that it works under, and compares what
//!   it removes with what was written to the file.
//!
//! All of this is read in that transaction on the primary itself. A replica that takes its place and lacks some of its last
//! commits lacks those after them as well: it has the coupons again before it could forget that they were closed.

use std::collections::BTreeMap;

use mysql_async::Row;
use mysql_async::prelude::FromRow;
use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::{PrimaryId, SubStock, Tail};

use super::MysqlStore;
use super::failure::Failed;
use super::lease::Leases;
use super::pool::{Lease, Pool};
use super::session::decode;
use super::sql::archive as sql;
use super::steps::Line;
use crate::store::archive::{ArchiveError, Closed, WholeCoupon, marked};
use crate::store::events::Holder;
use crate::store::steps::CouponKey;
use crate::store::{CouponRow, MetaError, StoreError};

/// Users and templates in one statement.
const PAIRS_MAX: usize = 512;

/// A user's coupons of a template: they go together, so that what is left stays densely numbered.
pub type Pair = (UserId, TemplateId);

/// A file that was written, about to be registered.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Its name, without folders.
    pub name: &'a str,
    /// SHA-256 of what it holds before its last line.
    pub digest: [u8; 32],
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
}

/// What is closed and archived on one primary. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shelf {
    leases: Leases,
}

impl MysqlStore {
    /// What is closed and archived on a primary.
    pub fn shelf(&self, primary: PrimaryId) -> Shelf {
        Shelf { leases: self.leases(primary) }
    }

    /// Whether a bulk job that was started may still have coupons of the template to note.
    ///
    /// # Errors
    /// When meta does not answer.
    pub async fn bulk_job_open(&self, template: TemplateId) -> Result<bool, StoreError> {
        let counts: Vec<u64> = self.read(sql::JOBS_OPEN, (template.get(),)).await?;
        Ok(counts.first().is_none_or(|count| *count > 0))
    }

    /// Whether a withdrawal of the template's stock waits for its fences.
    ///
    /// # Errors
    /// When meta does not answer.
    pub async fn withdrawal_pending(&self, template: TemplateId) -> Result<bool, MetaError> {
        let rows: Vec<Vec<u8>> = self.read(super::sql::CHANGE_PENDING, (template.get(),)).await?;
        Ok(!rows.is_empty())
    }
}

impl Shelf {
    /// The templates that are closed for good here.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn closed(&self) -> Result<Vec<Closed>, StoreError> {
        let rows: Vec<(u32, bool, bool)> = self.leases.rows(sql::CLOSED, ()).await?;
        let closed = rows.into_iter().filter_map(|(template, sealed, everywhere)| {
            Some(Closed { template: TemplateId::try_new(template).ok()?, sealed, everywhere })
        });
        Ok(closed.collect())
    }

    /// From now on no coupon of the template can be recorded here. May be repeated.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn close(&self, template: TemplateId) -> Result<(), StoreError> {
        self.commit(&sql::close(template), sql::CLOSE_STATEMENTS, sql::CLOSE_COMMIT).await
    }

    /// From now on nothing can be appended to the logs of the template's coupons here. May be repeated.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn seal(&self, template: TemplateId) -> Result<(), StoreError> {
        self.commit(&sql::seal(template), sql::SEAL_STATEMENTS, sql::SEAL_COMMIT).await
    }

    /// Notes that the template was seen to be closed on every primary.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn closed_everywhere(&self, template: TemplateId) -> Result<(), StoreError> {
        self.leases.run(sql::EVERYWHERE, (template.get(),)).await.map(drop)
    }

    /// Whether a file of this name is registered; waits for a transaction that registers it.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn is_registered(&self, name: &str) -> Result<bool, StoreError> {
        let counts: Vec<u64> = self.leases.rows(sql::REGISTERED, (name,)).await?;
        Ok(counts.first().is_some_and(|count| *count > 0))
    }

    /// All coupons of these users and templates, in the order of the primary key.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn read(&self, pairs: &[Pair]) -> Result<Vec<WholeCoupon>, StoreError> {
        let pool = self.leases.pool()?;
        let mut lease = pool.lease().await?;
        let coupons = whole(&mut lease, pool, pairs, false).await;
        let coupons = coupons.map_err(|failed| failed.not_applied(&pool.target().whom()))?;
        lease.keep();
        Ok(coupons)
    }

    /// One transaction, one attempt: registers the file and removes its coupons, which are all that their users have of their
    /// templates.
    ///
    /// # Errors
    /// [`ArchiveError`]: nothing was removed, unless it says that the outcome is unknown. Cancelled before the COMMIT is sent,
    /// nothing is removed either.
    pub async fn remove(
        &self,
        coupons: &[WholeCoupon],
        file: Written<'_>,
        holder: &Holder,
    ) -> Result<(), ArchiveError> {
        let pool = self.leases.pool()?;
        let mut lease = pool.lease().await?;
        let limit = pool.target().limits().control;
        if let Err(error) = remove(&mut lease, pool, coupons, file, holder).await {
            // What was not answered ends with its connection.
            if !matches!(error, ArchiveError::Store(StoreError::Unreachable(_) | StoreError::Unknown(_))) {
                lease.roll_back(limit).await;
            }
            return Err(error);
        }
        match lease.session.packet(super::sql::COMMIT.as_bytes(), 1, limit).await {
            Ok(_) => {
                lease.keep();
                Ok(())
            }
            Err(failed) => Err(failed.maybe_applied(&pool.target().whom(), 0).into()),
        }
    }

    async fn commit(&self, text: &str, statements: usize, commit: usize) -> Result<(), StoreError> {
        let pool = self.leases.pool()?;
        let limit = pool.target().limits().control;
        let mut lease = pool.lease().await?;
        match lease.session.packet(text.as_bytes(), statements, limit).await {
            Ok(_) => {
                lease.keep();
                Ok(())
            }
            Err(failed) => {
                if failed.answered() {
                    lease.roll_back(limit).await;
                }
                Err(failed.maybe_applied(&pool.target().whom(), commit))
            }
        }
    }
}

/// All of the transaction but its COMMIT.
async fn remove(
    lease: &mut Lease,
    pool: &Pool,
    coupons: &[WholeCoupon],
    file: Written<'_>,
    holder: &Holder,
) -> Result<(), ArchiveError> {
    let pairs = pairs(coupons);
    let mut templates: Vec<TemplateId> = pairs.iter().map(|(_, template)| *template).collect();
    templates.sort_unstable();
    templates.dedup();
    let (limit, whom) = (pool.target().limits().control, pool.target().whom());
    let not_applied = |failed: Failed| ArchiveError::Store(failed.not_applied(&whom));
    let sets = lease.session.packet(&sql::begin(&templates, holder), sql::BEGIN_STATEMENTS, limit).await;
    let found = sets.and_then(first_numbers).map_err(not_applied)?;
    match found[..] {
        [_, version, held, ..] if version != pool.target().version() || held != 1 => {
            return Err(ArchiveError::Superseded);
        }
        [.., closed, open] if closed == templates.len() as u64 && open == 0 => {}
        _ => return Err(ArchiveError::NotClosed),
    }
    if whole(lease, pool, &pairs, true).await.map_err(not_applied)? != coupons {
        return Err(ArchiveError::Changed);
    }
    for pairs in pairs.chunks(PAIRS_MAX) {
        let removed = lease.session.packet(&sql::remove(pairs), sql::REMOVE_STATEMENTS, limit).await;
        removed.map_err(not_applied)?;
    }
    for (packet, statements) in sql::registered(coupons, file.name, &file.digest, file.at_ms) {
        lease.session.packet(&packet, statements, limit).await.map_err(not_applied)?;
    }
    Ok(())
}

/// The first number of each result; 0 where there is none.
fn first_numbers(sets: Vec<Vec<Row>>) -> Result<Vec<u64>, Failed> {
    sets.into_iter().map(|rows| Ok(decode::<u64>(rows)?.first().copied().unwrap_or(0))).collect()
}

/// The users and templates of coupons, in the order of the primary key.
fn pairs(coupons: &[WholeCoupon]) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = coupons.iter().map(|coupon| (coupon.row.user, coupon.row.template)).collect();
    pairs.sort_unstable_by_key(place);
    pairs.dedup();
    pairs
}

fn place((user, template): &Pair) -> (u16, UserId, TemplateId) {
    (Tail::of_user(user.get()).get(), *user, *template)
}

async fn whole(lease: &mut Lease, pool: &Pool, pairs: &[Pair], lock: bool) -> Result<Vec<WholeCoupon>, Failed> {
    let limit = pool.target().limits().control;
    let mut found: BTreeMap<(u16, CouponKey), WholeCoupon> = BTreeMap::new();
    for pairs in pairs.chunks(PAIRS_MAX) {
        let mut sets = lease.session.packet(&sql::whole(pairs, lock), 1, limit).await?;
        for WholeLine { line, sub_stock } in decode::<WholeLine>(sets.pop().unwrap_or_default())? {
            let row = line.coupon().map_err(Failed::unexpected)?;
            let step = line.step().map_err(Failed::unexpected)?;
            let key = (Tail::of_user(row.user.get()).get(), row.key());
            let new = || WholeCoupon { row, sub_stock: SubStock(sub_stock), steps: Vec::new() };
            found.entry(key).or_insert_with(new).steps.extend(step);
        }
    }
    let mut coupons: Vec<WholeCoupon> = found.into_values().collect();
    for coupon in &mut coupons {
        coupon.steps.sort_unstable_by_key(|step| step.number);
        if let Some(last) = coupon.steps.last() {
            coupon.row = coupon.row.held(&last.hold);
        }
    }
    Ok(coupons)
}

/// A coupon, one of its steps unless it has none, and its sub-stock.
struct WholeLine {
    line: Line,
    sub_stock: u16,
}

impl FromRow for WholeLine {
    fn from_row_opt(mut row: Row) -> Result<Self, mysql_async::FromRowError> {
        match row.take_opt(SUB_STOCK) {
            Some(Ok(sub_stock)) => Ok(Self { line: Line::from_row_opt(row)?, sub_stock }),
            Some(Err(_)) | None => Err(mysql_async::FromRowError(row)),
        }
    }
}

/// The column behind those of a [`Line`].
const SUB_STOCK: usize = 13;

/// The user's coupons of a template that were archived, by their numbers.
pub(super) async fn archived(pool: &Pool, user: UserId, template: TemplateId) -> Result<Vec<CouponRow>, StoreError> {
    let (whom, limit) = (pool.target().whom(), pool.target().limits().read);
    let mut lease = pool.lease().await?;
    let params = (template.get(), Tail::of_user(user.get()).get(), user.get(), user.get());
    let rows: Result<Vec<Vec<u8>>, Failed> = lease.session.rows(sql::MARKS, params, limit).await;
    let rows = rows.map_err(|failed| failed.not_applied(&whom))?;
    lease.keep();
    let mut found = Vec::new();
    for marks in rows {
        let rows = marked(template, &marks).ok_or_else(|| Failed::unexpected("marks that are cut off"));
        found.extend(rows.map_err(|failed| failed.not_applied(&whom))?.into_iter().filter(|row| row.user == user));
    }
    found.sort_unstable_by_key(|row| row.seq);
    Ok(found)
}

/// Which of these templates are sealed.
pub(super) async fn sealed(pool: &Pool, templates: &[TemplateId]) -> Result<Vec<TemplateId>, StoreError> {
    if templates.is_empty() {
        return Ok(Vec::new());
    }
    let (whom, limit) = (pool.target().whom(), pool.target().limits().read);
    let mut lease = pool.lease().await?;
    let sets = lease.session.packet(&sql::sealed(templates), 1, limit).await;
    let rows = sets.and_then(|mut sets| decode::<u32>(sets.pop().unwrap_or_default()));
    let rows = rows.map_err(|failed| failed.not_applied(&whom))?;
    lease.keep();
    Ok(rows.into_iter().filter_map(|template| TemplateId::try_new(template).ok()).collect())
}
