//! Release: units that are known not to be recorded go back.

use super::Successors;
use super::deduct::is_living;
use crate::model::mutant::Mutant;
use crate::model::state::{Claim, RELEASES_MAX, Release, State};
use crate::model::step::Step;

impl Successors<'_> {
    /// "Adds to `n` only if `run` is mine *and the epoch is the one of the grant*. Losing it is harmless."
    pub(super) fn releases(&mut self) {
        for index in 0..RELEASES_MAX {
            let Some(release) = self.state.releases[index] else { continue };
            let sub_stock = usize::from(release.sub_stock);
            for (process, at) in self.state.shard.processes.iter().enumerate() {
                let key = at.keys[sub_stock];
                let same_epoch = key.epoch == release.epoch || self.is(Mutant::EpochIgnoredInRelease);
                // One that is refused might as well have been lost, which is no step at all.
                if at.alive && is_living(at, sub_stock) && same_epoch {
                    let step = Step::Release { process, sub_stock, epoch: release.epoch, left: key.left + 1 };
                    self.push(step, |next| {
                        next.shard.processes[process].keys[sub_stock].left += 1;
                        next.releases[index] = one_copy_less(release);
                    });
                }
            }
        }
    }
}

/// "*Sent at most once*": what arrived does not arrive again.
fn one_copy_less(release: Release) -> Option<Release> {
    (release.copies > 1).then_some(Release { copies: release.copies - 1, ..release })
}

/// Sends the unit of a claim back. Where the model has no room for one more message it is lost.
pub(super) fn send(state: &mut State, claim: Claim, mutant: Option<Mutant>) {
    let copies = if mutant == Some(Mutant::ReleaseTwice) { 2 } else { 1 };
    let release = Release { sub_stock: claim.sub_stock, epoch: claim.epoch, copies };
    if let Some(room) = state.releases.iter_mut().find(|slot| slot.is_none()) {
        *room = Some(release);
    }
}
