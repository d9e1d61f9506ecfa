//! Where a pack goes.

use scrip_protocol::UserId;

use super::Flow;
use crate::pack::PackTask;

impl Flow {
    /// To the pack lane of the user.
    pub fn to_pack_lane(&self, user: UserId, task: PackTask) {
        self.packs[self.primary_of(user)].enter(self, task);
    }
}
