//! A bound on rows a second, without bursts: what was slow is not caught up with.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Rate {
    rows_per_second: usize,
    next: Instant,
}

impl Rate {
    pub(super) fn new(rows_per_second: usize) -> Self {
        Self { rows_per_second: rows_per_second.max(1), next: Instant::now() }
    }

    /// Until when to pause after so many rows, which were read since the last pause.
    pub(super) fn until(&mut self, rows: usize, now: Instant) -> Instant {
        let share = Duration::from_secs_f64(rows as f64 / self.rows_per_second as f64);
        self.next = (self.next + share).max(now);
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_spread_over_time_and_what_was_slow_is_not_caught_up_with() {
        let (began, mut rate) = (Instant::now(), Rate::new(1_000));
        rate.next = began;
        let half = Duration::from_millis(500);
        assert_eq!([began, began + half].map(|now| rate.until(500, now)), [began + half, began + 2 * half]);
        let late = began + 20 * half;
        assert_eq!([late, late].map(|now| rate.until(500, now)), [late, late + half]);
    }
}
