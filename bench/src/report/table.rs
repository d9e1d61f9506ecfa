//! A report for people.

use std::fmt::Write;

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use super::{Backend, Figures, Latency, Report, Stage};
use crate::counts::ratio;

/// The report as text.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    let _ = writeln!(text, "{}", figures(&report.figures));
    let spread = &report.spread;
    if report.repeats.len() > 1 {
        line(
            &mut text,
            "repeats",
            &format!(
                "{}: claims/s min {:.0}, median {:.0}, max {:.0} (shown: the median one)",
                report.repeats.len(),
                spread.min,
                spread.median,
                spread.max
            ),
        );
    }
    let verdict = report.void().map_or_else(|| "every count is right".to_owned(), |why| format!("VOID: {why}"));
    line(&mut text, "audit", &verdict);
    text
}

fn head(text: &mut String, report: &Report) {
    let (subject, environment) = (&report.subject, &report.environment);
    line(
        text,
        "what",
        &format!(
            "{} through {}, {}; {} primaries, {} shards, {} proxies; {} ms after {} ms",
            subject.workload,
            subject.path,
            subject.load,
            subject.primaries,
            subject.shards,
            subject.proxies,
            subject.duration_ms,
            subject.warm_up_ms
        ),
    );
    line(
        text,
        "where",
        &format!(
            "{} cores ({}), {} MiB, {}, {}, {}; load before {}",
            environment.cores,
            environment.processor,
            environment.memory_mib,
            environment.system,
            environment.database,
            environment.redis,
            environment.load_before
        ),
    );
    let durability: Vec<String> = report.durability.iter().map(|(name, value)| format!("{name}={value}")).collect();
    line(text, "durability", &durability.join(" "));
    line(text, "commit", &report.commit);
    if environment.debug_build {
        line(text, "ATTENTION", "built without optimisation: these figures say nothing");
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, " {name:<12} {value}");
}

fn figures(figures: &Figures) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("claims/s", format!("{:.0} ({:.0} new coupons/s)", figures.claims_per_s, figures.coupons_per_s));
    row("latency", latency(&figures.latency_ms));
    row("service", latency(&figures.service_ms));
    let cpu = &figures.cpu_us_per_claim;
    row(
        "CPU/claim",
        format!("client {:.2}, proxy {:.2}, Redis {:.2}, MySQL {:.2} us", cpu.client, cpu.proxy, cpu.redis, cpu.mysql),
    );
    row(
        "batches",
        format!(
            "{:.1} rows a transaction, {:.1} claims a Redis call, {:.0} transactions/s",
            figures.rows_per_transaction, figures.claims_per_redis_call, figures.transactions_per_s
        ),
    );
    if !figures.stages.is_empty() {
        row("stages", stages(&figures.stages));
    }
    if !figures.backends.is_empty() {
        row("calls", busy(&figures.backends));
    }
    row("proxy memory", format!("{:.0} MiB at most", figures.proxy_peak_mib));
    let refusals: Vec<String> =
        figures.refusals.iter().map(|refusal| format!("{} {}", refusal.count, refusal.code)).collect();
    row(
        "answers",
        format!(
            "{} coupons, {} replays, {} pages{}{}",
            figures.coupons,
            figures.replays,
            figures.reads,
            if refusals.is_empty() { "" } else { ", " },
            refusals.join(", ")
        ),
    );
    row("count", format!("{} rows, {} acknowledged", figures.audit.rows, figures.audit.acknowledged));
    table
}

fn latency(latency: &Latency) -> String {
    format!(
        "p50 {:.1}, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1} ms",
        latency.p50, latency.p90, latency.p99, latency.p999, latency.max
    )
}

fn stages(stages: &[Stage]) -> String {
    let stage = |stage: &Stage| {
        format!("{}: mean {:.2}, p50 {:.2}, p99 {:.2} ms", stage.name, stage.mean_ms, stage.p50_ms, stage.p99_ms)
    };
    stages.iter().map(stage).collect::<Vec<_>>().join("\n")
}

/// The least and the most busy of each kind.
fn busy(backends: &[Backend]) -> String {
    let mut lines = Vec::new();
    for kind in ["shard", "primary"] {
        let of_kind = || backends.iter().filter(|backend| backend.name.starts_with(kind));
        let by_busy = |a: &&Backend, b: &&Backend| a.busy.total_cmp(&b.busy);
        if let (Some(least), Some(most)) = (of_kind().min_by(by_busy), of_kind().max_by(by_busy)) {
            let claims: u64 = of_kind().map(|backend| backend.claims).sum();
            let calls: u64 = of_kind().map(|backend| backend.calls).sum();
            let (each, low, high) = (ratio(claims, calls), least.busy * 100.0, most.busy * 100.0);
            lines.push(format!(
                "{kind}: {each:.1} claims a call; under way {low:.0}% of the time ({}) to {high:.0}% ({})",
                least.name, most.name
            ));
        }
    }
    lines.join("\n")
}
