//! The live display of the rush: bars on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tally::Tally;
use crate::number::{grouped, millis, per_second};
use crate::screen::Screen;

const EVERY_ON_TERMINAL: Duration = Duration::from_millis(200);
const EVERY_LINE: Duration = Duration::from_secs(1);

/// Draws at most so often, whatever it is told.
pub(super) struct Progress<'a> {
    screen: &'a Screen,
    bars: Option<Bars>,
    every: Duration,
    shown_at: Instant,
    answered: u64,
    /// Of the time since the last drawing.
    latency_us: Histogram<u64>,
}

struct Bars {
    all: MultiProgress,
    claims: ProgressBar,
    shards: Vec<ProgressBar>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(screen: &'a Screen, claims: u64, units: u64, shards: usize) -> Self {
        let bars = screen.is_terminal.then(|| Bars::new(claims, units, shards));
        let every = if screen.is_terminal { EVERY_ON_TERMINAL } else { EVERY_LINE };
        let latency_us = Histogram::new_with_max(60_000_000, 2).expect("constant bounds that the histogram takes");
        Self { screen, bars, every, shown_at: Instant::now(), answered: 0, latency_us }
    }

    pub(super) fn answered_in(&mut self, latency: Duration) {
        let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.saturating_record(latency_us);
    }

    /// Draws if it is time to.
    pub(super) fn show(&mut self, tally: &Tally, in_flight: usize, left: impl FnOnce() -> Vec<Option<u64>>) {
        let elapsed = self.shown_at.elapsed();
        if elapsed < self.every {
            return;
        }
        let answered = tally.answered();
        let rate = grouped(per_second(answered - self.answered, elapsed));
        let [p50, p99] = [0.5, 0.99].map(|quantile| millis(self.latency_us.value_at_quantile(quantile)));
        let left = left();
        match &self.bars {
            Some(bars) => bars.draw(answered, &format!("{rate} a second, p50 {p50}, p99 {p99}"), &left),
            None => {
                let left: Vec<String> = left.iter().map(|left| left.map_or_else(|| "-".to_owned(), grouped)).collect();
                let (answered, in_flight) = (grouped(answered), grouped(in_flight as u64));
                self.screen.line(&format!(
                    "    {answered} answered, {rate} a second, p50 {p50}, p99 {p99}, {in_flight} in flight; left on the \
                     shards: {}",
                    left.join(" ")
                ));
            }
        }
        self.shown_at = Instant::now();
        self.answered = answered;
        self.latency_us.reset();
    }

    /// Something that happened on the way.
    pub(super) fn say(&self, text: &str) {
        match &self.bars {
            // Drawn again with the next update at the latest.
            Some(bars) => drop(bars.all.println(text)),
            None => self.screen.line(text),
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bars) = &self.bars {
            drop(bars.all.clear());
        }
    }
}

impl Bars {
    fn new(claims: u64, units: u64, shards: usize) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let style = |template| ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let claim_style = style("    claims   {bar:40} {human_pos} of {human_len}  {msg}");
        let shard_style = style("    {prefix} {bar:40} {human_pos} left");
        let claims = all.add(ProgressBar::new(claims).with_style(claim_style));
        // Each shard begins with an equal part, give or take one.
        let share = units.div_ceil(shards.max(1) as u64);
        let bar = |shard| {
            let bar = ProgressBar::new(share).with_style(shard_style.clone());
            all.add(bar.with_prefix(format!("shard {shard:02}")))
        };
        let shards = (0..shards).map(bar).collect();
        Self { all, claims, shards }
    }

    fn draw(&self, answered: u64, message: &str, left: &[Option<u64>]) {
        self.claims.set_message(message.to_owned());
        self.claims.set_position(answered);
        for (bar, left) in self.shards.iter().zip(left) {
            bar.set_position(left.unwrap_or(0));
        }
    }
}
