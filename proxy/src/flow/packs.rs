//! Where a pack goes.

use std::sync::Arc;

use scrip_protocol::UserId;
use scrip_protocol::v1::Code;
use scrip_shard_config::{PrimaryId, Tail, Topology};

use super::{Flow, FlowLimits, RecordQueue};
use crate::gate::Gate;
use crate::pack::PackTask;
use crate::queue::Queue;

/// The entrance of a pack lane.
#[derive(Debug)]
pub struct PackQueue {
    /// The primary that it writes to.
    pub primary: PrimaryId,
    /// Packs that are to be looked up, or hold all of their units.
    pub tasks: Queue<PackTask>,
    /// May the primary be used? Shared by its lanes.
    pub gate: Arc<Gate>,
}

/// One a primary, behind the gate that its record lanes share.
pub(super) fn queues(topology: &Topology, record: &[RecordQueue], limits: FlowLimits) -> Vec<PackQueue> {
    let gate = |id| record.iter().find(|queue| queue.primary == id).map(|queue| Arc::clone(&queue.gate));
    let queue =
        |id| PackQueue { primary: id, tasks: Queue::new(limits.record_queue_max), gate: gate(id).unwrap_or_default() };
    topology.primaries.iter().map(|primary| queue(primary.id)).collect()
}

impl Flow {
    /// To the pack lane of the user.
    pub fn to_pack_lane(&self, user: UserId, mut task: PackTask) {
        let queue = &self.packs[usize::from(self.primary_index[usize::from(Tail::of_user(user.get()).get())])];
        if !queue.gate.is_open() {
            task.fail(Code::PrimaryUnavailable, "the primary of this user cannot be reached");
        } else if let Err(mut task) = queue.tasks.push(task) {
            task.fail(Code::Overloaded, "the queue to the primary of this user is full");
        }
    }
}
