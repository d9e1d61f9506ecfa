//! Who claims when, and again: made from a seed, before the rush.
//!
//! Every user claims once, at a random place of the rush. The rest of the claims are:
//! - a quarter double clicks with the same request id: a twin sent right behind the first,
//! - a quarter double clicks with other request ids of the same user, right behind the first, as many as the limit,
//! - half resends of a request at a random later place, most of them long after its answer.

use std::iter::repeat_n;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use scrip_client::{RequestId, TemplateId, UserId};

use super::DemoSpec;
use crate::history::Request;

/// User ids start here; they follow each other, so that all tails are equally frequent.
const FIRST_USER: u64 = 7_000_000_000;

/// A first try has no other send of its request beside it: the next is behind so many times the claims in flight.
const CLEARANCE: usize = 4;

/// One send of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Send {
    /// The number of the request.
    pub(super) request: u32,
    /// The caller knows that this request id was never sent before, and is not being sent beside it.
    pub(super) first_try: bool,
}

/// What will be sent, in its order.
#[derive(Debug)]
pub(super) struct Plan {
    /// For each request its user, counted from 0, and its id.
    requests: Vec<(u32, RequestId)>,
    pub(super) sends: Vec<Send>,
    /// Coupons that all users together want and may have.
    pub(super) demand: u64,
    pub(super) same_id: u32,
    pub(super) other_id: u32,
    pub(super) resends: u32,
}

/// A send at its place in the rush; sorted, they are the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: u32,
    /// Keeps a double click beside the click.
    user: u32,
    request: u32,
    first_try: bool,
}

impl Plan {
    pub(super) fn new(spec: &DemoSpec) -> Self {
        let mut random = StdRng::seed_from_u64(spec.seed);
        let extra = spec.claims - spec.users;
        let (same_id, other_id) = (extra / 4, extra / 4);
        let resends = extra - same_id - other_id;
        let mut places = first_clicks(spec.users, &mut random);
        let clicked: Vec<Place> = places.clone();
        // More double clicks than users: some click more than twice.
        for place in pick(&clicked, same_id, &mut random) {
            places[place.user as usize].first_try = false;
            places.push(Place { first_try: false, ..place });
        }
        let mut request_count = spec.users;
        // As many for one user as it takes to meet the limit.
        let limit = spec.limit as usize;
        let clickers = pick(&clicked, other_id.div_ceil(spec.limit), &mut random);
        for place in clickers.into_iter().flat_map(|place| repeat_n(place, limit)).take(other_id as usize) {
            places.push(Place { request: request_count, first_try: true, ..place });
            request_count += 1;
        }
        for place in pick(&clicked, resends, &mut random) {
            places.push(Place { at: random.random_range(place.at..=u32::MAX), first_try: false, ..place });
        }
        let requests = requests(&places, request_count, &mut random);
        let demand = demand(&requests, spec);
        places.sort_unstable_by_key(|place| (place.at, place.user, !place.first_try));
        let sends = places.iter().map(|place| Send { request: place.request, first_try: place.first_try });
        let mut sends: Vec<Send> = sends.collect();
        keep_promises(&mut sends, request_count as usize, CLEARANCE * spec.in_flight as usize);
        Self { requests, sends, demand, same_id, other_id, resends }
    }

    /// The requests, by number.
    pub(super) fn requests(&self, template: TemplateId) -> impl Iterator<Item = Request> {
        let request = move |&(user, id): &(u32, RequestId)| Request { user: user_id(user), template, id };
        self.requests.iter().map(request)
    }
}

fn user_id(user: u32) -> UserId {
    UserId(FIRST_USER + u64::from(user))
}

/// The request of a user's first click has the user's number.
fn first_clicks(users: u32, random: &mut StdRng) -> Vec<Place> {
    let place = |user| Place { at: random.random(), user, request: user, first_try: true };
    (0..users).map(place).collect()
}

/// `count` of them in random order, none twice before all were taken once.
fn pick(from: &[Place], count: u32, random: &mut StdRng) -> Vec<Place> {
    let mut shuffled = from.to_vec();
    shuffled.shuffle(random);
    shuffled.into_iter().cycle().take(count as usize).collect()
}

fn requests(places: &[Place], count: u32, random: &mut StdRng) -> Vec<(u32, RequestId)> {
    let mut requests: Vec<(u32, RequestId)> = (0..count).map(|_| (0, RequestId(random.random()))).collect();
    for place in places {
        requests[place.request as usize].0 = place.user;
    }
    requests
}

/// Whoever sends a request again while the first send may still be under way does not call that one the first try.
fn keep_promises(sends: &mut [Send], request_count: usize, clearance: usize) {
    let mut next = vec![usize::MAX; request_count];
    for (index, send) in sends.iter_mut().enumerate().rev() {
        let next = &mut next[send.request as usize];
        send.first_try &= next.saturating_sub(index) > clearance;
        *next = index;
    }
}

fn demand(requests: &[(u32, RequestId)], spec: &DemoSpec) -> u64 {
    let mut wanted = vec![0u32; spec.users as usize];
    for (user, _) in requests {
        wanted[*user as usize] += 1;
    }
    wanted.into_iter().map(|wanted| u64::from(wanted.min(spec.limit))).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        spec: DemoSpec,
    }

    fn plan(words: &[&str]) -> Plan {
        Plan::new(&Line::parse_from([&["demo"], words].concat()).spec)
    }

    const SMALL: [&str; 4] = ["--claims", "1000", "--users", "400"];

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_one_another() {
        let (first, again) = (plan(&SMALL), plan(&SMALL));
        assert_eq!((&first.requests, &first.sends), (&again.requests, &again.sends));
        assert_ne!(first.requests, plan(&[&SMALL[..], &["--seed", "2"]].concat()).requests);
    }

    #[test]
    fn every_user_claims_and_the_rest_is_double_clicks_and_resends() {
        let plan = plan(&SMALL);
        assert_eq!(plan.sends.len(), 1000);
        assert_eq!(plan.requests.len(), 400 + 150);
        assert_eq!((plan.same_id, plan.other_id, plan.resends), (150, 150, 300));
        assert_eq!(plan.demand, 400);
        let users: HashSet<u32> = plan.requests.iter().map(|(user, _)| *user).collect();
        assert_eq!(users.len(), 400);
        let ids: HashSet<RequestId> = plan.requests.iter().map(|(_, id)| *id).collect();
        assert_eq!(ids.len(), plan.requests.len());
    }

    /// The promise that a caller makes with `first_try` is kept: nothing of the request is before it or beside it.
    #[test]
    fn a_first_try_is_the_first_and_has_no_twin() {
        let plan = plan(&[&SMALL[..], &["--in-flight", "100"]].concat());
        let mut seen: HashMap<u32, bool> = HashMap::new();
        for (index, send) in plan.sends.iter().enumerate() {
            let before = seen.insert(send.request, send.first_try);
            assert!(!send.first_try || before.is_none(), "{index}");
            let beside = &plan.sends[index + 1..plan.sends.len().min(index + 401)];
            assert!(!send.first_try || beside.iter().all(|other| other.request != send.request), "{index}");
        }
        assert!(plan.sends.iter().any(|send| send.first_try));
    }

    #[test]
    fn demand_counts_what_each_user_may_have() {
        // 75 users click two times more, and may have two; the others click once.
        assert_eq!(plan(&[&SMALL[..], &["--limit", "2"]].concat()).demand, 475);
    }
}
