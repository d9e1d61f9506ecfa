//! What becomes of one pack, decided on what was read. Pure.
//!
//! The pack was read first and the coupons after it: a pack that was not there when it was read, and whose coupons were not
//! there later, was not there in between.

use rustc_hash::FxHashMap;
use scrip_protocol::v1::Code;
use scrip_protocol::{TemplateId, UserId};

use super::{Item, Pack};
use crate::store::CouponRow;
use crate::store::pack::PackItems;

/// The coupons of users, by template.
pub(super) type Coupons = FxHashMap<(UserId, TemplateId), Vec<CouponRow>>;

/// What becomes of one pack.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Its coupons are to be recorded: the number of the first one of each item.
    Record(Vec<u16>),
    /// They were: in the order of the items.
    Found(Vec<CouponRow>),
    /// They were, and those that are not there any more are archived: in the order of the items.
    Partly(Vec<Option<CouponRow>>),
    /// It was recorded between the two reads: they are made again.
    Again,
    /// The request id is that of a pack of other items.
    Reused,
    /// A rule stands against an item.
    Refuse(TemplateId, Code),
}

/// `there`: the items of the pack that has this request id.
pub(super) fn plan(pack: &Pack, there: Option<&PackItems>, coupons: &Coupons, now_ms: u64) -> Plan {
    let own = |item: &Item| coupons.get(&(pack.key.user, item.id())).map_or(&[][..], Vec::as_slice);
    match there {
        Some(items) if *items != pack.kept => Plan::Reused,
        Some(_) => found(pack, own),
        None if pack.items.iter().any(|item| item.requests(pack.key.request).any(|id| has(own(item), id))) => {
            Plan::Again
        }
        None => {
            let numbers = pack.items.iter().map(|item| first_number(item, own(item), now_ms));
            numbers.collect::<Result<_, _>>().map_or_else(|(template, code)| Plan::Refuse(template, code), Plan::Record)
        }
    }
}

fn has(rows: &[CouponRow], request: scrip_protocol::RequestId) -> bool {
    rows.iter().any(|row| row.request == request)
}

/// Coupons of a pack go only when those of their template go, long after it was closed for good.
fn found<'a>(pack: &Pack, own: impl Fn(&Item) -> &'a [CouponRow]) -> Plan {
    let row = |item: &Item, request| own(item).iter().find(|row| row.request == request).copied();
    let rows: Vec<Option<CouponRow>> = pack.units().map(|(item, request)| row(item, request)).collect();
    match rows.iter().copied().collect() {
        Some(all) => Plan::Found(all),
        None => Plan::Partly(rows),
    }
}

/// The number of an item's first coupon, if the limit per user and that of the day leave room for all of them.
fn first_number(item: &Item, rows: &[CouponRow], now_ms: u64) -> Result<u16, (TemplateId, Code)> {
    let template = &item.template;
    let last = rows.iter().map(|row| row.seq).max().unwrap_or(0);
    if u32::from(last) + u32::from(item.count) > u32::from(template.per_user_limit()) {
        return Err((item.id(), Code::LimitReached));
    }
    let mut claimed_ms: Vec<u64> = rows.iter().map(|row| row.claimed_at_ms).collect();
    for _ in 0..item.count {
        if template.is_day_full(&claimed_ms, now_ms) {
            return Err((item.id(), Code::DailyLimitReached));
        }
        claimed_ms.push(now_ms);
    }
    Ok(last + 1)
}

#[cfg(test)]
pub(super) mod tests;
