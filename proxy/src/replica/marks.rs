//! The marks of one primary: numbers, and when each was noted.

use std::collections::VecDeque;
use std::time::Duration;

use scrip_protocol::limits::STALENESS_MAX_MS;
use tokio::time::Instant;

/// Marks that are older count for nothing: no read allows more.
const KEPT: Duration = Duration::from_millis(STALENESS_MAX_MS as u64);

/// 1, 2, 3, ... without a hole.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The last number given.
    last: u64,
    /// The times of the latest, the last one at the end.
    noted: VecDeque<Instant>,
}

impl Marks {
    /// The next mark. Noted before it is written: what is acknowledged from now on may be behind it.
    pub(super) fn next(&mut self, now: Instant) -> u64 {
        while self.noted.front().is_some_and(|first| now.saturating_duration_since(*first) > KEPT) {
            self.noted.pop_front();
        }
        self.last += 1;
        self.noted.push_back(now);
        self.last
    }

    /// When this mark was noted; `None`: never, or too long ago.
    pub(super) fn noted_at(&self, mark: u64) -> Option<Instant> {
        let from_end = usize::try_from(self.last.checked_sub(mark)?).ok()?;
        self.noted.iter().rev().nth(from_end).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_has_the_time_at_which_it_was_noted() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(marks.noted_at(0), None, "a replica that shows none yet");
        for number in 1..=700 {
            assert_eq!(marks.next(at(number)), number);
        }
        assert_eq!(marks.noted_at(700), Some(at(700)));
        assert_eq!(marks.noted_at(699), Some(at(699)));
        assert_eq!(marks.noted_at(100), Some(at(100)), "ten minutes ago");
        for never in [0, 99, 701, u64::MAX] {
            assert_eq!(marks.noted_at(never), None, "{never}");
        }
        assert_eq!(marks.noted.len(), 601);
    }
}
