//! What a scenario is: data, and a function that places its faults in time.

use std::time::Duration;

use super::budget::Budget;
use super::fault::{Fault, Planned};
use super::felt::Hit;
use super::schedule::Size;

/// How much stock there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stock {
    /// More than the load can take; the rest is sold when all is healed.
    Lasts,
    /// Half of what the load asks for.
    RunsOut,
}

/// How much load there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// The rate that was asked for.
    Steady,
    /// Three times what the deployment can serve, measured right before. The proxies get a tenth of their time, so that it
    /// is they who are overloaded, and not the load beside them.
    ThreeTimesThePeak,
}

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// As on the command line.
    pub name: &'static str,
    /// What breaks, and what must be so.
    pub about: &'static str,
    /// The faults in their times.
    pub plan: fn(Clock, Size) -> Vec<Planned>,
    /// Who should feel it.
    pub hit: fn(Size) -> Hit,
    /// How much stock there is.
    pub stock: Stock,
    /// How much load there is.
    pub offered: Offered,
    /// What it may cost.
    pub budgets: &'static [Budget],
}

/// The time of a scenario.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// How long there is load.
    pub duration: Duration,
    /// Decides what is random.
    pub seed: u64,
}

impl Clock {
    /// This part of the duration.
    pub fn at(&self, part: f64) -> Duration {
        self.duration.mul_f64(part)
    }

    /// A fault from a third to two thirds of the time.
    pub fn middle(&self, fault: Fault) -> Planned {
        Planned { from: self.at(0.3), until: self.at(0.6), fault }
    }

    /// A fault again and again in the middle, each time for `each`.
    pub fn again(&self, each: Duration, fault: Fault) -> Vec<Planned> {
        let (mut from, end) = (self.at(0.3), self.at(0.6));
        let mut plan = Vec::new();
        while from < end {
            plan.push(Planned { from, until: from + each, fault });
            from += each + Duration::from_millis(20);
        }
        plan
    }
}
