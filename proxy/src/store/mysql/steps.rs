//! Logs of coupons, off the wire.

use mysql_async::Row;
use mysql_async::prelude::FromRow;
use rustc_hash::FxHashMap;
use scrip_protocol::v1::{CouponStatus, StepKind};
use scrip_protocol::{OrderId, RequestId, TemplateId, UserId};

use super::dial::Target;
use super::failure::Failed;
use super::pool::Lease;
use super::session::decode;
use super::sql;
use crate::store::steps::{CouponKey, CouponLog, Hold, Step};
use crate::store::{CouponRow, StoreError};

/// A coupon, and one of its steps unless it has none.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) user: u64,
    pub(crate) template: u32,
    pub(crate) seq: u16,
    /// Empty: there is no such coupon.
    pub(crate) request: Vec<u8>,
    pub(crate) claimed_at_ms: u64,
    step: Option<StepLine>,
}

#[derive(Debug)]
struct StepLine {
    number: u16,
    kind: u8,
    order: Vec<u8>,
    state: u8,
    holder: Option<Vec<u8>>,
    until_ms: u64,
    amount_minor: u64,
    at_ms: u64,
}

impl FromRow for Line {
    fn from_row_opt(mut row: Row) -> Result<Self, mysql_async::FromRowError> {
        let line = line(&mut row);
        line.ok_or(mysql_async::FromRowError(row))
    }
}

/// More columns than a tuple can have.
fn line(row: &mut Row) -> Option<Line> {
    let step = match row.take_opt::<Option<u16>, _>(5)?.ok()? {
        None => None,
        Some(number) => Some(StepLine {
            number,
            kind: row.take_opt(6)?.ok()?,
            order: row.take_opt(7)?.ok()?,
            state: row.take_opt(8)?.ok()?,
            holder: row.take_opt(9)?.ok()?,
            until_ms: row.take_opt(10)?.ok()?,
            amount_minor: row.take_opt(11)?.ok()?,
            at_ms: row.take_opt(12)?.ok()?,
        }),
    };
    Some(Line {
        user: row.take_opt(0)?.ok()?,
        template: row.take_opt(1)?.ok()?,
        seq: row.take_opt(2)?.ok()?,
        request: row.take_opt(3)?.ok()?,
        claimed_at_ms: row.take_opt(4)?.ok()?,
        step,
    })
}

/// Logs, off the wire.
pub(super) fn logs(rows: Vec<Row>) -> Result<Vec<CouponLog>, Failed> {
    let mut logs: FxHashMap<CouponKey, CouponLog> = FxHashMap::default();
    for line in decode::<Line>(rows)? {
        let row = line.coupon().map_err(Failed::unexpected)?;
        let step = line.step().map_err(Failed::unexpected)?;
        let log = logs.entry(row.key()).or_insert_with(|| CouponLog { row, steps: Vec::new() });
        log.steps.extend(step);
    }
    let mut logs: Vec<CouponLog> = logs.into_values().collect();
    for log in &mut logs {
        log.steps.sort_unstable_by_key(|step| step.number);
        log.row = log.row.held(log.hold());
    }
    Ok(logs)
}

/// One coupon and its log.
pub(super) async fn log(mut lease: Lease, target: &Target, key: CouponKey) -> Result<Option<CouponLog>, StoreError> {
    let (text, limit) = (sql::steps::logs(&[key], false), target.limits().read);
    let found = lease.session.packet(&text, 1, limit).await;
    let found = found.and_then(|mut sets| logs(sets.pop().unwrap_or_default()));
    let mut found = found.map_err(|failed| failed.not_applied(&target.whom()))?;
    lease.keep();
    Ok(found.pop())
}

impl Line {
    /// The coupon, without its state.
    pub(crate) fn coupon(&self) -> Result<CouponRow, &'static str> {
        let template = TemplateId::try_new(self.template).map_err(|_| "template 0")?;
        let request = RequestId::try_from_slice(&self.request).map_err(|_| "a request id that has not 16 bytes")?;
        Ok(CouponRow::new(UserId(self.user), template, self.seq, request, self.claimed_at_ms))
    }

    /// The step.
    pub(crate) fn step(&self) -> Result<Option<Step>, &'static str> {
        self.step.as_ref().map(step).transpose()
    }
}

fn step(line: &StepLine) -> Result<Step, &'static str> {
    let order = if line.order.is_empty() { None } else { Some(order_id(&line.order)?) };
    let holder = line.holder.as_deref().map(order_id).transpose()?.or_else(|| order.clone());
    let holder = holder.ok_or("a state that nobody holds");
    let hold = match CouponStatus::try_from(i32::from(line.state)) {
        Ok(CouponStatus::Unused) => Hold::Unused,
        Ok(CouponStatus::Locked) => Hold::Locked { order: holder?, until_ms: line.until_ms },
        Ok(CouponStatus::Used) => Hold::Used { order: holder? },
        Ok(CouponStatus::Unspecified | CouponStatus::Expired) | Err(_) => {
            return Err("a state that no step leads to");
        }
    };
    let kind = StepKind::try_from(i32::from(line.kind)).map_err(|_| "a step of no kind")?;
    let StepLine { number, amount_minor, at_ms, .. } = *line;
    Ok(Step { number, kind, order, hold, amount_minor, at_ms })
}

fn order_id(bytes: &[u8]) -> Result<OrderId, &'static str> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| OrderId::try_new(text).ok()).ok_or("an order id that is none")
}
