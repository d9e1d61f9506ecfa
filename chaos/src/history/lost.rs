//! Commits that were given up on purpose: a primary failed over to a replica that lacks the last of them.

use std::ops::RangeInclusive;
use std::time::Duration;

use scrip_client::UserId;
use scrip_shard_config::{PrimaryId, Tail, Topology};

use super::{History, micros};

/// What one primary committed in this window may be gone, acknowledged or not. Nothing else may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCommits {
    /// Which primary.
    pub primary: PrimaryId,
    /// The tails of its users.
    pub tails: Vec<RangeInclusive<u16>>,
    /// What was acknowledged before is there, in microseconds since the start.
    pub from_us: u64,
    /// What was sent afterwards is there, in microseconds since the start.
    pub until_us: u64,
}

impl LostCommits {
    /// The window of a primary's fail-over: from not later than the replica's last commit, until not sooner than the
    /// last moment at which the old server could commit.
    pub fn new(topology: &Topology, primary: PrimaryId, from: Duration, until: Duration) -> Self {
        let mut tails: Vec<RangeInclusive<u16>> = Vec::new();
        for tail in topology.tails().filter(|(_, home)| *home == primary).map(|(tail, _)| tail.get()) {
            match tails.last_mut() {
                Some(last) if last.end() + 1 == tail => *last = *last.start()..=tail,
                _ => tails.push(tail..=tail),
            }
        }
        Self { primary, tails, from_us: micros(from), until_us: micros(until) }
    }

    /// Whether this primary is the user's.
    pub fn is_home_of(&self, user: UserId) -> bool {
        let tail = Tail::of_user(user.get()).get();
        self.tails.iter().any(|tails| tails.contains(&tail))
    }
}

impl History {
    /// Commits were given up on purpose.
    pub fn lost(&mut self, commits: LostCommits) {
        self.losses.push(commits);
    }

    /// All commits that were given up on purpose.
    pub fn losses(&self) -> &[LostCommits] {
        &self.losses
    }
}
