//! What a fail-over that lacks the last commits may have taken. Only this is excused.

use std::collections::HashSet;

use scrip_client::{TemplateId, UserId};

use super::told::{Request, Requests};
use crate::history::{self, History};

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
