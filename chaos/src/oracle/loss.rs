//! What a fail-over that lacks the last commits may have taken. Only this is excused.

use std::collections::{BTreeMap, HashSet};

use scrip_client::event::EventKind;
use scrip_client::{Code, RequestId, TemplateId, UserId};

use super::bulk;
use super::told::{Request, Requests};
use super::view::StoresView;
use crate::history::{self, History, LostCommits, Told};

/// Coupons that may be gone, and the users whose numbers that frees again.
pub(super) struct Losses<'a> {
    history: &'a History,
    users: HashSet<(UserId, TemplateId)>,
}

impl<'a> Losses<'a> {
    pub(super) fn of(history: &'a History, requests: &Requests) -> Self {
        let mut losses = Self { history, users: HashSet::new() };
        if history.losses().is_empty() {
            return losses;
        }
        let lost = requests.sent().filter(|(number, told)| losses.may_be_lost(&history.requests()[*number], told));
        losses.users =
            lost.map(|(number, _)| (history.requests()[number].user, history.requests()[number].template)).collect();
        losses
    }

    /// Whether a coupon of this request, or another one of the same user that stood before it, may be gone: then it may be
    /// missing, be issued anew, and be granted where the limit had been reached.
    pub(super) fn excuse(&self, asked: &history::Request, told: &Request) -> bool {
        self.may_be_lost(asked, told) || (told.is_contradicted() && self.users.contains(&(asked.user, asked.template)))
    }

    /// It was under way, or not known yet, while commits of its user's primary could be lost.
    fn may_be_lost(&self, asked: &history::Request, told: &Request) -> bool {
        let in_window = |from_us, until_us| told.first_sent_us <= until_us && told.known_us >= from_us;
        let mut losses = self.history.losses().iter();
        losses.any(|lost| lost.is_home_of(asked.user) && in_window(lost.from_us, lost.until_us))
    }
}

/// How many units of each template may stay unsold, since a fail-over may have taken so many coupons after it was sold out: nobody
/// asks for stock of what is sold out. At most the wishes of users of that primary which have no coupon, and were
/// not told that they never had one.
pub(super) fn unsold_for_good(history: &History, view: &StoresView) -> BTreeMap<TemplateId, u64> {
    if history.losses().is_empty() {
        return BTreeMap::new();
    }
    let said_us = sold_out_us(history);
    let coupons: HashSet<RequestId> = view.coupons.iter().map(|row| row.request).collect();
    let may_be_taken = |user, template| {
        let after = |lost: &&LostCommits| said_us.get(&template).is_some_and(|said_us| *said_us <= lost.until_us);
        history.losses().iter().filter(after).any(|lost| lost.is_home_of(user))
    };
    let requests = Requests::of(history);
    let claims = requests.sent().filter(|(_, told)| !told.is_refused()).map(|(number, _)| {
        let asked = &history.requests()[number];
        (asked.id, (asked.user, asked.template))
    });
    let wishes: BTreeMap<RequestId, (UserId, TemplateId)> = claims.chain(bulk::requests(history)).collect();
    let mut unsold = BTreeMap::new();
    for (request, (user, template)) in wishes {
        if !coupons.contains(&request) && may_be_taken(user, template) {
            *unsold.entry(template).or_default() += 1;
        }
    }
    unsold
}

/// When callers, or those who read events, were first told that a template is sold out.
fn sold_out_us(history: &History) -> BTreeMap<TemplateId, u64> {
    let answers = history.sends().iter().filter(|sent| sent.told == Told::NotApplied(Code::SoldOut));
    let answers = answers.map(|sent| (history.requests()[sent.request.0 as usize].template, sent.answered_at_us));
    let events = history.events().unwrap_or_default().iter();
    let events = events.filter(|told| told.event.kind == EventKind::SoldOut);
    let mut said: BTreeMap<TemplateId, u64> = BTreeMap::new();
    for (template, at_us) in answers.chain(events.map(|told| (told.event.template, told.at_us))) {
        let first_us = said.entry(template).or_insert(at_us);
        *first_us = at_us.min(*first_us);
    }
    said
}
