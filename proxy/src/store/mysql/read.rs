//! Reading coupons.

use std::time::Duration;

use mysql_async::Row;
use scrip_protocol::v1::CouponStatus;
use scrip_protocol::{RequestId, TemplateId, UserId};
use scrip_shard_config::Tail;

use super::dial::Target;
use super::failure::Failed;
use super::pool::Lease;
use super::session::{Session, decode};
use super::sql;
use crate::store::{CouponRow, ListQuery, StoreError};

/// User, template, seq, request, time of the claim; state and end of the lock after the last step.
type Columns = (u64, u32, u16, Vec<u8>, u64, Option<u8>, Option<u64>);

pub(super) fn coupon(
    (user, template, seq, request, claimed_at_ms, state, until_ms): Columns,
) -> Result<CouponRow, Failed> {
    let status = CouponStatus::try_from(state.map_or(CouponStatus::Unused as i32, i32::from));
    Ok(CouponRow {
        user: UserId(user),
        template: TemplateId::try_new(template).map_err(|_| Failed::unexpected("template 0"))?,
        seq,
        request: RequestId::try_from_slice(&request).map_err(|_| Failed::unexpected("a short request id"))?,
        status: status.map_err(|_| Failed::unexpected("a state that no step leads to"))?,
        locked_until_ms: until_ms.unwrap_or(0),
        claimed_at_ms,
    })
}

/// Coupons, off the wire.
pub(super) fn coupons(rows: Vec<Row>) -> Result<Vec<CouponRow>, Failed> {
    decode::<Columns>(rows)?.into_iter().map(coupon).collect()
}

/// One page of a user's coupons.
pub(super) async fn list(mut lease: Lease, target: &Target, query: ListQuery) -> Result<Vec<CouponRow>, StoreError> {
    let rows = page(&mut lease.session, query, target.limits().read).await;
    let rows = rows.map_err(|failed| failed.not_applied(&target.whom()))?;
    lease.keep();
    Ok(rows)
}

async fn page(session: &mut Session, query: ListQuery, limit: Duration) -> Result<Vec<CouponRow>, Failed> {
    let (user, tail) = (query.user.get(), Tail::of_user(query.user.get()).get());
    let (after, seq) = query.after.map_or((0, 0), |(template, seq)| (template.get(), seq));
    let rows: Vec<Columns> = match query.template.map(TemplateId::get) {
        // Already past this template: nothing is left of it.
        Some(template) if after > template => Vec::new(),
        Some(template) => {
            let seq = if after == template { seq } else { 0 };
            session.rows(sql::LIST_TEMPLATE, (tail, user, template, seq, query.count_max), limit).await?
        }
        None => session.rows(sql::LIST, (tail, user, after, after, seq, query.count_max), limit).await?,
    };
    rows.into_iter().map(coupon).collect()
}
