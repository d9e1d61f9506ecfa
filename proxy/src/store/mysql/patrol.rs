//! The walk over all coupons of a primary, in slices of its clustered index.

use std::time::Duration;

use scrip_protocol::v1::StepKind;
use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::PrimaryId;

use super::MysqlStore;
use super::failure::Failed;
use super::read::coupon;
use super::session::decode;
use super::sql::patrol as sql;
use crate::store::events::Holder;
use crate::store::patrol::{PatrolStore, Position, Reminder, ReminderKey, Walked};
use crate::store::{RecordError, StoreError};

/// A coupon, state and end of the lock after its last step, and the kind of that.
type Columns = (u64, u32, u16, Vec<u8>, u64, Option<u8>, Option<u64>, Option<u8>);

fn walked((user, template, seq, request, claimed_at_ms, state, until_ms, kind): Columns) -> Result<Walked, Failed> {
    let row = coupon((user, template, seq, request, claimed_at_ms, state, until_ms))?;
    let last = kind.map(|kind| StepKind::try_from(i32::from(kind))).transpose();
    Ok(Walked { row, last: last.map_err(|_| Failed::unexpected("a step of no kind"))? })
}

impl PatrolStore for MysqlStore {
    async fn hold(
        &self,
        primary: PrimaryId,
        name: &'static str,
        owner: &str,
        lasts: Duration,
    ) -> Result<Option<Holder>, StoreError> {
        self.leases(primary).hold(name, owner, lasts).await
    }

    async fn position(&self, primary: PrimaryId) -> Result<Position, StoreError> {
        let rows: Vec<(u16, u64, u32, u16)> = self.leases(primary).rows(sql::POSITION, ()).await?;
        let position = rows.first().map(|&(tail, user, template, seq)| Position { tail, user, template, seq });
        Ok(position.unwrap_or_default())
    }

    async fn note(&self, primary: PrimaryId, position: Position, holder: &Holder) -> Result<(), StoreError> {
        let Position { tail, user, template, seq } = position;
        let params = (tail, user, template, seq, holder.name, &holder.owner, holder.term);
        self.leases(primary).run(sql::POSITION_SET, params).await.map(drop)
    }

    async fn walk(&self, primary: PrimaryId, after: Position, count_max: u32) -> Result<Vec<Walked>, StoreError> {
        let leases = self.leases(primary);
        let Position { tail, user, template, seq } = after;
        let params = (tail, user, template, template, seq, count_max);
        let mut rows: Vec<Columns> = leases.rows(sql::WALK_USER, params).await?;
        let left = |rows: &[Columns]| count_max.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        if left(&rows) > 0 {
            rows.extend(leases.rows::<Columns>(sql::WALK_TAIL, (tail, user, left(&rows))).await?);
        }
        if left(&rows) > 0 {
            rows.extend(leases.rows::<Columns>(sql::WALK_REST, (tail, left(&rows))).await?);
        }
        let whom = leases.pool()?.target().whom();
        let rows = rows.into_iter().map(walked).collect::<Result<Vec<_>, Failed>>();
        rows.map_err(|failed| failed.not_applied(&whom))
    }

    async fn reminded(&self, primary: PrimaryId, keys: &[ReminderKey]) -> Result<Vec<ReminderKey>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let pool = &self.inner.backend(primary)?.pool;
        let (whom, limit) = (pool.target().whom(), pool.target().limits().read);
        let mut lease = pool.lease().await?;
        let rows = lease.session.packet(&sql::reminded(keys), 1, limit).await;
        let rows = rows.map_err(|failed| failed.not_applied(&whom))?;
        lease.keep();
        let rows = decode::<(u64, u32, u32, u64)>(rows.into_iter().flatten().collect());
        let keys = rows.map_err(|failed| failed.not_applied(&whom))?.into_iter();
        let keys = keys.filter_map(|(user, template, end_day, before_ms)| {
            let template = TemplateId::try_new(template).ok()?;
            Some(ReminderKey { user: UserId(user), template, end_day, before_ms })
        });
        Ok(keys.collect())
    }

    async fn remind(&self, primary: PrimaryId, reminders: &[Reminder]) -> Result<(), RecordError> {
        if reminders.is_empty() {
            return Ok(());
        }
        let pool = &self.inner.backend(primary).map_err(RecordError::from)?.pool;
        let (target, limits) = (pool.target(), pool.target().limits());
        let mut lease = pool.lease().await?;
        let text = sql::remind(reminders, target.version());
        // Cancelled from here on, the connection is closed and the outcome is unknown.
        match lease.session.packet(&text, sql::REMIND_STATEMENTS, limits.record).await {
            Ok(_) => {
                lease.keep();
                Ok(())
            }
            Err(failed) => {
                if failed.answered() {
                    lease.roll_back(limits.connect).await;
                }
                Err(failed.of_record(&target.whom(), sql::REMIND_COMMIT))
            }
        }
    }

    async fn forget(&self, primary: PrimaryId, before_day: u32, count_max: u32) -> Result<u64, StoreError> {
        self.leases(primary).run(sql::REMINDERS_DROP, (before_day, count_max)).await
    }
}
