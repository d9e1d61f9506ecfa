//! How the load is raised: by a factor from rung to rung until one breaks, then between the last that held and the first
//! that broke.

use clap::Args;

use super::file::Rung;
use crate::Error;
use crate::spec::refuse;

/// No ladder has more rungs.
const RUNGS_MAX: usize = 60;

/// How the load is raised, and when it is too much.
#[derive(Debug, Clone, Args)]
pub struct LadderSpec {
    /// The first rung, in requests a second; by default one that suits the limit.
    #[arg(long, value_name = "R")]
    pub first_rate: Option<u64>,
    /// From one rung to the next.
    #[arg(long, value_name = "F", default_value_t = 1.5)]
    pub factor: f64,
    /// How often to halve the way between the last rung that held and the first that broke.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub refine: u32,
    /// A rung breaks when the 99th percentile of latency is so many times the lowest of any rung ...
    #[arg(long, value_name = "F", default_value_t = 5.0)]
    pub latency_factor: f64,
    /// ... and is above so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 50.0)]
    pub latency_floor_ms: f64,
    /// A rung breaks as well when a smaller share of what was offered is decided in the window.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    pub keep_up: f64,
}

/// Every rung, and the two between which the limit lies.
pub(super) struct Climb {
    pub(super) rungs: Vec<Rung>,
    /// Index of the highest that held.
    pub(super) held: usize,
    /// Index of the lowest that broke; none if the ladder ended before.
    pub(super) broke: Option<usize>,
}

impl LadderSpec {
    pub(super) fn check(&self) -> Result<(), Error> {
        // A range holds nothing that is not a number.
        refuse(&[
            (self.first_rate == Some(0), "--first-rate must be at least 1"),
            (!(1.05..=100.0).contains(&self.factor), "--factor must be from 1.05 to 100"),
            (!(1.0..=1e6).contains(&self.latency_factor), "--latency-factor must be from 1 to 1000000"),
            (!(0.0..=1e6).contains(&self.latency_floor_ms), "--latency-floor-ms must be from 0 to 1000000"),
            (!(0.01..=0.99).contains(&self.keep_up), "--keep-up must be from 0.01 to 0.99"),
            (self.refine > 20, "--refine must be at most 20"),
        ])
    }

    /// Why the rung broke; none if it held. `calm_ms`: the lowest 99th percentile of any rung.
    fn verdict(&self, rung: &Rung, calm_ms: f64, window_s: f64) -> Option<String> {
        let offered_per_s = rung.offered_per_s as f64;
        // Arrivals are random: three standard deviations of their number are no sign of anything.
        let chance_per_s = 3.0 * (offered_per_s * window_s).sqrt() / window_s;
        if rung.achieved_per_s <= 0.0 || rung.achieved_per_s < self.keep_up * offered_per_s - chance_per_s {
            return Some(format!("{:.0} a second are decided of {}", rung.achieved_per_s, rung.offered_per_s));
        }
        let bound_ms = (self.latency_factor * calm_ms).max(self.latency_floor_ms);
        (rung.p99_ms > bound_ms).then(|| format!("p99 is {:.1} ms, above {bound_ms:.1} ms", rung.p99_ms))
    }
}

/// Climbs; `step` makes the load of one rung. A rung that breaks is tried once more before it counts: other work on the
/// machine looks just like a limit.
pub(super) async fn climb(
    spec: &LadderSpec,
    first_rate: u64,
    window_s: f64,
    mut step: impl AsyncFnMut(u64) -> Result<Rung, Error>,
) -> Result<Climb, Error> {
    let mut climb = Ascent { spec, window_s, rungs: Vec::new(), calm_ms: f64::INFINITY };
    let (mut held, mut broke): (Option<usize>, Option<usize>) = (None, None);
    let (mut rate, mut refinements) = (first_rate, spec.refine);
    while climb.rungs.len() < RUNGS_MAX {
        let mut index = climb.add(step(rate).await?);
        if climb.rungs[index].broke.is_some() {
            index = climb.add(step(rate).await?);
        }
        let place = if climb.rungs[index].broke.is_some() { &mut broke } else { &mut held };
        *place = Some(index);
        let rate_of = |index: usize| climb.rungs[index].offered_per_s as f64;
        rate = match (held, broke) {
            (Some(held), None) => (rate_of(held) * spec.factor).ceil() as u64,
            (None, Some(broke)) => (rate_of(broke) / spec.factor).floor() as u64,
            (Some(held), Some(broke)) if refinements > 0 => {
                refinements -= 1;
                (rate_of(held) * rate_of(broke)).sqrt().round() as u64
            }
            _ => break,
        };
        if rate == 0 {
            break;
        }
    }
    let rungs = climb.rungs;
    let Some(held) = held else {
        let why = rungs.last().and_then(|rung| rung.broke.clone()).unwrap_or_default();
        return Err(Error::Arguments(format!("not even the lowest load held: {why}; begin lower with --first-rate")));
    };
    Ok(Climb { rungs, held, broke })
}

struct Ascent<'a> {
    spec: &'a LadderSpec,
    window_s: f64,
    rungs: Vec<Rung>,
    calm_ms: f64,
}

impl Ascent<'_> {
    fn add(&mut self, mut rung: Rung) -> usize {
        self.calm_ms = self.calm_ms.min(rung.p99_ms);
        rung.broke = self.spec.verdict(&rung, self.calm_ms, self.window_s);
        self.rungs.push(rung);
        self.rungs.len() - 1
    }
}

#[cfg(test)]
mod tests;
