//! Reports as one page: plots as SVG that is drawn here, no script, nothing that is loaded from anywhere.

mod bars;
mod page;
mod plot;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use self::bars::{Bar, Bars};
pub(crate) use self::plot::{Axis, Plot, Series};
use super::{Figures, Report};
use crate::Error;

/// One report under the name by which the page calls it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The name.
    pub name: &'a str,
    /// The report.
    pub report: &'a Report,
}

/// Writes a page of these reports, side by side.
///
/// # Errors
/// When there is none, or the file cannot be written.
pub fn write(path: &Path, reports: &[Named<'_>]) -> Result<(), Error> {
    if reports.is_empty() {
        return Err(Error::Arguments("a page needs at least one report".to_owned()));
    }
    write_page(path, &page(reports))
}

pub(crate) fn write_page(path: &Path, page: &str) -> Result<(), Error> {
    fs::write(path, page).map_err(|error| Error::Report { path: path.to_owned(), problem: error.to_string() })
}

/// The page as text.
#[must_use]
pub fn page(reports: &[Named<'_>]) -> String {
    page_with(&[], reports)
}

/// The same with plots of all reports together before the others.
pub(crate) fn page_with(plots: &[Plot], reports: &[Named<'_>]) -> String {
    let mut body = String::new();
    page::verdicts(&mut body, reports);
    page::figures(&mut body, reports);
    let own = [percentiles(reports), throughput(reports), over_time(reports)];
    plots.iter().chain(&own).for_each(|plot| body.push_str(&plot.render()));
    for bars in [cpu(reports), answers(reports), stages(reports), backends(reports)].into_iter().flatten() {
        body.push_str(&bars.render());
    }
    page::backgrounds(&mut body, reports);
    page::whole("scrip-bench", &body)
}

/// A line for each report.
fn lines(reports: &[Named<'_>], points: impl Fn(&Figures) -> Vec<(f64, f64)>) -> Vec<Series> {
    let line = |(colour, named): (usize, &Named<'_>)| Series {
        label: named.name.to_owned(),
        colour,
        dashed: false,
        points: points(&named.report.figures),
    };
    reports.iter().enumerate().map(line).collect()
}

/// As HdrHistogram plots it: what lies beyond, on a logarithmic axis.
fn percentiles(reports: &[Named<'_>]) -> Plot {
    Plot {
        title: "Latency by percentile".to_owned(),
        x: Axis::percentile(),
        y: Axis::log("latency, ms"),
        series: lines(reports, |figures| {
            figures.latency_curve.iter().map(|point| (1.0 / (1.0 - point.quantile).max(1e-9), point.ms)).collect()
        }),
    }
}

fn by_second(figures: &Figures, value: impl Fn(&super::Second) -> f64) -> Vec<(f64, f64)> {
    figures.seconds.iter().enumerate().map(|(second, all)| (second as f64 + 0.5, value(all))).collect()
}

fn throughput(reports: &[Named<'_>]) -> Plot {
    let series = lines(reports, |figures| {
        // The last second may be shorter than one.
        let last = figures.seconds.len().saturating_sub(1);
        let length = |second: f64| if second as usize == last { figures.window_s - last as f64 } else { 1.0 };
        let rates = by_second(figures, |second| second.answers as f64).into_iter();
        rates.filter(|(at, _)| length(*at) > 0.2).map(|(at, answers)| (at, answers / length(at).min(1.0))).collect()
    });
    let y = Axis::linear("answers a second");
    Plot { title: "Throughput over time".to_owned(), x: Axis::linear("seconds"), y, series }
}

fn over_time(reports: &[Named<'_>]) -> Plot {
    let mut series = lines(reports, |figures| by_second(figures, |second| second.p50_ms));
    let mut slow = lines(reports, |figures| by_second(figures, |second| second.p99_ms));
    series.iter_mut().for_each(|line| line.label.push_str(", p50"));
    for line in &mut slow {
        line.label.push_str(", p99");
        line.dashed = true;
    }
    series.append(&mut slow);
    let y = Axis::log("latency, ms");
    Plot { title: "Latency over time".to_owned(), x: Axis::linear("seconds"), y, series }
}

fn cpu(reports: &[Named<'_>]) -> Option<Bars> {
    let bar = |named: &Named<'_>| {
        let cpu = &named.report.figures.cpu_us_per_claim;
        let parts = [("client", cpu.client), ("proxy", cpu.proxy), ("Redis", cpu.redis), ("MySQL", cpu.mysql)];
        Bar::new(named.name, parts.map(|(tier, us)| (tier.to_owned(), us)))
    };
    Some(Bars {
        title: "CPU time by tier".to_owned(),
        unit: "us for each claim",
        bars: reports.iter().map(bar).collect(),
    })
}

fn answers(reports: &[Named<'_>]) -> Option<Bars> {
    let bar = |named: &Named<'_>| {
        let figures = &named.report.figures;
        let done = [("coupon", figures.coupons), ("replay", figures.replays), ("page of coupons", figures.reads)];
        let done = done.into_iter().map(|(name, count)| (name.to_owned(), count as f64));
        let refused = figures.refusals.iter().map(|refusal| (refusal.code.clone(), refusal.count as f64));
        Bar::new(named.name, done.chain(refused).filter(|(_, count)| *count > 0.0))
    };
    Some(Bars {
        title: "Answers, refusals by reason".to_owned(),
        unit: "answers",
        bars: reports.iter().map(bar).collect(),
    })
}

fn stages(reports: &[Named<'_>]) -> Option<Bars> {
    let bar = |named: &Named<'_>| {
        let stages = named.report.figures.stages.iter().filter(|stage| stage.name != "whole");
        Bar::new(named.name, stages.map(|stage| (stage.name.clone(), stage.mean_ms)))
    };
    let bars: Vec<Bar> = reports.iter().map(bar).filter(|bar| !bar.parts.is_empty()).collect();
    let title = "Where a claim spends its time in the proxy".to_owned();
    (!bars.is_empty()).then_some(Bars { title, unit: "ms, mean", bars })
}

fn backends(reports: &[Named<'_>]) -> Option<Bars> {
    let mut bars = Vec::new();
    for named in reports {
        for backend in &named.report.figures.backends {
            let name =
                if reports.len() > 1 { format!("{}: {}", named.name, backend.name) } else { backend.name.clone() };
            bars.push(Bar::new(&name, [("busy".to_owned(), backend.busy * 100.0)]));
        }
    }
    let title = "How busy the calls to each backend are".to_owned();
    (!bars.is_empty()).then_some(Bars {
        title,
        unit: "% of the window with a call under way, summed over its lanes",
        bars,
    })
}

/// What HTML and SVG would take for markup.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Writing to a String cannot fail.
pub(super) fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests;
