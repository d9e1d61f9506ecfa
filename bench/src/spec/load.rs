//! How load is made.

use std::fmt;

use clap::{Args, ValueEnum};

use super::refuse;
use crate::Error;
use crate::arrival::{Arrivals, Spacing};

/// In an open loop the most that is in flight before claims wait.
const OPEN_IN_FLIGHT: usize = 32_768;

/// How load is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoopKind {
    /// A fixed number of claims in flight: finds the ceiling.
    Closed,
    /// Claims are due at a rate, whatever the answers do: finds the latency.
    Open,
}

/// How load is made, as it is told.
#[derive(Debug, Clone, Args)]
pub struct LoadSpec {
    /// How load is made.
    #[arg(long = "loop", value_enum, default_value = "closed")]
    pub loop_kind: LoopKind,
    /// Claims in flight; in an open loop the most that are allowed before claims wait (and their latency shows it).
    #[arg(long, value_name = "N")]
    pub in_flight: Option<usize>,
    /// Claims a second in an open loop.
    #[arg(long, value_name = "R", default_value_t = 50_000)]
    pub rate: u64,
    /// In an open loop: claims arrive independently of each other.
    #[arg(long)]
    pub poisson: bool,
}

/// How load is made, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    Closed { in_flight: usize },
    Open { rate_per_s: u64, spacing: Spacing, in_flight_max: usize },
}

/// The part of a load that one of several callers makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadShare {
    pub(crate) load: Load,
    /// Which caller.
    pub(crate) index: usize,
    /// Of how many.
    pub(crate) count: usize,
    pub(crate) seed: u64,
}

impl LoadSpec {
    pub(crate) fn load(&self, closed_in_flight: usize) -> Load {
        match self.loop_kind {
            LoopKind::Closed => Load::Closed { in_flight: self.in_flight.unwrap_or(closed_in_flight) },
            LoopKind::Open => Load::Open {
                rate_per_s: self.rate,
                spacing: if self.poisson { Spacing::Poisson } else { Spacing::Constant },
                in_flight_max: self.in_flight.unwrap_or(OPEN_IN_FLIGHT),
            },
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        refuse(&[
            (self.in_flight == Some(0), "--in-flight must be at least 1"),
            (self.rate == 0, "--rate must be at least 1"),
        ])
    }
}

impl Load {
    /// Arrivals at random at this rate.
    pub(crate) fn poisson(rate_per_s: u64) -> Self {
        Self::Open { rate_per_s, spacing: Spacing::Poisson, in_flight_max: OPEN_IN_FLIGHT }
    }

    /// The most that is in flight at once.
    pub(crate) fn in_flight_max(self) -> usize {
        match self {
            Self::Closed { in_flight } => in_flight,
            Self::Open { in_flight_max, .. } => in_flight_max,
        }
    }
}

impl LoadShare {
    /// When the claims of this share are due; none in a closed loop.
    pub(crate) fn arrivals(&self) -> Option<Arrivals> {
        let Load::Open { rate_per_s, spacing, .. } = self.load else { return None };
        let rate_per_s = rate_per_s as f64 / self.count as f64;
        // Callers take turns: they are not all due at the same moment.
        let offset_s = self.index as f64 / (self.count as f64 * rate_per_s);
        Some(Arrivals::new(rate_per_s, spacing, self.seed.wrapping_add(self.index as u64)).after(offset_s))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { in_flight } => write!(f, "closed loop, {in_flight} in flight"),
            Self::Open { rate_per_s, spacing, .. } => {
                let how = if *spacing == Spacing::Poisson { "Poisson" } else { "constant" };
                write!(f, "open loop, {rate_per_s} a second, {how}")
            }
        }
    }
}
