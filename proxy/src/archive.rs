//! The archive: coupons that have been dead for long leave their primary for compressed files.
//!
//! Only of templates that are closed for good, and never so that a claim or a step could be made anew. A template's way out, on
//! each primary by itself, at the end of a round of its patrol:
//!
//! | state      | what it means                                  | who gets there                                          |
//! |------------|------------------------------------------------|---------------------------------------------------------|
//! | *closed*   | no coupon of it can be recorded here any more  | it is `CLOSED` in meta, with no withdrawal under way     |
//! | *sealed*   | nothing can be appended to its coupons' logs   | in a whole round that began after it was closed, every one of its coupons had been past its end, and out of its last lock, for `archive_after`; no bulk job of it is under way |
//! | *archived* | its coupons are in files, and marks of them stay | it is sealed here, and closed on every primary        |
//!
//! None of these is ever undone. What makes them safe is checked in the transactions themselves (see `store/mysql/archive.rs`);
//! the lease only saves work, and tells whose parts may be removed.
//!
//! A file holds all coupons that its users have of its templates, so that what is left stays densely numbered. Made in this order:
//!
//! | where it breaks                          | what is there                              | what follows                                     |
//! |------------------------------------------|--------------------------------------------|--------------------------------------------------|
//! | while the part is written                | half a part, all coupons                   | the next holder of the lease removes the part    |
//! | before the transaction is sent, or in it | a part, all coupons                        | the same; the coupons are read again in a later round |
//! | in its COMMIT                            | a part; registered and removed, or neither | whether it is registered is read under a lock; then renamed, or removed |
//! | before the file has its name             | a part that is registered                  | it gets its name from the next holder            |
//! | the primary fails over to a server without the COMMIT | a file that nobody registered, all coupons | they are archived again; the older file stays, and tells of them a second time |
//! | the folder is another one by then        | a part in the folder of the dead proxy     | it is whole: its name is registered; that proxy renames it when it holds the lease again |
//!
//! A holder that was frozen wakes up: its transaction holds the row of the lease, which names another term by then, and is undone.
//! Its parts may be gone already; parts of a higher term it leaves alone.

pub mod desk;
mod file;
mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use scrip_protocol::TemplateId;
use scrip_protocol::v1::{CouponStatus, TemplateStatus};
use scrip_shard_config::PrimaryId;

use self::file::Name;
use crate::flow::Flow;
use crate::order::rules::Validity;
use crate::store::archive::{ArchiveError, Closed, WholeCoupon};
use crate::store::events::Holder;
use crate::store::mysql::{MysqlStore, Pair, Shelf, Written};
use crate::store::patrol::Walked;
use crate::store::{MetaError, MetaStore, StoreError};

/// Templates closed or sealed at the end of one round. Bounds how long the walk waits for it.
const TEMPLATES_MAX: usize = 100;

/// What an operator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the files go.
    pub folder: PathBuf,
    /// How long a template's coupons must all have been dead.
    pub after: Duration,
    /// Coupons in one file, about.
    pub rows: usize,
}

/// What is archived of one primary, by its patrol.
#[derive(Debug)]
pub struct Archivist {
    flow: Arc<Flow>,
    mysql: MysqlStore,
    primary: PrimaryId,
    shelf: Shelf,
    settings: Settings,
    round: Round,
    /// When the last file was begun: no two of one holder have one name.
    last_ms: u64,
}

/// What one round has seen.
#[derive(Debug, Default)]
struct Round {
    began_ms: u64,
    /// It began before the first coupon.
    whole: bool,
    /// As it stood when the round began.
    closed: BTreeMap<TemplateId, Closed>,
    /// When the last coupon of a template ends, or its last lock.
    ends_ms: BTreeMap<TemplateId, i64>,
    /// What goes into the next file.
    due: Vec<Pair>,
    due_rows: usize,
}

impl Archivist {
    /// Of one primary.
    pub fn new(flow: Arc<Flow>, mysql: &MysqlStore, primary: PrimaryId, settings: Settings) -> Self {
        let (mysql, shelf) = (mysql.clone(), mysql.shelf(primary));
        Self { flow, mysql, primary, shelf, settings, round: Round::default(), last_ms: 0 }
    }

