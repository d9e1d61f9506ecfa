//! What a scenario may cost its callers. Figures, not verdicts: timings on a busy machine are noisy, and only correctness
//! fails a run.

use serde::Serialize;

use super::felt::{Group, Stretch};

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// The p99 of those who must not be hit, during against before.
    OthersP99Ratio(f64),
    /// Everybody who must not be hit is served.
    OthersAllServed,
    /// The share of those who are hit who get a definite answer during the fault.
    HitDefinite(f64),
    /// From the strike to the next answer served to those who are hit, in milliseconds.
    ServedAfterStrike(u64),
    /// From the mending to the next answer served to those who are hit, in milliseconds.
    ServedAfterMending(u64),
    /// From the return of a shard until its keys serve again, in milliseconds.
    KeysServe(u64),
    /// The p99 of refusals for overload, in milliseconds.
    RefusedWithin(u64),
    /// Served under overload, as a share of the peak.
    ShareOfPeak(f64),
    /// The latest answers under overload, in milliseconds.
    AnsweredWithin(u64),
    /// The most memory of a proxy after the first third of the overload, against its most in that third.
    MemoryRatio(f64),
}

/// What beside the samples was measured.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Measured {
    /// Until the keys of the shard that came back served again.
    pub(super) keys_serve_ms: Option<u64>,
    /// Claims a second that a closed loop was served.
    pub(super) peak_per_s: Option<f64>,
    /// See [`Budget::MemoryRatio`].
    pub(super) memory_ratio: Option<f64>,
    /// Connections that were cut after so many bytes, or around a statement.
    pub(super) connections_cut: u64,
    /// The most resident memory of each proxy, in MiB.
    pub(super) proxy_peak_mib: Vec<u64>,
}

/// A budget with its measure.
#[derive(Debug, Clone, Serialize)]
pub(super) struct BudgetReport {
    pub(super) what: String,
    pub(super) limit: f64,
    /// Nothing: there was nothing to measure.
    pub(super) measured: Option<f64>,
    pub(super) met: bool,
}

impl Budget {
    pub(super) fn report(self, groups: &[Group], measured: &Measured) -> BudgetReport {
        let hit = groups.iter().find(|group| group.who == "hit");
        let others = groups.iter().find(|group| group.who == "others");
        let ms = |us: Option<u64>| us.map(|us| us as f64 / 1_000.0);
        let at_most = |what: &str, limit: f64, measured: Option<f64>| {
            let met = measured.is_some_and(|measured| measured <= limit);
            BudgetReport { what: what.to_owned(), limit, measured, met }
        };
        let at_least = |what: &str, limit: f64, measured: Option<f64>| {
            let met = measured.is_some_and(|measured| measured >= limit);
            BudgetReport { what: what.to_owned(), limit, measured, met }
        };
        match self {
            Self::OthersP99Ratio(limit) => {
                let ratio = |group: &Group| group.during.p99_us as f64 / (group.before.p99_us.max(1)) as f64;
                at_most("others: p99 during / before", limit, others.map(ratio))
            }
            Self::OthersAllServed => {
                let failed = |group: &Group| (group.during.claims - group.during.served) as f64;
                at_most("others: claims that failed during", 0.0, others.map(failed))
            }
            Self::HitDefinite(limit) => {
                at_least("hit: definite answers during", limit, hit.map(|g| definite(&g.during)))
            }
            Self::ServedAfterStrike(limit) => {
                let served = ms(hit.and_then(|group| group.first_served_after_strike_us));
                at_most("hit: first served after the strike, ms", limit as f64, served)
            }
            Self::ServedAfterMending(limit) => {
                let served = ms(hit.and_then(|group| group.first_served_after_mending_us));
                at_most("hit: first served after mending, ms", limit as f64, served)
            }
            Self::KeysServe(limit) => {
                let serve = measured.keys_serve_ms.map(|ms| ms as f64);
                at_most("keys serve after the shard's return, ms", limit as f64, serve)
            }
            Self::RefusedWithin(limit) => {
                let refused = hit.filter(|group| group.during.refused > 0);
                at_most(
                    "refused for overload: p99, ms",
                    limit as f64,
                    ms(refused.map(|group| group.during.refusal_p99_us)),
                )
            }
            Self::ShareOfPeak(limit) => {
                let served = hit.map(|group| group.during.served_per_s);
                let share = served.zip(measured.peak_per_s).map(|(served, peak)| served / peak.max(1.0));
                at_least("served under overload / peak", limit, share)
            }
            Self::AnsweredWithin(limit) => {
                at_most("latest answer, ms", limit as f64, ms(hit.map(|group| group.during.max_us)))
            }
            Self::MemoryRatio(limit) => at_most("proxy memory, later / first third", limit, measured.memory_ratio),
        }
    }
}

/// Served and refused, of all.
pub(super) fn definite(stretch: &Stretch) -> f64 {
    if stretch.claims == 0 { 1.0 } else { (stretch.served + stretch.refused) as f64 / stretch.claims as f64 }
}
