//! A curve as data, as text, as plots.

use std::fmt;

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::report::html::{Axis, Named, Plot, Series, page_with, write_page};
use crate::report::{CpuPerClaim, Report, VERSION, write_json};
use crate::spec::OutputSpec;

/// A report for each size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// [`VERSION`] when it was written.
    pub version: u32,
    /// What grows.
    pub curve: String,
    /// In ascending order.
    pub points: Vec<Point>,
}

/// One size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// How much there was of what grows.
    pub size: u64,
    /// What was measured there.
    pub report: Report,
}

impl Curve {
    pub(super) fn new(kind: &str) -> Self {
        Self { version: VERSION, curve: kind.to_owned(), points: Vec::new() }
    }

    /// Why the figures of some point are void; none if every count is right.
    #[must_use]
    pub fn void(&self) -> Option<String> {
        self.points.iter().find_map(|point| point.report.void())
    }

    /// The dearest claim by the cheapest, in CPU time of all tiers; 1 when there is nothing to compare.
    #[must_use]
    pub fn spread(&self) -> f64 {
        let costs = || self.points.iter().map(|point| total(&point.report.figures.cpu_us_per_claim));
        let (least, most) = (costs().fold(f64::INFINITY, f64::min), costs().fold(0.0, f64::max));
        if least > 0.0 && least.is_finite() { most / least } else { 1.0 }
    }

    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write(&self, output: &OutputSpec) -> Result<(), Error> {
        if let Some(path) = &output.json {
            write_json(path, self)?;
        }
        output.html.as_ref().map_or(Ok(()), |path| write_page(path, &self.page()))
    }

    /// The page with plots.
    #[must_use]
    pub fn page(&self) -> String {
        let names: Vec<String> = self.points.iter().map(|point| format!("{} {}", point.size, self.curve)).collect();
        let named = names.iter().zip(&self.points).map(|(name, point)| Named { name, report: &point.report });
        let plots = [self.cpu(), self.rate(), self.latency()];
        page_with(&plots, &named.collect::<Vec<_>>())
    }

    fn line(&self, label: &str, colour: usize, value: impl Fn(&Report) -> f64) -> Series {
        // A logarithm has no zero: nothing is drawn as one.
        let points = self.points.iter().map(|point| (point.size.max(1) as f64, value(&point.report))).collect();
        Series { label: label.to_owned(), colour, dashed: false, points }
    }

    fn plot(&self, title: &str, y: Axis, series: Vec<Series>) -> Plot {
        Plot { title: format!("{title} over {}", self.curve), x: Axis::log(&self.curve), y, series }
    }

    fn cpu(&self) -> Plot {
        let cpu = |report: &Report| report.figures.cpu_us_per_claim;
        let lines = vec![
            self.line("client", 0, |report| cpu(report).client),
            self.line("proxy", 1, |report| cpu(report).proxy),
            self.line("Redis", 2, |report| cpu(report).redis),
            self.line("MySQL", 3, |report| cpu(report).mysql),
            self.line("all", 6, |report| total(&cpu(report))),
        ];
        self.plot("CPU time of a claim", Axis::linear("us for each claim"), lines)
    }

    fn rate(&self) -> Plot {
        let lines = vec![self.line("claims/s", 0, |report| report.figures.claims_per_s)];
        self.plot("Throughput", Axis::linear("claims a second"), lines)
    }

    fn latency(&self) -> Plot {
        let lines = vec![
            self.line("p50", 0, |report| report.figures.latency_ms.p50),
            self.line("p99", 1, |report| report.figures.latency_ms.p99),
        ];
        self.plot("Latency", Axis::log("latency, ms"), lines)
    }
}

fn total(cpu: &CpuPerClaim) -> f64 {
    cpu.client + cpu.proxy + cpu.redis + cpu.mysql
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        let head =
            [&self.curve, "claims/s", "p50, ms", "p99, ms", "client", "proxy", "Redis", "MySQL", "all, us/claim"];
        table.load_style(ASCII_MARKDOWN).set_header(head);
        for Point { size, report } in &self.points {
            let (figures, cpu) = (&report.figures, &report.figures.cpu_us_per_claim);
            let latency = [figures.latency_ms.p50, figures.latency_ms.p99].map(|ms| format!("{ms:.1}"));
            let tiers = [cpu.client, cpu.proxy, cpu.redis, cpu.mysql, total(cpu)].map(|us| format!("{us:.2}"));
            let mut row = vec![size.to_string(), format!("{:.0}", figures.claims_per_s)];
            row.extend(latency.into_iter().chain(tiers));
            table.add_row(row);
        }
        writeln!(f, "{table}")?;
        if self.points.iter().any(|point| point.report.environment.debug_build) {
            writeln!(f, " ATTENTION    built without optimisation: these figures say nothing")?;
        }
        writeln!(f, " spread       the dearest claim costs {:.2} times the cheapest", self.spread())
    }
}