    /// Brings to an end what earlier holders have begun.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn tidy(&self, holder: &Holder) -> Result<(), StoreError> {
        let parts = match file::parts(&self.settings.folder, self.primary) {
            Ok(parts) => parts,
            Err(error) => {
                self.failed("the folder cannot be read", &error);
                return Ok(());
            }
        };
        for name in parts {
            if self.shelf.is_registered(&name.to_string()).await? {
                self.report("a file cannot be renamed", file::finish(&self.settings.folder, &name));
            } else if name.term < holder.term || name.owner == holder.owner {
                self.report("a part cannot be removed", file::discard(&self.settings.folder, &name));
            }
        }
        Ok(())
    }

    /// A round begins. `whole`: before the first coupon.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn begin(&mut self, whole: bool) -> Result<(), StoreError> {
        let closed = self.shelf.closed().await?.into_iter().map(|closed| (closed.template, closed));
        self.round = Round { whole, began_ms: self.flow.clock.now_ms(), closed: closed.collect(), ..Round::default() };
        let waiting = |closed: &&mut Closed| closed.sealed && !closed.everywhere;
        let mut waiting: Vec<&mut Closed> = self.round.closed.values_mut().filter(waiting).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let mut everywhere: BTreeSet<TemplateId> = waiting.iter().map(|closed| closed.template).collect();
        for other in self.flow.topology.primaries.iter().filter(|other| other.id != self.primary) {
            let there = match self.mysql.shelf(other.id).closed().await {
                Ok(closed) => closed.into_iter().map(|closed| closed.template).collect(),
                Err(error) => {
                    tracing::debug!(primary = %other.id, %error, "whether templates are closed there is not known");
                    return Ok(());
                }
            };
            everywhere.retain(|template| BTreeSet::contains(&there, template));
        }
        for closed in waiting.iter_mut().filter(|closed| everywhere.contains(&closed.template)) {
            self.shelf.closed_everywhere(closed.template).await?;
            closed.everywhere = true;
        }
        Ok(())
    }

    /// The patrol came by these coupons; how many were archived.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn visit(&mut self, rows: &[Walked], holder: &Holder) -> Result<usize, StoreError> {
        for row in rows.iter().map(|walked| &walked.row) {
            let Some(closed) = self.round.closed.get(&row.template) else { continue };
            if closed.sealed && closed.everywhere {
                let pair = (row.user, row.template);
                if self.round.due.last() != Some(&pair) {
                    self.round.due.push(pair);
                }
                self.round.due_rows += 1;
            } else if let Some(template) = self.flow.templates.get(row.template) {
                let (_, until_ms) = template.validity_ms(row.claimed_at_ms);
                let end_ms = until_ms.max(i64::try_from(row.locked_until_ms).unwrap_or(i64::MAX));
                let last_ms = self.round.ends_ms.entry(row.template).or_insert(end_ms);
                *last_ms = end_ms.max(*last_ms);
            }
        }
        if self.round.due_rows < self.settings.rows { Ok(0) } else { self.archive(holder).await }
    }

    /// The round has come to its end; how many coupons were archived.
    ///
    /// # Errors
    /// When a primary or meta does not answer.
    pub async fn end(&mut self, holder: &Holder) -> Result<usize, StoreError> {
        let archived = self.archive(holder).await?;
        self.seal().await?;
        self.close().await?;
        Ok(archived)
    }

    /// Seals what this whole round has seen the end of.
    async fn seal(&self) -> Result<(), StoreError> {
        if !self.round.whole {
            return Ok(());
        }
        let dead_by_ms = |end_ms: i64| u64::try_from(end_ms.max(0)).unwrap_or(0).saturating_add(self.after_ms());
        let open = self.round.closed.values().filter(|closed| !closed.sealed).map(|closed| closed.template);
        let dead = |template: &TemplateId| {
            let end_ms = self.round.ends_ms.get(template);
            end_ms.is_some_and(|end_ms| dead_by_ms(*end_ms) <= self.round.began_ms)
        };
        for template in open.filter(dead).take(TEMPLATES_MAX) {
            // It notes a coupon beside the coupon. One that is started later finds the template closed.
            if self.mysql.bulk_job_open(template).await? {
                continue;
            }
            self.shelf.seal(template).await?;
            tracing::info!(primary = %self.primary, %template, "its coupons are long dead: sealed, to be archived");
        }
        Ok(())
    }

    fn after_ms(&self) -> u64 {
        u64::try_from(self.settings.after.as_millis()).unwrap_or(u64::MAX)
    }

    /// Closes what is closed in meta, and not yet here.
    async fn close(&self) -> Result<(), StoreError> {
        let here = |template: &TemplateId| self.round.closed.contains_key(template);
        let closed = self.flow.templates.of_status(TemplateStatus::Closed);
        for template in closed.into_iter().filter(|template| !here(template)).take(TEMPLATES_MAX) {
            // The snapshot may come from the cache; meta decides. A withdrawal needs its fences to end, and no other can begin.
            let is_closed = self.mysql.template(template).await.map(|record| record.status == TemplateStatus::Closed);
            if of_meta(is_closed)? && !of_meta(self.mysql.withdrawal_pending(template).await)? {
                self.shelf.close(template).await?;
                tracing::info!(primary = %self.primary, %template, "closed for good");
            }
        }
        Ok(())
    }

    /// Moves what is due to a file; how many coupons.
    async fn archive(&mut self, holder: &Holder) -> Result<usize, StoreError> {
        let pairs = std::mem::take(&mut self.round.due);
        self.round.due_rows = 0;
        if pairs.is_empty() {
            return Ok(0);
        }
        let coupons = self.long_dead(self.shelf.read(&pairs).await?);
        if coupons.is_empty() {
            return Ok(0);
        }
        self.last_ms = self.flow.clock.now_ms().max(self.last_ms + 1);
        let (primary, term, owner) = (self.primary, holder.term, holder.owner.clone());
        let name = Name { primary, term, at_ms: self.last_ms, owner };
        let digest = match self.write(&name, &coupons).await {
            Ok(digest) => digest,
            Err(error) => {
                self.failed("a file cannot be written", &error);
                return Ok(0);
            }
        };
        let text = name.to_string();
        let written = Written { name: &text, digest, at_ms: name.at_ms };
        match self.shelf.remove(&coupons, written, holder).await {
            Ok(()) => {}
            // It is resolved by the next `tidy`.
            Err(ArchiveError::Store(error)) => return Err(error),
            Err(error @ (ArchiveError::Superseded | ArchiveError::NotClosed | ArchiveError::Changed)) => {
                tracing::warn!(primary = %self.primary, %error, file = text, "nothing was archived");
                self.report("a part cannot be removed", file::discard(&self.settings.folder, &name));
                return Ok(0);
            }
        }
        self.report("a file cannot be renamed", file::finish(&self.settings.folder, &name));
        self.flow.meter.archive_files.add(1);
        self.flow.meter.archive_coupons.add(coupons.len());
        Ok(coupons.len())
    }

    /// Those whose users have nothing else of their templates that is not long dead. All of them are, by what sealed them; this
    /// is said once more of what is about to be removed.
    fn long_dead(&self, coupons: Vec<WholeCoupon>) -> Vec<WholeCoupon> {
        let dead_ms = self.flow.clock.now_ms().saturating_sub(self.after_ms());
        let alive: BTreeSet<Pair> = coupons
            .iter()
            .filter(|coupon| self.validity(coupon).is_none_or(|validity| !is_dead(coupon, validity, dead_ms)))
            .map(|coupon| (coupon.row.user, coupon.row.template))
            .collect();
        coupons.into_iter().filter(|coupon| !alive.contains(&(coupon.row.user, coupon.row.template))).collect()
    }

    fn validity(&self, coupon: &WholeCoupon) -> Option<Validity> {
        let template = self.flow.templates.get(coupon.row.template)?;
        let (from_ms, until_ms) = template.validity_ms(coupon.row.claimed_at_ms);
        Some(Validity { from_ms, until_ms })
    }

    /// Beside the runtime's threads. Cancelled, it goes on to its end, and leaves a part.
    async fn write(&self, name: &Name, coupons: &[WholeCoupon]) -> io::Result<[u8; 32]> {
        let bodies: Vec<line::Body> = coupons
            .iter()
            .filter_map(|coupon| {
                let template = self.flow.templates.get(coupon.row.template)?;
                Some(line::body(coupon, self.flow.coupon(&template, &coupon.row, false)))
            })
            .collect();
        if bodies.len() != coupons.len() {
            return Err(io::Error::other("a template is not known any more"));
        }
        let steps = coupons.iter().map(|coupon| coupon.steps.len()).sum();
        let (folder, name, primary) = (self.settings.folder.clone(), name.clone(), self.primary.to_string());
        let write = move || file::write(&folder, &name, &line::head(&primary, name.at_ms), &bodies, steps);
        tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    fn report(&self, what: &str, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed(what, &error);
        }
    }

    fn failed(&self, what: &str, error: &io::Error) {
        self.flow.meter.archive_failures.add(1);
        tracing::warn!(primary = %self.primary, folder = %self.settings.folder.display(), %error, what, "archive");
    }
}

