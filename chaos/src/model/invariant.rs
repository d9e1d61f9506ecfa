//! What must hold in every state that can be reached.

use super::bound::Bound;
use super::rules::Rules;
use super::state::{PROCESSES, Stage, State};

/// A promise, as the model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// Rows never exceed the total in force.
    NoOversell,
    /// On each primary `issued` is the number of rows.
    LedgerIsRows,
    /// A request has one row at most.
    OnePerRequest,
    /// A user's numbers are 1, 2, ... up to the limit.
    SeqDense,
    /// What was answered with a coupon has its row, unless a fail-over lost it.
    AcknowledgedStays,
    /// What was answered *not applied*, or is about to start again, has made no row.
    AnswersTrue,
    /// Sold out is said only when the ledgers add up to the total.
    SoldOutTrue,
    /// After everything in flight has ended, one more settle makes every unit sold or sellable.
    NoUnitLost,
}

type Holds = fn(&Rules<'_>, &State) -> bool;

/// In the order of cost.
const ALL: [(Invariant, Holds); 8] = [
    (Invariant::NoOversell, no_oversell),
    (Invariant::LedgerIsRows, ledger_is_rows),
    (Invariant::OnePerRequest, one_per_request),
    (Invariant::SeqDense, seq_dense),
    (Invariant::AcknowledgedStays, acknowledged_stays),
    (Invariant::AnswersTrue, answers_true),
    (Invariant::SoldOutTrue, sold_out_true),
    (Invariant::NoUnitLost, no_unit_lost),
];

/// The first invariant that does not hold.
pub(super) fn broken(rules: &Rules<'_>, state: &State) -> Option<Invariant> {
    ALL.iter().find(|(_, holds)| !holds(rules, state)).map(|(invariant, _)| *invariant)
}

/// The claims that made the rows there are.
fn makers(state: &State) -> impl Iterator<Item = u8> {
    state.primaries.iter().flat_map(|primary| primary.data.rows.iter().flatten().flatten().map(|row| row.claim))
}

fn issued(state: &State) -> u8 {
    state.primaries.iter().flat_map(|primary| primary.data.ledgers.iter()).map(|ledger| ledger.issued).sum()
}

fn no_oversell(_: &Rules<'_>, state: &State) -> bool {
    makers(state).count() <= usize::from(state.meta.total)
}

fn ledger_is_rows(_: &Rules<'_>, state: &State) -> bool {
    state.primaries.iter().all(|primary| {
        let mut rows = [0; super::state::SUB_STOCKS_MAX];
        primary.data.rows.iter().flatten().flatten().for_each(|row| rows[usize::from(row.sub_stock)] += 1);
        primary.data.ledgers.iter().zip(rows).all(|(ledger, rows)| ledger.issued == rows)
    })
}

fn one_per_request(rules: &Rules<'_>, state: &State) -> bool {
    let mut seen = 0u8;
    makers(state).all(|maker| {
        let bit = 1 << request(rules.bound, usize::from(maker));
        let new = seen & bit == 0;
        seen |= bit;
        new
    })
}

fn seq_dense(rules: &Rules<'_>, state: &State) -> bool {
    let dense = |rows: &[Option<_>]| {
        let count = rows.iter().flatten().count();
        count <= usize::from(rules.bound.limit) && rows[..count].iter().all(Option::is_some)
    };
    state.primaries.iter().all(|primary| primary.data.rows.iter().all(|rows| dense(rows)))
}

fn acknowledged_stays(rules: &Rules<'_>, state: &State) -> bool {
    stages(rules, state).filter(|(_, stage)| *stage == Stage::Granted).all(|(claim, _)| {
        let request = request(rules.bound, claim);
        let lost = state.lost & (1 << request) != 0;
        lost || makers(state).any(|maker| self::request(rules.bound, usize::from(maker)) == request)
    })
}

fn answers_true(rules: &Rules<'_>, state: &State) -> bool {
    let mut not_applied = stages(rules, state).filter(|(_, stage)| matches!(stage, Stage::Refused | Stage::New));
    not_applied.all(|(claim, _)| makers(state).all(|maker| usize::from(maker) != claim))
}

fn sold_out_true(_: &Rules<'_>, state: &State) -> bool {
    !state.meta.sold_out || state.lost != 0 || issued(state) == state.meta.total
}

/// Whoever is at work crashes, messages in flight are lost, a split shard is healed: then one settle of each sub-stock,
/// and once more for what a move has grown.
fn no_unit_lost(rules: &Rules<'_>, state: &State) -> bool {
    let mut state = *state;
    state.shard.processes[1..PROCESSES].fill(Default::default());
    let sub_stocks = || 0..rules.bound.allotments.len();
    sub_stocks().chain(sub_stocks()).for_each(|sub_stock| settle(rules, &mut state, sub_stock));
    let sellable = |sub_stock: usize| {
        let key = state.shard.processes[0].keys[sub_stock];
        if key.run == state.shard.processes[0].run { key.left } else { 0 }
    };
    let allotted: u8 = sub_stocks().map(|sub_stock| state.meta.sub_stocks[sub_stock].allotment).sum();
    let left: u8 = sub_stocks().map(sellable).sum();
    allotted == state.meta.total && left + issued(&state) >= allotted
}

/// Settle, from step 0 to the install, by itself.
fn settle(rules: &Rules<'_>, state: &mut State, sub_stock: usize) {
    rules.prepare(state, 0, sub_stock, 0);
    rules.ask_servers(state, 0);
    rules.advance(state, 0);
    for primary in 0..rules.bound.primaries() {
        if state.settles[0].phase == super::state::Phase::Advanced {
            rules.raise(state, 0, primary);
        }
    }
    if state.settles[0].phase == super::state::Phase::Raised {
        rules.count(state, 0);
    }
    if state.settles[0].phase == super::state::Phase::Counted {
        rules.install(state, 0, 0);
    }
}

fn stages(rules: &Rules<'_>, state: &State) -> impl Iterator<Item = (usize, Stage)> {
    let count = rules.bound.sends.len();
    state.claims.into_iter().map(|claim| claim.stage).enumerate().take(count)
}

fn request(bound: &Bound, claim: usize) -> u8 {
    bound.sends[claim].request
}
