//! The units of a pack: all of them, or none.
//!
//! Cancelled anywhere, the units that were taken are lost to their epoch, and the next settle brings them back.

use tokio::time::Instant;

use scrip_protocol::v1::Code;

use super::hand::{Hand, Taken};
use super::{Item, Pack};
use crate::claim::{ClaimTask, Unit};
use crate::flow::Flow;

/// What there was.
pub(super) enum Stock {
    /// The units of each item.
    All(Vec<Vec<Unit>>),
    /// The item with this index has not enough units now; none is held.
    Short(usize),
    /// A unit of the item with this index is refused; none is held.
    Refused(usize, Code, String),
}

/// Takes the units of one template after the other, in the order of the ids: of two packs that want the same last units, the
/// one that has the first of them gets the others.
pub(super) async fn take(flow: &Flow, pack: &Pack, deadline: Instant) -> Stock {
    let mut order: Vec<usize> = (0..pack.items.len()).collect();
    order.sort_unstable_by_key(|index| pack.items[*index].id());
    let mut held = vec![Vec::new(); pack.items.len()];
    for index in order {
        let (units, missing) = take_item(flow, pack, &pack.items[index], deadline).await;
        held[index] = units;
        if let Some(taken) = missing {
            give_back(flow, pack, held.iter().flatten().copied());
            return match taken {
                Taken::Refused { code, detail } => Stock::Refused(index, code, detail),
                Taken::Unit(_) | Taken::Short | Taken::Open => Stock::Short(index),
            };
        }
    }
    Stock::All(held)
}

/// The units of one item, and what there was instead of one that is missing; a refusal before all else.
async fn take_item(flow: &Flow, pack: &Pack, item: &Item, deadline: Instant) -> (Vec<Unit>, Option<Taken>) {
    let hands: Vec<_> = item.requests(pack.key.request).map(|request| (request, Hand::takes())).collect();
    let mut waiting = Vec::with_capacity(hands.len());
    for (request, (hand, from)) in hands {
        flow.to_stock(task(flow, pack, item, hand, request, deadline));
        waiting.push(from);
    }
    let (mut units, mut missing) = (Vec::new(), None);
    for from in waiting {
        match from.await.unwrap_or_else(|_| stopping()) {
            Taken::Unit(unit) => units.push(unit),
            refused @ Taken::Refused { .. } => missing = Some(refused),
            short @ (Taken::Short | Taken::Open) => _ = missing.get_or_insert(short),
        }
    }
    (units, missing)
}

/// Waits, with empty hands, until the template's sub-stocks were tended; why it is of no use.
pub(super) async fn wait(flow: &Flow, pack: &Pack, item: &Item, deadline: Instant) -> Option<(Code, String)> {
    let (hand, from) = Hand::waits_for();
    flow.park(task(flow, pack, item, hand, pack.key.request, deadline));
    match from.await.unwrap_or_else(|_| stopping()) {
        Taken::Open | Taken::Short | Taken::Unit(_) => None,
        Taken::Refused { code, detail } => Some((code, detail)),
    }
}

fn task(
    flow: &Flow,
    pack: &Pack,
    item: &Item,
    hand: Hand,
    request: scrip_protocol::RequestId,
    deadline: Instant,
) -> ClaimTask {
    let (user, lane) = (pack.key.user, flow.lane_of(pack.key.user));
    ClaimTask::of_pack(hand, (user, request), std::sync::Arc::clone(&item.template), deadline, lane)
}

/// Nobody will put anything into a hand any more.
fn stopping() -> Taken {
    Taken::Refused { code: Code::Draining, detail: "this proxy is stopping".to_owned() }
}

/// Gives back units that are known not to be recorded.
pub(super) fn give_back(flow: &Flow, pack: &Pack, units: impl Iterator<Item = Unit>) {
    for unit in units {
        if let Some(item) = pack.items.iter().find(|item| item.id() == unit.key.template) {
            flow.give_back(&item.template, unit);
        }
    }
}
