//! The best permitted combination.
//!
//! A combination is one exclusive coupon, or coupons of one group. Within a group the search goes through the sets of
//! coupons in the order in which they apply, each set once, and keeps what is left of the order on the way, so that one
//! more coupon costs one application. It leaves out what cannot win:
//!
//! - A coupon takes off at most what it takes off alone, since it then finds the most. So a set, and all that could be added to it,
//!   take off at most what the set does and what each of the rest does alone, and never more than is left.
//! - A coupon that takes nothing off beside those before it changes nothing for those after it: without it, the set is as
//!   good and smaller.
//! - Coupons of one template are alike: those that end first are used first.
//!
//! Gifts take nothing off, so all gifts of a group join its best set, as far as there is room.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use scrip_protocol::limits::COMBINATION_COUPONS_MAX;
use scrip_protocol::v1::Stacking;
use scrip_protocol::v1::template_definition::Benefit;

use super::take::take;
use super::{Left, Taken, Usable};

/// Sets that are tried for one quote: every set of 12 coupons. Prevents that one quote holds a core for longer than some
/// milliseconds.
const SETS_MAX: usize = 4_096;
/// Sets that are tried for each group whatever the others took.
const SETS_OF_A_GROUP_MIN: usize = 64;

/// What the search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Best {
    /// The best that was found; `None`: nothing is usable.
    pub combination: Option<Combination>,
    /// Nothing permitted is better. False: there were more sets than are tried.
    pub exhaustive: bool,
}

/// Coupons that can be used together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// Index of each in the list of usable coupons, and what it takes off, in the order in which they apply.
    pub parts: Vec<(usize, Taken)>,
}

impl Combination {
    /// What all of them take off, in minor units.
    pub fn total(&self) -> u64 {
        self.parts.iter().map(|(_, taken)| taken.total()).sum()
    }

    fn worth(&self) -> (u64, usize, Reverse<usize>) {
        let gifts = self.parts.iter().filter(|(_, taken)| taken.gift).count();
        (self.total(), gifts, Reverse(self.parts.len()))
    }
}

/// Searches all groups. What cannot be used alone is not in `usable`.
pub(super) fn best(usable: &[Usable<'_>], left: &Left) -> Best {
    let mut order: Vec<usize> = (0..usable.len()).collect();
    order.sort_by_key(|&index| place(&usable[index]));
    let mut best: Option<Combination> = None;
    let mut offer = |combination: Combination| {
        if best.as_ref().is_none_or(|best| combination.worth() > best.worth()) {
            best = Some(combination);
        }
    };
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for index in order {
        match &usable[index].held.definition.stacking {
            None => offer(Combination { parts: vec![(index, usable[index].alone.clone())] }),
            Some(stacking) => join(groups.entry(&stacking.group).or_default(), usable, index, stacking),
        }
    }
    let (mut sets, mut exhaustive) = (SETS_MAX, true);
    for group in groups.values() {
        let mut search = Search::new(usable, group, sets.max(SETS_OF_A_GROUP_MIN));
        search.descend(0, left, &mut Vec::new(), 0);
        sets = sets.min(search.sets);
        exhaustive &= !search.is_cut;
        offer(applied(usable, search.with_gifts(group), left));
    }
    Best { combination: best, exhaustive }
}

/// The order in which coupons apply.
fn place(usable: &Usable<'_>) -> (u8, u32, i64, u16) {
    let kind = match usable.held.definition.benefit {
        Some(Benefit::AmountOff(_)) => 0,
        Some(Benefit::PercentageOff(_)) => 1,
        Some(Benefit::FreeShipping(_)) => 2,
        Some(Benefit::Gift(_)) | None => 3,
    };
    (kind, usable.held.template.get(), usable.held.valid_until_ms, usable.held.seq)
}

/// Of a template that does not stack with itself, only the coupon that ends first can be part of a combination.
fn join(group: &mut Vec<usize>, usable: &[Usable<'_>], index: usize, stacking: &Stacking) {
    let is_alike = |last: &usize| usable[*last].held.template == usable[index].held.template;
    if stacking.stacks_with_itself || !group.last().is_some_and(is_alike) {
        group.push(index);
    }
}

fn applied(usable: &[Usable<'_>], set: Vec<usize>, left: &Left) -> Combination {
    let mut left = left.clone();
    let part = |index: usize| (index, take(usable[index].held.definition, &usable[index].lines, &mut left));
    Combination { parts: set.into_iter().map(part).collect() }
}

/// The search through the sets of one group.
struct Search<'a> {
    usable: &'a [Usable<'a>],
    /// Those that take money off, in the order in which they apply.
    candidates: Vec<usize>,
    /// What each candidate and those after it take off alone, together.
    alone: Vec<u64>,
    /// Sets that may still be tried.
    sets: usize,
    /// There were more.
    is_cut: bool,
    best: Vec<usize>,
    best_total: u64,
}

impl<'a> Search<'a> {
    fn new(usable: &'a [Usable<'a>], group: &[usize], sets: usize) -> Self {
        let candidates: Vec<usize> = group.iter().copied().filter(|&index| usable[index].alone.total() > 0).collect();
        let mut alone = vec![0; candidates.len() + 1];
        for (position, &index) in candidates.iter().enumerate().rev() {
            alone[position] = alone[position + 1] + usable[index].alone.total();
        }
        Self { usable, candidates, alone, sets, is_cut: false, best: Vec::new(), best_total: 0 }
    }

    /// Tries the sets that begin with `chosen`, which takes `total` off and leaves `left`, and go on with candidates
    /// from `next` on.
    fn descend(&mut self, next: usize, left: &Left, chosen: &mut Vec<usize>, total: u64) {
        if (total, Reverse(chosen.len())) > (self.best_total, Reverse(self.best.len())) {
            (self.best_total, self.best) = (total, chosen.clone());
        }
        if chosen.len() >= COMBINATION_COUPONS_MAX {
            return;
        }
        for position in next..self.candidates.len() {
            if !self.can_win(position, left, chosen.len(), total) {
                return;
            }
            let index = self.candidates[position];
            if self.skips_an_alike(position, chosen) {
                continue;
            }
            if self.sets == 0 {
                self.is_cut = true;
                return;
            }
            self.sets -= 1;
            let mut rest = left.clone();
            let taken = take(self.usable[index].held.definition, &self.usable[index].lines, &mut rest).total();
            if taken == 0 {
                continue;
            }
            chosen.push(index);
            self.descend(position + 1, &rest, chosen, total + taken);
            chosen.pop();
        }
    }

    /// With at least one more coupon, from `position` on.
    fn can_win(&self, position: usize, left: &Left, count: usize, total: u64) -> bool {
        let most = total + self.alone[position].min(left.lines.iter().sum::<u64>() + left.shipping);
        (most, Reverse(count + 1)) > (self.best_total, Reverse(self.best.len()))
    }

    /// The candidate before it is of the same template and was not chosen.
    fn skips_an_alike(&self, position: usize, chosen: &[usize]) -> bool {
        let Some(before) = position.checked_sub(1).map(|before| self.candidates[before]) else { return false };
        let template = |index: usize| self.usable[index].held.template;
        template(before) == template(self.candidates[position]) && chosen.last() != Some(&before)
    }

    /// The best set, and the gifts of the group, which apply last.
    fn with_gifts(self, group: &[usize]) -> Vec<usize> {
        let gifts = group.iter().copied().filter(|&index| self.usable[index].alone.gift);
        self.best.iter().copied().chain(gifts).take(COMBINATION_COUPONS_MAX).collect()
    }
}
