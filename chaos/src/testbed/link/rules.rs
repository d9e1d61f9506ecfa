//! What a link does to what passes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

/// A direction on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client (the proxy) to the server (the backend).
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    pub(super) fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// When a connection is cut around a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutAt {
    /// The request does not reach the server.
    BeforeRequest,
    /// The server works on the request to its end, and nothing of its answer reaches the client, which is reset then.
    BeforeAnswer,
}

/// The faults of this moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present {
    pub(super) target: SocketAddr,
    pub(super) held: [bool; 2],
    pub(super) delay: [Duration; 2],
    /// Every chunk is late by a random part of this, beside the delay.
    pub(super) jitter: Duration,
    /// Bytes written at once; 0: as they come.
    pub(super) piece_len: usize,
    /// Bytes a second and direction of one connection; 0: no limit.
    pub(super) bytes_per_s: u64,
    pub(super) refuse: bool,
    /// Goes up whenever all living connections are to be reset.
    pub(super) cuts: u64,
}

impl Present {
    fn healthy(target: SocketAddr) -> Self {
        Self {
            target,
            held: [false; 2],
            delay: [Duration::ZERO; 2],
            jitter: Duration::ZERO,
            piece_len: 0,
            bytes_per_s: 0,
            refuse: false,
            cuts: 0,
        }
    }

    /// When a chunk that arrives now is to be delivered.
    pub(super) fn lateness(&self, direction: Direction) -> Duration {
        let jitter = if self.jitter.is_zero() { Duration::ZERO } else { self.jitter.mul_f64(rand::random()) };
        self.delay[direction.index()] + jitter
    }

    /// How a chunk is cut up: as asked, and into hundredths of a second where the bandwidth is limited.
    pub(super) fn pieces<'a>(&self, chunk: &'a [u8]) -> std::slice::Chunks<'a, u8> {
        let asked = if self.piece_len == 0 { usize::MAX } else { self.piece_len };
        let limited = if self.bytes_per_s == 0 { usize::MAX } else { (self.bytes_per_s / 100).max(1) as usize };
        chunk.chunks(asked.min(limited))
    }

    /// How long the link is busy with so many bytes.
    pub(super) fn busy_for(&self, len: usize) -> Duration {
        if self.bytes_per_s == 0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(len as f64 / self.bytes_per_s as f64)
        }
    }
}

#[derive(Debug)]
struct Trap {
    pattern: Vec<u8>,
    moment: CutAt,
}

#[derive(Debug)]
pub(super) struct Rules {
    present: watch::Sender<Present>,
    budgets: [Mutex<Option<u64>>; 2],
    trap: Mutex<Option<Trap>>,
    bytes: [AtomicU64; 2],
    sprung: AtomicU64,
}

impl Rules {
    pub(super) fn new(target: SocketAddr) -> Self {
        let present = Present::healthy(target);
        Self {
            present: watch::Sender::new(present),
            budgets: Default::default(),
            trap: Mutex::default(),
            bytes: Default::default(),
            sprung: AtomicU64::new(0),
        }
    }

    pub(super) fn present(&self) -> Present {
        *self.present.borrow()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Present> {
        self.present.subscribe()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Present)) {
        self.present.send_modify(change);
    }

    pub(super) fn heal(&self) {
        *self.trap.lock() = None;
        for budget in &self.budgets {
            *budget.lock() = None;
        }
        self.change(|now| {
            *now = Present { cuts: now.cuts, ..Present::healthy(now.target) };
        });
    }

    pub(super) fn set_budget(&self, direction: Direction, bytes: u64) {
        *self.budgets[direction.index()].lock() = Some(bytes);
    }

    pub(super) fn set_trap(&self, pattern: Vec<u8>, moment: CutAt) {
        *self.trap.lock() = Some(Trap { pattern, moment }).filter(|trap| !trap.pattern.is_empty());
    }

    pub(super) fn bytes(&self, direction: Direction) -> u64 {
        self.bytes[direction.index()].load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, direction: Direction, bytes: usize) {
        self.bytes[direction.index()].fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn cuts_sprung(&self) -> u64 {
        self.sprung.load(Ordering::Relaxed)
    }

    pub(super) fn count_sprung(&self) {
        self.sprung.fetch_add(1, Ordering::Relaxed);
    }

    /// How many of the next `len` bytes may pass before a cut that is due; `None` if no cut is due among them.
    pub(super) fn spend_budget(&self, direction: Direction, len: usize) -> Option<usize> {
        let mut budget = self.budgets[direction.index()].lock();
        let left = (*budget)?;
        match usize::try_from(left) {
            Ok(left) if left <= len => {
                *budget = None;
                Some(left)
            }
            _ => {
                *budget = Some(left - len as u64);
                None
            }
        }
    }

    /// Takes the trap if its pattern ends among the last `fresh` bytes of `window`. What is before them has passed.
    pub(super) fn spring_trap(&self, window: &[u8], fresh: usize) -> Option<CutAt> {
        let mut trap = self.trap.lock();
        let pattern = &trap.as_ref()?.pattern;
        let start = (window.len() + 1).saturating_sub(fresh + pattern.len());
        let found = window[start..].windows(pattern.len()).any(|part| part == pattern);
        if found { trap.take().map(|trap| trap.moment) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::new(SocketAddr::from(([127, 0, 0, 1], 1)))
    }

    #[test]
    fn a_budget_is_spent_once() {
        let rules = rules();
        rules.set_budget(Direction::ToClient, 10);
        assert_eq!(rules.spend_budget(Direction::ToServer, 50), None);
        assert_eq!(rules.spend_budget(Direction::ToClient, 4), None);
        assert_eq!(rules.spend_budget(Direction::ToClient, 9), Some(6));
        assert_eq!(rules.spend_budget(Direction::ToClient, 9), None);
    }

    #[test]
    fn a_trap_springs_once_on_its_pattern() {
        let rules = rules();
        rules.set_trap(b"COMMIT".to_vec(), CutAt::BeforeAnswer);
        assert_eq!(rules.spring_trap(b"BEGIN", 5), None);
        assert_eq!(rules.spring_trap(b"COMMITx", 1), None, "it has passed");
        assert_eq!(rules.spring_trap(b"xCOMMIT", 1), Some(CutAt::BeforeAnswer), "it ends here");
        assert_eq!(rules.spring_trap(b"xCOMMIT", 7), None);
    }
}