/// Used or unused, it has been past its end since then or longer, and so has its last lock.
fn is_dead(coupon: &WholeCoupon, validity: Validity, dead_ms: u64) -> bool {
    let end = i64::try_from(dead_ms).is_ok_and(|dead_ms| validity.until_ms <= dead_ms);
    end && (coupon.row.status != CouponStatus::Locked || coupon.row.locked_until_ms <= dead_ms)
}

fn of_meta<T>(answer: Result<T, MetaError>) -> Result<T, StoreError> {
    answer.map_err(|error| match error {
        MetaError::Store(error) => error,
        error => StoreError::Refused(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use scrip_protocol::{OrderId, RequestId, UserId};
    use scrip_shard_config::SubStock;

    use super::*;
    use crate::store::CouponRow;
    use crate::store::steps::Hold;

    #[test]
    fn a_coupon_is_dead_past_its_end_and_its_last_lock() {
        let order = || OrderId::try_new("order").expect("an order id");
        let check = |hold: Hold, expect: [bool; 3]| {
            let template = TemplateId::try_new(7).expect("not 0");
            let row = CouponRow::new(UserId(1), template, 1, RequestId([1; 16]), 0).held(&hold);
            let coupon = WholeCoupon { row, sub_stock: SubStock(0), steps: Vec::new() };
            let validity = Validity { from_ms: 0, until_ms: 100 };
            assert_eq!([99, 100, 150].map(|dead_ms| is_dead(&coupon, validity, dead_ms)), expect, "{hold:?}");
        };
        check(Hold::Unused, [false, true, true]);
        check(Hold::Used { order: order() }, [false, true, true]);
        check(Hold::Locked { order: order(), until_ms: 50 }, [false, true, true]);
        check(Hold::Locked { order: order(), until_ms: 150 }, [false, false, true]);
    }
}
