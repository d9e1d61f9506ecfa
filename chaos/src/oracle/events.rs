//! Events: every fact in the stores was told, in the order of its coupon, and nothing was told that did not happen.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use scrip_client::event::{Event, EventCoupon, EventKind};
use scrip_client::{OrderId, RequestId, TemplateId, UserId};
use scrip_protocol::v1::StepKind;

use super::verdict::{Kind, Verdict};
use super::view::StoresView;
use crate::history::{EventTold, History};

/// An event carries the time at which its transaction was begun: so much before its commit at most.
const BEGUN_BEFORE_US: u64 = 10_000_000;

type CouponKey = (UserId, TemplateId, u32);

/// What happened to a coupon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fact {
    Claimed(RequestId),
    /// Number and kind of the step, and whose it was.
    Step(u32, i32, Option<OrderId>),
}

type Facts = BTreeMap<CouponKey, Vec<Fact>>;

/// How many facts of the stores were not told. Those of users whose primary lost commits do not count: see `check`.
pub fn untold(history: &History, view: &StoresView) -> usize {
    let (facts, told) = (facts(view), told(history.events().unwrap_or_default()));
    let missing = |(key, facts): (&CouponKey, &Vec<Fact>)| {
        let told = told.get(key).map(Vec::as_slice).unwrap_or_default();
        facts.iter().filter(|fact| !told.contains(fact)).count()
    };
    facts.iter().map(missing).sum::<usize>() + not_sold_out(history, view).count()
}

pub(super) fn check(verdict: &mut Verdict, history: &History, view: &StoresView) {
    let Some(events) = history.events() else { return };
    verdict.counts.events = events.len() as u64;
    let (facts, said) = (facts(view), told(events));
    let none = Vec::new();
    for (key, facts) in &facts {
        let said = said.get(key).unwrap_or(&none);
        for fact in facts.iter().filter(|fact| !said.contains(fact)) {
            verdict.add(Kind::EventMissing, || format!("{key:?}: {fact:?}"));
        }
        // What a fail-over lost was told, and may have been told again otherwise.
        let may_be_lost = history.losses().iter().any(|lost| lost.is_home_of(key.0));
        let known: Vec<&Fact> = said.iter().filter(|fact| facts.contains(fact)).collect();
        if !may_be_lost && known.len() == facts.len() && !known.into_iter().eq(facts) {
            verdict.add(Kind::EventOutOfOrder, || format!("{key:?}: {facts:?} was told as {said:?}"));
        }
    }
    in_turn(verdict, history, events);
    for told in events {
        if !is_true(&told.event, &facts, view) && !may_have_been(history, told) {
            verdict.add(Kind::EventFalse, || format!("{:?}", told.event));
        }
    }
    reminders(verdict, history, events);
    for template in not_sold_out(history, view) {
        verdict.add(Kind::EventMissing, || format!("template {template} is sold out"));
    }
}

/// Templates that are sold out, and nobody was told.
fn not_sold_out(history: &History, view: &StoresView) -> impl Iterator<Item = TemplateId> {
    let events = history.events().unwrap_or_default();
    let said: BTreeSet<TemplateId> =
        events.iter().filter(|told| told.event.kind == EventKind::SoldOut).map(|told| told.event.template).collect();
    view.templates.iter().filter(move |row| row.sold_out && !said.contains(&row.template)).map(|row| row.template)
}

/// What the stores say. A barred order is told to nobody.
fn facts(view: &StoresView) -> Facts {
    let mut facts = Facts::new();
    for row in &view.coupons {
        facts.insert((row.user, row.template, row.seq), vec![Fact::Claimed(row.request)]);
    }
    for row in view.steps.iter().filter(|row| row.kind != StepKind::Barred) {
        let of_coupon = facts.entry((row.user, row.template, u32::from(row.seq))).or_default();
        of_coupon.push(Fact::Step(u32::from(row.number), row.kind as i32, row.order.clone()));
    }
    facts.values_mut().for_each(|facts| facts.sort());
    facts
}

