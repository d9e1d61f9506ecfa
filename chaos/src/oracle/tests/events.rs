//! Events: hand-written streams that miss something, mix something up or make something up, each for the right reason.

use std::sync::Arc;

use scrip_client::event::{Event, EventCoupon, EventKind};
use scrip_client::{CouponId, OrderId, RequestId, UserId};
use scrip_protocol::v1::StepKind;
use scrip_shard_config::PrimaryId;

use super::*;
use crate::history::{Act, Deed, DeedTold, EventTold, LostCommits};

const DAY_MS: i64 = 86_400_000;

fn order() -> OrderId {
    OrderId::try_new("a").expect("an order id")
}

fn event(user: u64, kind: EventKind, step: Option<u32>) -> Event {
    let is_step = !matches!(kind, EventKind::Claimed | EventKind::Expiring | EventKind::Expired);
    Event {
        id: Arc::from("p00-1-1-0"),
        kind,
        template: template(),
        coupon: Some(EventCoupon { coupon_id: CouponId([1; 16]), user: UserId(user), seq: 1, step }),
        order_id: is_step.then(order),
        amount_minor: 0,
        until_ms: (kind == EventKind::Expiring).then_some(5 * DAY_MS),
        request_id: (kind == EventKind::Claimed).then(|| RequestId([u8::try_from(user).expect("a small number"); 16])),
        at_ms: 0,
    }
}

fn sold_out() -> Event {
    Event { coupon: None, order_id: None, ..event(0, EventKind::SoldOut, None) }
}

/// Claims of users 1 and 2; an order locks and redeems the coupon of user 1, and that of user 2 expires.
fn good() -> Vec<Event> {
    vec![
        event(1, EventKind::Claimed, None),
        event(2, EventKind::Claimed, None),
        event(1, EventKind::Locked, Some(1)),
        sold_out(),
        event(2, EventKind::Expiring, None),
        event(1, EventKind::Redeemed, Some(2)),
        event(2, EventKind::Expired, Some(1)),
    ]
}

/// Nothing but `expect` is found, after these events and the change.
fn check_events(events: Vec<Event>, change: impl FnOnce(&mut Case), expect: &[(Kind, u64)]) {
    let change = |case: &mut Case| {
        for (user, number, kind, by) in [
            (1, 1, StepKind::Locked, Some(order())),
            (1, 2, StepKind::Redeemed, Some(order())),
            (2, 1, StepKind::Expired, None),
        ] {
            let (user, template) = (UserId(user), template());
            case.view.steps.push(StepRow { user, template, seq: 1, number, kind, order: by });
        }
        for act in [Act::Lock, Act::Redeem] {
            let deed = Deed { user: UserId(1), order: order(), act, coupons: vec![(template(), 1)] };
            let deed = case.history.deed(deed);
            let send = case.history.deed_sent(deed, Duration::ZERO);
            case.history.deed_answered(send, Duration::from_secs(1), DeedTold::Done);
        }
        case.history.events_followed(events.into_iter().map(|event| EventTold::new(event, 0)).collect());
        change(case);
    };
    check_case(change, expect);
}

fn without(at: usize) -> Vec<Event> {
    let mut events = good();
    events.remove(at);
    events
}

#[test]
fn nothing_is_wrong_with_good_events() {
    check_events(good(), |_| (), &[]);
    // Nobody followed them.
    check_case(|case| assert!(case.history.events().is_none()), &[]);
    // An order that is barred changes nothing, and is told to nobody.
    let barred = |case: &mut Case| {
        let (user, template) = (UserId(2), template());
        case.view.steps.push(StepRow {
            user,
            template,
            seq: 1,
            number: 2,
            kind: StepKind::Barred,
            order: Some(order()),
        });
        let coupons = vec![(template, 1)];
        let deed = Deed { user, order: order(), act: Act::Unlock, coupons };
        let deed = case.history.deed(deed);
        case.history.deed_sent(deed, Duration::ZERO);
    };
    check_events(good(), barred, &[]);
}

#[test]
fn every_fact_is_told() {
    for at in [1, 2, 3, 5, 6] {
        check_events(without(at), |_| (), &[(Kind::EventMissing, 1)]);
    }
    // A reminder is one if the patrol came by in time.
    check_events(without(4), |_| (), &[]);
    check_events(Vec::new(), |_| (), &[(Kind::EventMissing, 6)]);
}

#[test]
fn facts_are_told_in_their_order() {
    let mut events = good();
    events.swap(2, 5);
    check_events(events, |_| (), &[(Kind::EventOutOfOrder, 1)]);
    let mut events = good();
    events.swap(1, 6);
    check_events(events, |_| (), &[(Kind::EventOutOfOrder, 1)]);
    // The second coupon of a user before the first.
    let mut events = good();
    let second = Event { coupon: events[0].coupon.map(|coupon| EventCoupon { seq: 2, ..coupon }), ..events[0].clone() };
    events.insert(0, second);
    check_events(events, |_| (), &[(Kind::EventOutOfOrder, 2), (Kind::EventFalse, 1)]);
}

#[test]
fn nothing_is_made_up() {
    let made_up = |event: Event| [good(), vec![event]].concat();
    for event in [
        event(1, EventKind::Returned, Some(3)),
        event(2, EventKind::Locked, Some(1)),
        event(4, EventKind::Expiring, None),
        Event { order_id: None, ..event(1, EventKind::Locked, Some(1)) },
    ] {
        check_events(made_up(event), |_| (), &[(Kind::EventFalse, 1)]);
    }
    let of_another = Event { request_id: Some(RequestId([9; 16])), ..event(4, EventKind::Claimed, None) };
    check_events(made_up(of_another), |_| (), &[(Kind::EventFalse, 1)]);
    // What a fail-over took had happened; what came later had not.
    let lost = |at_ms, tail| {
        let events = made_up(Event { at_ms, ..event(2, EventKind::Locked, Some(2)) });
        let expect: &[(Kind, u64)] = if at_ms > 20_000 || tail != 2 { &[(Kind::EventFalse, 1)] } else { &[] };
        let lost = LostCommits { primary: PrimaryId(1), tails: vec![tail..=tail], from_us: 0, until_us: 20_000_000 };
        check_events(events, |case| case.history.lost(lost), expect);
    };
    lost(15_000, 2);
    lost(15_000, 1);
    lost(25_000, 2);
}

#[test]
fn nobody_is_reminded_twice() {
    let again = [good(), vec![event(2, EventKind::Expiring, None)]].concat();
    check_events(again, |_| (), &[(Kind::ReminderTwice, 1)]);
    let on_another_day = Event { until_ms: Some(7 * DAY_MS), ..event(2, EventKind::Expiring, None) };
    check_events([good(), vec![on_another_day]].concat(), |_| (), &[]);
}
