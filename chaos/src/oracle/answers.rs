//! What callers were told, against the stores: is every answer that was ever given still true?

use std::collections::{BTreeMap, HashMap};

use scrip_client::{Code, RequestId, TemplateId, UserId};

use super::loss::Losses;
use super::told::{Request, Requests};
use super::verdict::{Counts, Kind, Verdict};
use super::view::{CouponRow, StoresView};
use super::{Circumstances, bulk, codes, derived, loss};
use crate::history::{self, History, Told};

pub(super) fn check(
    verdict: &mut Verdict,
    history: &History,
    requests: &Requests,
    view: &StoresView,
    circumstances: Circumstances,
) {
    count(&mut verdict.counts, history, requests);
    let rows = rows(verdict, history, view);
    let losses = Losses::of(history, requests);
    let uses_lost = codes::excused(history);
    for (number, request) in requests.sent() {
        let asked = &history.requests()[number];
        // A use that was lost and taken again has the coupon of whoever had it first.
        let row = rows.get(&asked.id).copied().filter(|row| !uses_lost.contains(&number) || row.user == asked.user);
        applied(verdict, asked, request, row, circumstances);
        if uses_lost.contains(&number) || losses.excuse(asked, request) {
            verdict.counts.excused += u64::from(request.coupon.is_some() && row.is_none());
        } else {
            answer(verdict, asked, request, row);
        }
    }
    never_asked(verdict, history, requests, view);
    if !circumstances.replenished {
        sold_out(verdict, history, requests, &rows);
    }
    sold_out_said(verdict, history, view, circumstances);
}

fn count(counts: &mut Counts, history: &History, requests: &Requests) {
    counts.sends = history.sends().len() as u64;
    counts.asks = history.asks().len() as u64;
    counts.operations = history.operations().len() as u64;
    for sent in history.sends() {
        match sent.told {
            Told::Nothing => counts.unanswered += 1,
            Told::Coupon { .. } => counts.told_coupon += 1,
            Told::NotApplied(code) => {
                counts.told_not_applied += 1;
                counts.told_sold_out += u64::from(code == Code::SoldOut);
            }
            Told::Unknown(_) => counts.told_unknown += 1,
        }
    }
    for (_, request) in requests.sent() {
        counts.requests += 1;
        counts.acknowledged += u64::from(request.coupon.is_some());
    }
}

/// The coupon of each request.
fn rows<'a>(verdict: &mut Verdict, history: &History, view: &'a StoresView) -> HashMap<RequestId, &'a CouponRow> {
    let mut rows: HashMap<RequestId, &CouponRow> = HashMap::with_capacity(view.coupons.len());
    let uses = derived::uses(view);
    // A use that a fail-over lost is taken again, by somebody else, and gives a coupon again.
    let may_be_twice = |id| uses.get(id).is_some_and(|(code, _)| codes::may_be_lost(history, *code));
    for row in &view.coupons {
        if let Some(first) = rows.insert(row.request, row).filter(|_| !may_be_twice(&row.request)) {
            let (user, other) = (row.user, first.user);
            verdict.add(Kind::RequestTwice, || format!("request {} of users {user} and {other}", row.request));
        }
    }
    rows
}

fn answer(verdict: &mut Verdict, asked: &history::Request, told: &Request, row: Option<&CouponRow>) {
    let name = || format!("request {} of user {}", asked.id, asked.user);
    if let Some((coupon, seq)) = told.coupon {
        let is_there = row.is_some_and(|row| (row.user, row.template, row.seq) == (asked.user, asked.template, seq));
        if !is_there {
            verdict.add(Kind::Missing, || format!("{}: told {coupon} with seq {seq}, found {row:?}", name()));
        }
    }
    if told.coupons_differ {
        verdict.add(Kind::AnswersDiffer, name);
    }
    if told.is_contradicted() {
        verdict.add(Kind::GrantedAndRefused, || format!("{}: {told:?}", name()));
    }
    if told.is_forgotten() {
        verdict.add(Kind::Forgotten, name);
    }
}

/// What no fail-over excuses: a coupon for a request that was told it has none, and doubt that does not end.
fn applied(
    verdict: &mut Verdict,
    asked: &history::Request,
    told: &Request,
    row: Option<&CouponRow>,
    circumstances: Circumstances,
) {
    let name = || format!("request {} of user {}", asked.id, asked.user);
    let is_settled = told.coupon.is_none() && told.is_settled(circumstances.replenished);
    if row.is_some() && (told.is_refused() || is_settled) {
        verdict.add(Kind::AppliedAfterAll, || format!("{}: {told:?}", name()));
    }
    if circumstances.doubt_resolved && told.is_undecided() {
        verdict.add(Kind::Undecided, name);
    }
}

fn never_asked(verdict: &mut Verdict, history: &History, requests: &Requests, view: &StoresView) {
    let asked = requests.sent().map(|(number, _)| {
        let request = &history.requests()[number];
        (request.id, (request.user, request.template))
    });
    let asked: HashMap<RequestId, (UserId, TemplateId)> = bulk::requests(history).chain(asked).collect();
    let uses = derived::uses(view);
    for row in &view.coupons {
        // Whose use of a code it was is looked at with the codes.
        let is_asked = asked.get(&row.request) == Some(&(row.user, row.template)) || uses.contains_key(&row.request);
        if !is_asked {
            verdict.add(Kind::NeverAsked, || format!("request {} of user {}", row.request, row.user));
        }
    }
}

/// After the first "sold out" no request that was not yet under way may get a coupon.
fn sold_out(verdict: &mut Verdict, history: &History, requests: &Requests, rows: &HashMap<RequestId, &CouponRow>) {
    let mut said: BTreeMap<TemplateId, u64> = BTreeMap::new();
    for sent in history.sends().iter().filter(|sent| sent.told == Told::NotApplied(Code::SoldOut)) {
        let template = history.requests()[sent.request.0 as usize].template;
        let at_us = said.entry(template).or_insert(sent.answered_at_us);
        *at_us = sent.answered_at_us.min(*at_us);
    }
    for (number, asked) in history.requests().iter().enumerate() {
        let Some(said_us) = said.get(&asked.template) else { continue };
        let sent_us = requests.get(number).first_sent_us;
        if sent_us != u64::MAX && sent_us > *said_us && rows.contains_key(&asked.id) {
            let text = || format!("request {} sent at {sent_us} us, sold out said at {said_us} us", asked.id);
            verdict.add(Kind::SoldAfterSoldOut, text);
        }
    }
}

/// Sold out is said only when the ledgers add up.
fn sold_out_said(verdict: &mut Verdict, history: &History, view: &StoresView, circumstances: Circumstances) {
    let for_good = loss::unsold_for_good(history, view);
    for row in view.templates.iter().filter(|_| !circumstances.replenished) {
        let issued: u64 = view.ledgers.iter().filter(|l| l.template == row.template).map(|l| l.issued).sum();
        let said = |sent: &&history::Sent| {
            sent.told == Told::NotApplied(Code::SoldOut)
                && history.requests()[sent.request.0 as usize].template == row.template
        };
        let is_taken = row.total_stock.saturating_sub(issued) <= for_good.get(&row.template).copied().unwrap_or(0);
        if issued < row.total_stock && !is_taken && history.sends().iter().any(|sent| said(&sent)) {
            let text = || format!("template {}: callers were told; {issued} of {}", row.template, row.total_stock);
            verdict.add(Kind::SoldOutTooSoon, text);
        }
    }
}
