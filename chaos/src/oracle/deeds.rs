//! What orders were told, against the logs of coupons; and the logs against themselves.

use std::collections::{BTreeMap, BTreeSet};

use scrip_client::{OrderId, TemplateId, UserId};
use scrip_protocol::v1::StepKind;

use super::verdict::{Kind, Verdict};
use super::view::{StepRow, StoresView};
use crate::history::{Act, Deed, DeedSent, DeedTold, History};

type CouponKey = (UserId, TemplateId, u16);
type Logs<'a> = BTreeMap<CouponKey, Vec<&'a StepRow>>;

pub(super) fn check(verdict: &mut Verdict, history: &History, view: &StoresView) {
    verdict.counts.deed_sends = history.deed_sends().len() as u64;
    verdict.counts.steps = view.steps.len() as u64;
    let mut logs = Logs::new();
    for row in &view.steps {
        logs.entry((row.user, row.template, row.seq)).or_default().push(row);
    }
    for (key, log) in &mut logs {
        log.sort_by_key(|row| row.number);
        one_log(verdict, *key, log);
    }
    let mut sends: Vec<Vec<&DeedSent>> = vec![Vec::new(); history.deeds().len()];
    for sent in history.deed_sends() {
        sends[sent.deed.0 as usize].push(sent);
    }
    for (deed, sends) in history.deeds().iter().zip(&sends).filter(|(_, sends)| !sends.is_empty()) {
        one_deed(verdict, history, deed, sends, &logs);
    }
    by_nobody(verdict, history, &sends, view);
}

/// What a log says by itself: its numbers have no gap, and one order at a time uses the coupon.
fn one_log(verdict: &mut Verdict, (user, template, seq): CouponKey, log: &[&StepRow]) {
    let place = || format!("coupon {seq} of user {user}, template {template}");
    if !log.iter().map(|row| usize::from(row.number)).eq(1..=log.len()) {
        verdict.add(Kind::StepGap, place);
    }
    let mut used = false;
    for row in log {
        match row.kind {
            StepKind::Redeemed if used => verdict.add(Kind::UsedTwice, || format!("{}, step {}", place(), row.number)),
            StepKind::Redeemed => used = true,
            StepKind::Returned => used = false,
            _ => {}
        }
    }
}

fn one_deed(verdict: &mut Verdict, history: &History, deed: &Deed, sends: &[&DeedSent], logs: &Logs<'_>) {
    let has_step = |kinds: &[StepKind]| {
        let has = move |&(template, seq): &(TemplateId, u16)| {
            let log = logs.get(&(deed.user, template, seq)).map_or(&[][..], Vec::as_slice);
            log.iter().any(|row| row.order.as_ref() == Some(&deed.order) && kinds.contains(&row.kind))
        };
        deed.coupons.iter().filter(|coupon| has(coupon)).count()
    };
    let text = || format!("order {}: {:?} of {:?} of user {}", deed.order, deed.act, deed.coupons, deed.user);
    let may_be_lost = |sent: &&&DeedSent| {
        let mut losses = history.losses().iter().filter(|lost| lost.is_home_of(deed.user));
        losses.any(|lost| sent.sent_at_us <= lost.until_us && sent.answered_at_us >= lost.from_us)
    };
    let mut done = sends.iter().filter(|sent| sent.told == DeedTold::Done);
    let (stands, own) = (has_step(standing(deed.act)), has_step(deed.act.kinds()));
    if done.any(|sent| !may_be_lost(&sent)) && stands < deed.coupons.len() {
        verdict.add(Kind::StepMissing, text);
    }
    if own > 0 && sends.iter().all(|sent| matches!(sent.told, DeedTold::NotApplied(_))) {
        let told: Vec<DeedTold> = sends.iter().map(|sent| sent.told).collect();
        verdict.add(Kind::StepAfterAll, || format!("{}: {told:?}", text()));
    }
    if own > 0 && own < deed.coupons.len() {
        verdict.add(Kind::OrderHalfDone, text);
    }
}

/// The steps after which a deed counts as done: who has used a coupon needs no lock, who has returned it need not unlock it.
fn standing(act: Act) -> &'static [StepKind] {
    match act {
        Act::Lock => &[StepKind::Locked, StepKind::Redeemed],
        Act::Unlock => &[StepKind::Unlocked, StepKind::Barred, StepKind::Returned],
        Act::Redeem | Act::Return => act.kinds(),
    }
}

/// Steps of orders that never sent anything of the kind.
fn by_nobody(verdict: &mut Verdict, history: &History, sends: &[Vec<&DeedSent>], view: &StoresView) {
    let asked: BTreeSet<(&OrderId, Act)> = history
        .deeds()
        .iter()
        .zip(sends)
        .filter(|(_, sends)| !sends.is_empty())
        .map(|(deed, _)| (&deed.order, deed.act))
        .collect();
    for row in &view.steps {
        // What time does to a coupon, no order asks for.
        let Some(act) = act_of(row.kind) else { continue };
        if !row.order.as_ref().is_some_and(|order| asked.contains(&(order, act))) {
            verdict.add(Kind::StepByNobody, || format!("order {:?}: {:?} of user {}", row.order, row.kind, row.user));
        }
    }
}

fn act_of(kind: StepKind) -> Option<Act> {
    [Act::Lock, Act::Redeem, Act::Unlock, Act::Return].into_iter().find(|act| act.kinds().contains(&kind))
}
