//! The walk over all coupons of a primary, in slices of its clustered index.

use std::time::Duration;

use scrip_protocol::v1::StepKind;
use scrip_shard_config::PrimaryId;

use super::MysqlStore;
use super::failure::Failed;
use super::lease::Leases;
use super::read::coupon;
use super::sql::patrol as sql;
use crate::store::StoreError;
use crate::store::events::Holder;
use crate::store::patrol::{Position, Walked};

/// A coupon, state and end of the lock after its last step, and the kind of that.
type Columns = (u64, u32, u16, Vec<u8>, u64, Option<u8>, Option<u64>, Option<u8>);

fn walked((user, template, seq, request, claimed_at_ms, state, until_ms, kind): Columns) -> Result<Walked, Failed> {
    let row = coupon((user, template, seq, request, claimed_at_ms, state, until_ms))?;
    let last = kind.map(|kind| StepKind::try_from(i32::from(kind))).transpose();
    Ok(Walked { row, last: last.map_err(|_| Failed::unexpected("a step of no kind"))? })
}

/// What the patrol of one primary reads and notes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Beat {
    leases: Leases,
}

impl MysqlStore {
    /// What the patrol of a primary reads and notes.
    pub fn beat(&self, primary: PrimaryId) -> Beat {
        Beat { leases: self.leases(primary) }
    }
}

impl Beat {
    /// Of which primary it is.
    pub fn primary(&self) -> PrimaryId {
        self.leases.primary()
    }

    /// See [`Leases::hold`].
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn hold(&self, name: &'static str, owner: &str, lasts: Duration) -> Result<Option<Holder>, StoreError> {
        self.leases.hold(name, owner, lasts).await
    }

    /// How far the walk has come.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn position(&self) -> Result<Position, StoreError> {
        let rows: Vec<(u16, u64, u32, u16)> = self.leases.rows(sql::POSITION, ()).await?;
        let position = rows.first().map(|&(tail, user, template, seq)| Position { tail, user, template, seq });
        Ok(position.unwrap_or_default())
    }

    /// Notes how far it has come.
    ///
    /// # Errors
    /// When the primary does not answer; some coupons are looked at again then.
    pub async fn note(&self, position: Position, holder: &Holder) -> Result<(), StoreError> {
        let Position { tail, user, template, seq } = position;
        let params = (tail, user, template, seq, holder.name, &holder.owner, holder.term);
        self.leases.run(sql::POSITION_SET, params).await.map(drop)
    }

    /// The next coupons after a position, in the order of the primary key; fewer than wanted: there are no more.
    ///
    /// # Errors
    /// When the primary does not answer.
    pub async fn walk(&self, after: Position, count_max: u32) -> Result<Vec<Walked>, StoreError> {
        let Position { tail, user, template, seq } = after;
        let params = (tail, user, template, template, seq, count_max);
        let mut rows: Vec<Columns> = self.leases.rows(sql::WALK_USER, params).await?;
        let left = |rows: &[Columns]| count_max.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        if left(&rows) > 0 {
            rows.extend(self.leases.rows::<Columns>(sql::WALK_TAIL, (tail, user, left(&rows))).await?);
        }
        if left(&rows) > 0 {
            rows.extend(self.leases.rows::<Columns>(sql::WALK_REST, (tail, left(&rows))).await?);
        }
        let whom = self.leases.pool()?.target().whom();
        let rows = rows.into_iter().map(walked).collect::<Result<Vec<_>, Failed>>();
        rows.map_err(|failed| failed.not_applied(&whom))
    }
}
