//! Whether a backend may be used: closed and opened only by evidence from that backend, by the lane that talks to it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A gate shared by the lanes of one backend; open while no lane holds it closed.
#[derive(Debug, Default)]
pub struct Gate {
    closed_by: AtomicUsize,
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
}

impl Latch {
    /// This latch holds the gate closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Closes the gate; true if this latch had not.
    pub fn close(&mut self, gate: &Gate) -> bool {
        let changed = !std::mem::replace(&mut self.closed, true);
        if changed {
            gate.closed_by.fetch_add(1, Ordering::Relaxed);
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
    fn a_gate_is_open_when_no_lane_holds_it() {
        let (gate, mut one, mut other) = (Gate::default(), Latch::default(), Latch::default());
        assert!(one.close(&gate) && other.close(&gate));
        assert!(!one.close(&gate), "closing twice changes nothing");
        assert!(one.open(&gate) && !gate.is_open(), "the other lane still holds it");
        assert!(other.open(&gate) && gate.is_open());
        assert!(!other.open(&gate) && gate.is_open(), "opening twice changes nothing");
    }
}
