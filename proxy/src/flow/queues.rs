//! The entrances of the lanes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use scrip_shard_config::{PrimaryId, Topology};

use super::calls::Calls;
use crate::claim::ClaimTask;
use crate::gate::Gate;
use crate::queue::Queue;
use crate::store::Release;

/// The entrance of a stock lane.
#[derive(Debug)]
pub struct StockQueue {
    /// Claims that want a unit.
    pub claims: Queue<ClaimTask>,
    /// Units to give back, each at most once.
    pub releases: Mutex<Vec<Release>>,
    /// May the shard be used?
    pub gate: Gate,
    /// Its present call takes unusually long: claims go elsewhere while they can.
    pub slow: AtomicBool,
    /// What the shard was asked.
    pub calls: Calls,
}

/// The entrance of a lane of a primary.
#[derive(Debug)]
pub struct LaneQueue<T> {
    /// The primary that the lane writes to.
    pub primary: PrimaryId,
    /// Which of the primary's lanes it is.
    pub lane: u16,
    /// What waits for it.
    pub tasks: Queue<T>,
    /// May the primary be used? Shared by its lanes.
    pub gate: Arc<Gate>,
    /// What the lane asked the primary.
    pub calls: Calls,
}

impl StockQueue {
    pub(super) fn new(count_max: usize) -> Self {
        Self {
            claims: Queue::new(count_max),
            releases: Mutex::default(),
            gate: Gate::default(),
            slow: AtomicBool::new(false),
            calls: Calls::default(),
        }
    }
}

/// The lanes with these numbers of every primary, behind one gate a primary.
pub(super) fn of_primaries<T>(
    topology: &Topology,
    gates: &[Arc<Gate>],
    lanes: &Range<u16>,
    count_max: usize,
) -> Vec<LaneQueue<T>> {
    let mut queues = Vec::new();
    for (primary, gate) in topology.primaries.iter().zip(gates) {
        queues.extend(lanes.clone().map(|lane| LaneQueue {
            primary: primary.id,
            lane,
            tasks: Queue::new(count_max),
            gate: Arc::clone(gate),
            calls: Calls::default(),
        }));
    }
    queues
}
