//! The result as data.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::Error;
use super::budget::{BudgetReport, Measured};
use super::fault::{Planned, PlannedReport};
use super::felt::{Group, Hit, Window, felt};
use super::recorder::{Outcome, Sample};
use super::scenario::Scenario;
use crate::evidence::Audit;
use crate::evidence::environment::Environment;
use crate::oracle::{Counts, Verdict, Violation};

/// The version of the JSON form; raised when a field changes its meaning or goes away.
const VERSION: u32 = 1;

/// The result of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u32,
    /// Every promise held in every scenario.
    pub held: bool,
    pub(super) environment: Option<Environment>,
    pub(super) primaries: u16,
    pub(super) shards: u16,
    pub(super) proxies: u16,
    pub(super) clients: u16,
    /// Each scenario, in order.
    pub scenarios: Vec<ScenarioReport>,
    /// What could not be run to its end.
    pub failed: Vec<Failed>,
}

/// A scenario without a verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Failed {
    /// Which.
    pub name: &'static str,
    /// Decides what is random.
    pub seed: u64,
    /// What stopped it.
    pub error: String,
}

/// The result of one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioReport {
    /// Which.
    pub name: &'static str,
    /// What breaks, and what must be so.
    pub about: &'static str,
    /// Decides what is random.
    pub seed: u64,
    /// Every promise held.
    pub held: bool,
    /// What was wrong at once, and what did not come to its end after healing.
    pub problems: Vec<String>,
    /// What the oracle found.
    pub violations: Vec<Violation>,
    pub(super) audit: Audit,
    pub(super) schedule: Vec<PlannedReport>,
    pub(super) struck_ms: u64,
    pub(super) mended_ms: u64,
    /// What callers felt.
    pub(super) felt: Vec<Group>,
    /// Answers of the load that were neither a coupon nor a rule's refusal, by code.
    pub(super) refusals: BTreeMap<&'static str, u64>,
    pub(super) budgets: Vec<BudgetReport>,
    pub(super) measured: Measured,
    /// What the oracle compared.
    pub counts: Counts,
    pub(super) took_ms: u64,
}

/// What a scenario's report is made from.
pub(super) struct Evidence<'a> {
    pub(super) seed: u64,
    pub(super) plan: &'a [Planned],
    pub(super) window: Window,
    pub(super) samples: Vec<Sample>,
    pub(super) hit: Hit,
    pub(super) measured: Measured,
    pub(super) verdict: &'a Verdict,
    pub(super) audit: Audit,
    pub(super) problems: Vec<String>,
    pub(super) took: Duration,
}

impl ScenarioReport {
    /// Connections that were cut after so many bytes, or around a statement.
    pub fn connections_cut(&self) -> u64 {
        self.measured.connections_cut
    }

    pub(super) fn new(scenario: &Scenario, evidence: Evidence<'_>) -> Self {
        let violations = evidence.verdict.violations();
        let felt = felt(&evidence.samples, &evidence.hit, evidence.window);
        let budgets = scenario.budgets.iter().map(|budget| budget.report(&felt, &evidence.measured)).collect();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            name: scenario.name,
            about: scenario.about,
            seed: evidence.seed,
            held: violations.is_empty() && evidence.problems.is_empty() && evidence.audit.is_clean(),
            problems: evidence.problems,
            violations,
            audit: evidence.audit,
            schedule: evidence.plan.iter().map(PlannedReport::from).collect(),
            struck_ms: ms(evidence.window.struck),
            mended_ms: ms(evidence.window.mended),
            felt,
            refusals: refusals(&evidence.samples),
            budgets,
            measured: evidence.measured,
            counts: evidence.verdict.counts.clone(),
            took_ms: ms(evidence.took),
        }
    }
}

fn refusals(samples: &[Sample]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for sample in samples {
        match sample.outcome {
            Outcome::Refused(code) => *counts.entry(code.as_str_name()).or_default() += 1,
            Outcome::Unknown => *counts.entry("in doubt").or_default() += 1,
            Outcome::Coupon | Outcome::Rules => {}
        }
    }
    counts
}

impl Report {
    pub(super) fn new(spec: &super::RunSpec) -> Self {
        Self {
            version: VERSION,
            held: true,
            environment: None,
            primaries: spec.primaries,
            shards: spec.shards,
            proxies: spec.proxies,
            clients: spec.clients,
            scenarios: Vec::new(),
            failed: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, scenario: ScenarioReport) {
        self.held &= scenario.held;
        self.scenarios.push(scenario);
    }

    /// No verdict is not a good one.
    pub(super) fn fail(&mut self, name: &'static str, seed: u64, error: &Error) {
        self.held = false;
        self.failed.push(Failed { name, seed, error: error.to_string() });
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let write = || fs::write(path, serde_json::to_string_pretty(self)? + "\n");
        write().map_err(|source| Error::Write { path: path.to_owned(), source })
    }
}
