//! Settling too eagerly: a cycle in which claims are fenced for ever and none finishes.
//!
//! A model of its own, because here it matters what does *not* happen. One unit, one primary, two proxies with a claim
//! each. Epochs count only as *the fence's* or *older*, so that what repeats is seen to repeat. A settle has two steps:
//! the epoch and the fence; the install.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

/// When a proxy settles. There is a key, and nothing breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eagerness {
    /// At once whenever a claim found nothing.
    EveryEmpty,
    /// At once whenever a claim was fenced; when one found nothing, after a quiet period.
    EveryFenced,
    /// When a claim found nothing, after a quiet period. That a claim was fenced is a reason only while meta's epoch is
    /// still the one of its grant (the server behind a primary changed), which cannot be here: whoever moved the epoch
    /// brings the stock back, and a settle that nobody finished is found in meta.
    Quiet,
}

/// A run that can go on for ever without a coupon: how it begins, and what repeats.
#[derive(Debug, Clone)]
pub struct Cycle {
    /// The way to it.
    pub beginning: Vec<String>,
    /// What then repeats, with a claim fenced each time.
    pub repeats: Vec<String>,
}

/// What a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    None,
    Current,
    Old,
}

/// Why a proxy might settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reason {
    None,
    Replenished,
    Empty,
    Fenced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    /// The key: is there a unit, and is its epoch the fence's?
    left: bool,
    current: bool,
    claims: [Unit; 2],
    reasons: [Reason; 2],
    /// The fence is up, the install on its way.
    settling: [bool; 2],
    /// A claim has its coupon.
    sold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Deduct(usize),
    Empty(usize),
    Commit(usize),
    Fenced(usize),
    Fence(usize),
    Install(usize),
}

/// A cycle of claims that are fenced, if the rule allows one. The cycle is fair: both claims go on in it.
pub fn cycle(eagerness: Eagerness) -> Option<Cycle> {
    let start = start();
    let reached = reach(eagerness, start);
    let mut states: Vec<State> = reached.keys().copied().collect();
    states.sort_by_key(|state| way(&reached, *state).len());
    states.into_iter().find_map(|state| {
        let (first, next) = steps(eagerness, state).into_iter().find(|(step, _)| *step == Step::Fenced(0))?;
        let back = reach(eagerness, next);
        let repeats = back.contains_key(&state).then(|| way(&back, state))?;
        let fair = repeats.contains(&Step::Fenced(1));
        let told = |steps: Vec<Step>| steps.into_iter().map(tell).collect::<Vec<_>>();
        let repeats = told([vec![first], repeats].concat());
        fair.then(|| Cycle { beginning: told(way(&reached, state)), repeats })
    })
}

/// Whether the coupon can be had from every state that can be reached.
pub fn always_sells(eagerness: Eagerness) -> bool {
    reach(eagerness, start()).keys().all(|&state| reach(eagerness, state).keys().any(|state| state.sold))
}

/// A unit in Redis, nothing under way, a settle due because of a replenishment.
fn start() -> State {
    let reasons = [Reason::Replenished, Reason::None];
    State { left: true, current: true, claims: [Unit::None; 2], reasons, settling: [false; 2], sold: false }
}

type Reached = HashMap<State, Option<(State, Step)>>;

fn reach(eagerness: Eagerness, from: State) -> Reached {
    let mut reached = Reached::from([(from, None)]);
    let mut frontier = VecDeque::from([from]);
    while let Some(state) = frontier.pop_front() {
        for (step, next) in steps(eagerness, state) {
            if let Entry::Vacant(vacant) = reached.entry(next) {
                vacant.insert(Some((state, step)));
                frontier.push_back(next);
            }
        }
    }
    reached
}

fn way(reached: &Reached, to: State) -> Vec<Step> {
    let before = |state: &State| reached.get(state).copied().flatten();
    let mut steps: Vec<Step> =
        std::iter::successors(before(&to), |(state, _)| before(state)).map(|(_, step)| step).collect();
    steps.reverse();
    steps
}

fn steps(eagerness: Eagerness, state: State) -> Vec<(Step, State)> {
    if state.sold {
        return Vec::new();
    }
    (0..2).flat_map(|index| [claim(state, index), settle(eagerness, state, index)]).flatten().collect()
}

/// What the claim of a proxy does next.
fn claim(state: State, index: usize) -> Option<(Step, State)> {
    let mut next = state;
    let step = match state.claims[index] {
        Unit::None if state.left => {
            next.left = false;
            next.claims[index] = if state.current { Unit::Current } else { Unit::Old };
            Step::Deduct(index)
        }
        Unit::None => {
            next.reasons[index] = Reason::Empty;
            Step::Empty(index)
        }
        Unit::Current => {
            next.sold = true;
            Step::Commit(index)
        }
        Unit::Old => {
            next.claims[index] = Unit::None;
            next.reasons[index] = Reason::Fenced;
            Step::Fenced(index)
        }
    };
    (next != state).then_some((step, next))
}

/// What the settle of a proxy does next.
fn settle(eagerness: Eagerness, state: State, index: usize) -> Option<(Step, State)> {
    let mut next = state;
    if state.settling[index] {
        next.settling[index] = false;
        (next.left, next.current) = (true, true);
        return Some((Step::Install(index), next));
    }
    if !may_settle(eagerness, state, index) {
        return None;
    }
    next.reasons[index] = Reason::None;
    // Whatever was on its way is of a lower epoch now, and refused.
    next.settling = [false; 2];
    next.settling[index] = true;
    next.current = false;
    next.claims = state.claims.map(|unit| if unit == Unit::Current { Unit::Old } else { unit });
    Some((Step::Fence(index), next))
}

fn may_settle(eagerness: Eagerness, state: State, index: usize) -> bool {
    // The units in flight have had their time.
    let quiet = state.claims == [Unit::None; 2];
    match state.reasons[index] {
        Reason::None => false,
        Reason::Replenished => true,
        Reason::Empty => quiet || eagerness == Eagerness::EveryEmpty,
        Reason::Fenced => eagerness == Eagerness::EveryFenced,
    }
}

fn tell(step: Step) -> String {
    match step {
        Step::Deduct(index) => format!("the claim of proxy {index} gets the unit"),
        Step::Empty(index) => format!("the claim of proxy {index} finds nothing"),
        Step::Commit(index) => format!("the claim of proxy {index} commits"),
        Step::Fenced(index) => format!("the claim of proxy {index} is fenced and starts again"),
        Step::Fence(index) => format!("proxy {index} settles: a new epoch, and its fence is up"),
        Step::Install(index) => format!("the settle of proxy {index} installs the unit again"),
    }
}
