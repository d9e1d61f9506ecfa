//! Whether a backend may be used: closed and opened only by evidence from that backend, by the lane that talks to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A gate shared by the lanes of one backend; open while no lane holds it closed.
#[derive(Debug, Default)]
pub struct Gate {
    closed_by: AtomicUsize,
    closed_at: Mutex<Option<Instant>>,
}

/// One lane's hand on a gate.
#[derive(Debug, Default)]
pub struct Latch {
    closed: bool,
}

impl Gate {
    /// May the backend be used?
    pub fn is_open(&self) -> bool {
        self.closed_by.load(Ordering::Relaxed) == 0
    }

    /// For how long the backend was not used; zero while it is.
    pub fn closed_for(&self) -> Duration {
        self.closed_at.lock().filter(|_| !self.is_open()).map_or(Duration::ZERO, |at| at.elapsed())
    }
}

impl Latch {
    /// This latch holds the gate closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Closes the gate; true if this latch had not.
    pub fn close(&mut self, gate: &Gate) -> bool {
        let changed = !std::mem::replace(&mut self.closed, true);
        if changed && gate.closed_by.fetch_add(1, Ordering::Relaxed) == 0 {
            *gate.closed_at.lock() = Some(Instant::now());
        }
        changed
    }

    /// Opens the gate, as far as this latch is concerned; true if this latch had closed it.
    pub fn open(&mut self, gate: &Gate) -> bool {
        let changed = std::mem::replace(&mut self.closed, false);
        if changed {
            gate.closed_by.fetch_sub(1, Ordering::Relaxed);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_knows_for_how_long_it_is_closed() {
        let (gate, mut one, mut other) = (Gate::default(), Latch::default(), Latch::default());
        let moment = Duration::from_millis(20);
        assert_eq!(gate.closed_for(), Duration::ZERO);
        one.close(&gate);
        std::thread::sleep(moment);
        other.close(&gate);
        one.open(&gate);
        assert!(gate.closed_for() >= moment, "since the first lane closed it, and the other lane still holds it");
        other.open(&gate);
        assert_eq!(gate.closed_for(), Duration::ZERO);
    }

    #[test]
    fn a_gate_is_open_when_no_lane_holds_it() {
        let (gate, mut one, mut other) = (Gate::default(), Latch::default(), Latch::default());
        assert!(one.close(&gate) && other.close(&gate));
        assert!(!one.close(&gate), "closing twice changes nothing");
        assert!(one.open(&gate) && !gate.is_open(), "the other lane still holds it");
        assert!(other.open(&gate) && gate.is_open());
        assert!(!other.open(&gate) && gate.is_open(), "opening twice changes nothing");
    }
}
