//! Many seeds, on all cores; each run stays in one thread.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

use super::mutant::Mutant;
use super::plan::Plan;
use super::{Outcome, run};

/// What came of a sweep.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tally {
    /// Seeds that were run.
    pub seeds: u64,
    /// Those in which something was wrong, with what was wrong first.
    pub failed: BTreeMap<u64, String>,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Sends of claims.
    pub sends: u64,
    /// Coupons at the end of the runs.
    pub coupons: u64,
    /// Calls that stores carried out.
    pub calls: u64,
    /// Steps that patrols wrote down.
    pub patrol_steps: u64,
    /// Reminders that they made.
    pub reminders: u64,
    /// Virtual time, in seconds.
    pub virtual_s: u64,
    /// Real time, in seconds.
    pub took_s: f64,
    #[serde(skip)]
    virtual_ms: u64,
}

impl Tally {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        if let Some(first) = outcome.findings.first() {
            self.failed.insert(seed, first.clone());
        }
        for kind in &outcome.struck {
            *self.faults.entry(kind).or_default() += 1;
        }
        self.sends += outcome.sends;
        self.coupons += outcome.coupons;
        self.calls += outcome.calls;
        self.patrol_steps += outcome.patrol_steps;
        self.reminders += outcome.reminders;
        self.virtual_ms += outcome.virtual_ms;
        self.virtual_s = self.virtual_ms / 1_000;
    }

    /// Seeds in a second of real time.
    pub fn rate(&self) -> f64 {
        self.seeds as f64 / self.took_s.max(1e-6)
    }
}

/// Runs these seeds on so many threads. Ends early after `failures_max` failed ones. `progress` is told now and then.
pub fn sweep(
    seeds: Range<u64>,
    threads: usize,
    mutant: Option<Mutant>,
    failures_max: usize,
    progress: impl Fn(&Tally) + Sync,
) -> Tally {
    let (next, begun) = (AtomicU64::new(seeds.start), Instant::now());
    let tally = Mutex::new((Tally::default(), begun));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || tally.lock().0.failed.len() >= failures_max {
                return;
            }
            let outcome = run(&Plan::of(seed), mutant, false);
            let (tally, told) = &mut *tally.lock();
            tally.add(seed, &outcome);
            tally.took_s = begun.elapsed().as_secs_f64();
            if told.elapsed() > Duration::from_secs(1) {
                *told = Instant::now();
                progress(tally);
            }
        }
    };
    std::thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(work))));
    tally.into_inner().0
}