/// What was told of each coupon, in its order.
fn told(events: &[EventTold]) -> Facts {
    let mut told = Facts::new();
    for EventTold { event, .. } in events {
        if let (Some(coupon), Some(fact)) = (event.coupon, fact(event)) {
            told.entry(key(event.template, coupon)).or_default().push(fact);
        }
    }
    told
}

fn key(template: TemplateId, coupon: EventCoupon) -> CouponKey {
    (coupon.user, template, coupon.seq)
}

/// `None`: it is no fact of a coupon.
fn fact(event: &Event) -> Option<Fact> {
    let kind = match event.kind {
        EventKind::Claimed => return event.request_id.map(Fact::Claimed),
        EventKind::Locked => StepKind::Locked,
        EventKind::Redeemed => StepKind::Redeemed,
        EventKind::Unlocked => StepKind::Unlocked,
        EventKind::Returned => StepKind::Returned,
        EventKind::Expired => StepKind::Expired,
        EventKind::Freed => StepKind::Freed,
        _ => return None,
    };
    let step = event.coupon.and_then(|coupon| coupon.step)?;
    Some(Fact::Step(step, kind as i32, event.order_id.clone()))
}

/// A user's coupons of a template are told of in the order of their numbers.
fn in_turn(verdict: &mut Verdict, history: &History, events: &[EventTold]) {
    let mut last: HashMap<(UserId, TemplateId), u32> = HashMap::new();
    for EventTold { event, .. } in events.iter().filter(|told| told.event.kind == EventKind::Claimed) {
        let Some(coupon) = event.coupon else { continue };
        let last = last.entry((coupon.user, event.template)).or_default();
        let may_be_lost = || history.losses().iter().any(|lost| lost.is_home_of(coupon.user));
        if coupon.seq != *last + 1 && !may_be_lost() {
            let (user, template, last) = (coupon.user, event.template, *last);
            let text = || format!("user {user}, template {template}: coupon {} told after {last}", coupon.seq);
            verdict.add(Kind::EventOutOfOrder, text);
        }
        *last = coupon.seq;
    }
}

fn is_true(event: &Event, facts: &Facts, view: &StoresView) -> bool {
    let Some(coupon) = event.coupon else {
        // It was sold out then; stock may have been added since.
        return event.kind == EventKind::SoldOut && view.templates.iter().any(|row| row.template == event.template);
    };
    let of_coupon = facts.get(&key(event.template, coupon));
    match fact(event) {
        Some(fact) => of_coupon.is_some_and(|facts| facts.contains(&fact)),
        None => event.kind == EventKind::Expiring && of_coupon.is_some(),
    }
}

/// It was committed while commits of its user's primary were lost.
fn may_have_been(history: &History, told: &EventTold) -> bool {
    let Some(coupon) = told.event.coupon else { return false };
    let mut losses = history.losses().iter().filter(|lost| lost.is_home_of(coupon.user));
    losses.any(|lost| told.at_us <= lost.until_us && told.at_us.saturating_add(BEGUN_BEFORE_US) >= lost.from_us)
}

/// One for each user, template, day of the end, and time before it. Of these times, the run has one.
fn reminders(verdict: &mut Verdict, history: &History, events: &[EventTold]) {
    const DAY_MS: i64 = 86_400_000;
    let mut made: BTreeSet<(UserId, TemplateId, i64)> = BTreeSet::new();
    for EventTold { event, .. } in events.iter().filter(|told| told.event.kind == EventKind::Expiring) {
        let (Some(coupon), Some(until_ms)) = (event.coupon, event.until_ms) else { continue };
        let may_be_lost = || history.losses().iter().any(|lost| lost.is_home_of(coupon.user));
        if !made.insert((coupon.user, event.template, until_ms.div_euclid(DAY_MS))) && !may_be_lost() {
            verdict.add(Kind::ReminderTwice, || format!("user {}, template {}", coupon.user, event.template));
        }
    }
}
