//! The live display: one line that changes on a terminal, a line a second elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::screen::Screen;

const EVERY_ON_TERMINAL: Duration = Duration::from_millis(250);
const EVERY_LINE: Duration = Duration::from_secs(1);

/// Draws at most so often, whatever it is told.
pub(crate) struct Progress {
    screen: Screen,
    bar: Option<ProgressBar>,
    shown_at: Instant,
    shown: u64,
}

impl Progress {
    /// For a run of so long.
    pub(crate) fn new(screen: Screen, whole: Duration) -> Self {
        let bar = screen.is_terminal.then(|| {
            let length = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
            let style =
                ProgressStyle::with_template("  {bar:30} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()).with_style(style)
        });
        Self { screen, bar, shown_at: Instant::now(), shown: 0 }
    }

    /// Draws if it is time to.
    pub(crate) fn show(&mut self, phase: &str, elapsed: Duration, answered: u64, in_flight: u64) {
        let since = self.shown_at.elapsed();
        if since < if self.bar.is_some() { EVERY_ON_TERMINAL } else { EVERY_LINE } {
            return;
        }
        let rate = (answered - self.shown) as f64 / since.as_secs_f64();
        let text = format!("{phase}: {answered} answered, {rate:.0} a second, {in_flight} in flight");
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
                bar.set_message(text);
            }
            None => self.screen.say(&format!("  {:>4.0} s  {text}", elapsed.as_secs_f64())),
        }
        (self.shown_at, self.shown) = (Instant::now(), answered);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
