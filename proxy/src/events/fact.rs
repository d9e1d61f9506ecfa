//! Facts as events: pure.

use bytes::Bytes;
use scrip_protocol::v1::{Event, EventBatch, EventKind, StepKind};
use scrip_protocol::{OrderId, TemplateId};

use crate::store::NewCoupon;
use crate::store::patrol::Reminder;
use crate::store::steps::{Hold, NewStep};

/// The coupons of one transaction.
pub fn of_coupons(coupons: &[NewCoupon]) -> EventBatch {
    EventBatch { events: coupons.iter().map(claimed).collect() }
}

/// The steps of one transaction. A barred order tells nobody anything: the coupon stays what it was.
pub fn of_steps(steps: &[NewStep]) -> EventBatch {
    EventBatch { events: steps.iter().filter_map(stepped).collect() }
}

/// Every unit of a template became a coupon.
pub fn sold_out(template: TemplateId, at_ms: u64) -> EventBatch {
    let kind = EventKind::SoldOut as i32;
    EventBatch { events: vec![Event { kind, template_id: template.get(), at_ms: millis(at_ms), ..Event::default() }] }
}

/// The ends of coupons are near.
pub fn of_reminders(reminders: &[Reminder]) -> EventBatch {
    let events = reminders.iter().map(|reminder| Event {
        kind: EventKind::Expiring as i32,
        template_id: reminder.key.template.get(),
        user_id: reminder.key.user.get(),
        seq: reminder.seq.into(),
        at_ms: millis(reminder.at_ms),
        until_ms: reminder.until_ms,
        ..Event::default()
    });
    EventBatch { events: events.collect() }
}

fn claimed(coupon: &NewCoupon) -> Event {
    Event {
        kind: EventKind::Claimed as i32,
        template_id: coupon.template.get(),
        user_id: coupon.user.get(),
        seq: coupon.seq.into(),
        at_ms: millis(coupon.claimed_at_ms),
        request_id: Bytes::copy_from_slice(&coupon.request.0),
        ..Event::default()
    }
}

fn stepped(NewStep { key, step, .. }: &NewStep) -> Option<Event> {
    let kind = match step.kind {
        StepKind::Locked => EventKind::Locked,
        StepKind::Redeemed => EventKind::Redeemed,
        StepKind::Unlocked => EventKind::Unlocked,
        StepKind::Returned => EventKind::Returned,
        StepKind::Expired => EventKind::Expired,
        StepKind::Freed => EventKind::Freed,
        StepKind::Barred | StepKind::Unspecified => return None,
    };
    let until_ms = match step.hold {
        Hold::Locked { until_ms, .. } => until_ms,
        Hold::Unused | Hold::Used { .. } => 0,
    };
    Some(Event {
        kind: kind as i32,
        template_id: key.template.get(),
        user_id: key.user.get(),
        seq: key.seq.into(),
        step: step.number.into(),
        at_ms: millis(step.at_ms),
        order_id: step.order.as_ref().map_or_else(String::new, OrderId::to_string),
        amount_minor: step.amount_minor,
        until_ms: millis(until_ms),
        ..Event::default()
    })
}

/// Some 292 million years.
fn millis(at_ms: u64) -> i64 {
    i64::try_from(at_ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use scrip_protocol::UserId;

    use super::*;
    use crate::store::steps::{CouponKey, Step};

    fn step(kind: StepKind, hold: Hold) -> NewStep {
        let template = TemplateId::try_new(9).expect("not zero");
        let order = OrderId::try_new("o-1").ok();
        let step = Step { number: 3, kind, order, hold, amount_minor: 5, at_ms: 77 };
        NewStep { key: CouponKey { user: UserId(120_042), template, seq: 2 }, step, seen_on: 0 }
    }

    #[test]
    fn what_changes_a_coupon_is_told_and_a_barred_order_is_not() {
        let order = OrderId::try_new("o-1").expect("an order id");
        let locked = step(StepKind::Locked, Hold::Locked { order, until_ms: 99 });
        let barred = step(StepKind::Barred, Hold::Unused);
        let events = of_steps(&[locked, barred]).events;
        let expect = Event {
            kind: EventKind::Locked as i32,
            template_id: 9,
            user_id: 120_042,
            seq: 2,
            step: 3,
            at_ms: 77,
            order_id: "o-1".to_owned(),
            amount_minor: 5,
            until_ms: 99,
            ..Event::default()
        };
        assert_eq!(events, [expect]);
    }
}
