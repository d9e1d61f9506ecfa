//! Bulk jobs: the results are the list, and every result is what the stores say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use scrip_client::{BulkOutcome, Code, RequestId, TemplateId, UserId};

use super::derived;
use super::verdict::{Kind, Verdict};
use super::view::StoresView;
use crate::history::{BulkFact, History};

pub(super) fn check(verdict: &mut Verdict, history: &History, view: &StoresView) {
    if history.jobs().is_empty() {
        return;
    }
    let coupons: HashSet<RequestId> = view.coupons.iter().map(|row| row.request).collect();
    let mut held: HashMap<(UserId, TemplateId), u32> = HashMap::new();
    for row in &view.coupons {
        *held.entry((row.user, row.template)).or_default() += 1;
    }
    for job in history.jobs() {
        if job.told.windows(2).any(|pair| pair[0] != pair[1]) {
            verdict.add(Kind::JobTwice, || format!("request {}: {:?}", job.request, job.told));
        }
        let Some(results) = &job.results else { continue };
        verdict.counts.bulk_results += results.len() as u64;
        listed(verdict, job, results);
        for (user, outcome) in results {
            // A fail-over may lose what was noted after the job had ended, the coupons with it.
            if history.losses().iter().any(|lost| lost.is_home_of(*user)) {
                continue;
            }
            let has_coupon = coupons.contains(&derived::of_job(job.request, *user));
            let full = || {
                let limit = history.templates().iter().find(|fact| fact.template == job.template);
                let held = held.get(&(*user, job.template)).copied().unwrap_or(0);
                limit.is_none_or(|fact| held >= fact.per_user_limit)
            };
            let fits = match outcome {
                BulkOutcome::Issued(_) => has_coupon,
                BulkOutcome::Refused(Code::LimitReached) => !has_coupon && full(),
                BulkOutcome::Refused(_) => !has_coupon,
                BulkOutcome::Pending => false,
            };
            if !fits {
                let text = || format!("user {user}: {outcome:?}, a coupon of the job: {has_coupon}");
                verdict.add(Kind::JobResultDiffers, text);
            }
        }
    }
}

/// Everybody of the list has one result, and nobody else has.
fn listed(verdict: &mut Verdict, job: &BulkFact, results: &[(UserId, BulkOutcome)]) {
    let mut times: BTreeMap<UserId, usize> = BTreeMap::new();
    for (user, _) in results {
        *times.entry(*user).or_default() += 1;
    }
    let users: BTreeSet<UserId> = job.users.iter().copied().collect();
    for user in users.iter().filter(|user| !times.contains_key(user)) {
        verdict.add(Kind::JobListDiffers, || format!("user {user} of the list has no result"));
    }
    for (user, times) in times.iter().filter(|(user, times)| **times > 1 || !users.contains(user)) {
        let on_it = users.contains(user);
        verdict.add(Kind::JobListDiffers, || format!("user {user}: {times} results, on the list: {on_it}"));
    }
}

/// The request ids of everybody on a list, with whom and what they are of.
pub(super) fn requests(history: &History) -> impl Iterator<Item = (RequestId, (UserId, TemplateId))> {
    let of_job = |job: &'_ BulkFact| {
        let (request, template) = (job.request, job.template);
        job.users.clone().into_iter().map(move |user| (derived::of_job(request, user), (user, template)))
    };
    history.jobs().iter().flat_map(of_job)
}
