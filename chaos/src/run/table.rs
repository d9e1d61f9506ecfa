//! The result for people.

use comfy_table::{Table, presets};

use super::budget::definite;
use super::felt::{Group, Stretch};
use super::report::{Report, ScenarioReport};
use crate::number::{grouped, millis};
use crate::screen::Screen;

/// Everything about one scenario; with `briefly`, one line unless a promise is broken.
pub(super) fn print(screen: &Screen, report: &ScenarioReport, briefly: bool) {
    if !briefly || !report.held {
        details(screen, report);
    }
    let verdict = if report.held { "every promise holds" } else { "NOT every promise holds" };
    let counts = &report.counts;
    let (sends, coupons, seconds) = (grouped(counts.sends), grouped(counts.coupons), report.took_ms as f64 / 1_000.0);
    let faults = report.schedule.len();
    let (name, seed) = (report.name, report.seed);
    screen.line(&format!(
        "{name} (seed {seed}): {verdict}; {faults} faults, {sends} sends, {} in doubt, {} asked, {coupons} of {} units, \
         {} lost by fail-over; {} packs, {} archived, {} results of a job, {} uses of codes, {} steps, {} events; {seconds:.1} s",
        grouped(counts.told_unknown + counts.unanswered),
        grouped(counts.asks),
        grouped(counts.total_stock),
        grouped(counts.excused),
        grouped(counts.packs),
        grouped(counts.archived),
        grouped(counts.bulk_results),
        grouped(counts.code_uses),
        grouped(counts.steps),
        grouped(counts.events),
    ));
}

fn details(screen: &Screen, report: &ScenarioReport) {
    screen.line(&format!("\n{}: {}", report.name, report.about));
    for planned in &report.schedule {
        let [from, until] = [planned.from_ms, planned.until_ms].map(|ms| ms as f64 / 1_000.0);
        screen.line(&format!("  {from:>6.2} s to {until:>6.2} s  {}", planned.fault));
    }
    screen.line(&felt(report).to_string());
    for budget in &report.budgets {
        let measured = budget.measured.map_or_else(|| "nothing to measure".to_owned(), |value| format!("{value:.2}"));
        let met = if budget.met { "met" } else { "MISSED" };
        screen.line(&format!("  budget {:<48} {:>10} against {:>8.2}: {met}", budget.what, measured, budget.limit));
    }
    let refusals: Vec<String> =
        report.refusals.iter().map(|(code, count)| format!("{} x {code}", grouped(*count))).collect();
    if !refusals.is_empty() {
        screen.line(&format!("  not served: {}", refusals.join(", ")));
    }
    let memory: Vec<String> = report.measured.proxy_peak_mib.iter().map(u64::to_string).collect();
    screen.line(&format!("  memory of the proxies at most: {} MiB", memory.join(", ")));
    if report.measured.connections_cut > 0 {
        screen.line(&format!("  connections cut at a chosen byte: {}", report.measured.connections_cut));
    }
    if let Some(peak) = report.measured.peak_per_s {
        screen.line(&format!("  peak: {} coupons a second", grouped(peak as u64)));
    }
    for problem in &report.problems {
        screen.line(&format!("  WRONG: {problem}"));
    }
    for violation in &report.violations {
        screen.line(&format!("  WRONG: promise {}: {violation}", violation.promise));
    }
    for finding in &report.audit.findings {
        screen.line(&format!("  WRONG: audit: {finding}"));
    }
    if !report.audit.is_clean() {
        screen.line(&format!("  audit: {}", report.audit.verdict));
    }
}

fn felt(report: &ScenarioReport) -> Table {
    let mut table = Table::new();
    let header = ["who", "when", "claims", "served", "definite", "p50", "p99", "max", "first served", "longest gap"];
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for group in &report.felt {
        rows(&mut table, group);
    }
    table
}

fn rows(table: &mut Table, group: &Group) {
    let first = |us: Option<u64>| us.map_or_else(|| "never".to_owned(), millis);
    let stretches = [
        ("before", &group.before, String::new(), String::new()),
        ("during", &group.during, first(group.first_served_after_strike_us), millis(group.longest_gap_us)),
        ("after", &group.after, first(group.first_served_after_mending_us), String::new()),
    ];
    for (when, stretch, first, gap) in stretches {
        let Stretch { claims, served, .. } = *stretch;
        let share = |part: f64| format!("{:.2} %", 100.0 * part);
        let served = if claims == 0 { "-".to_owned() } else { share(served as f64 / claims as f64) };
        let [p50, p99, max] = [stretch.p50_us, stretch.p99_us, stretch.max_us].map(millis);
        let definite = share(definite(stretch));
        let row = [group.who.to_owned(), when.to_owned(), grouped(claims), served, definite, p50, p99, max, first, gap];
        table.add_row(row);
    }
}

/// The last lines.
pub(super) fn sum(screen: &Screen, report: &Report) {
    let broken: Vec<String> =
        report.scenarios.iter().filter(|s| !s.held).map(|s| format!("{} (seed {})", s.name, s.seed)).collect();
    let missed = report.scenarios.iter().flat_map(|s| &s.budgets).filter(|budget| !budget.met).count();
    let budgets: usize = report.scenarios.iter().map(|s| s.budgets.len()).sum();
    let faults: usize = report.scenarios.iter().map(|s| s.schedule.len()).sum();
    let total = |of: fn(&ScenarioReport) -> u64| grouped(report.scenarios.iter().map(of).sum());
    screen.line(&format!(
        "\n{} runs, {} faults, {} sends, {} in doubt and asked about, {} coupons, {} packs; {} of {budgets} budgets \
         met",
        report.scenarios.len(),
        grouped(faults as u64),
        total(|s| s.counts.sends),
        total(|s| s.counts.told_unknown + s.counts.unanswered),
        total(|s| s.counts.coupons),
        total(|s| s.counts.packs),
        budgets - missed,
    ));
    for failed in &report.failed {
        screen.line(&format!("{} (seed {}) could not be run to its end: {}", failed.name, failed.seed, failed.error));
    }
    match broken.as_slice() {
        [] if !report.failed.is_empty() => screen.line("Not everything could be run to its end."),
        [] => screen.line("Every promise holds."),
        broken => screen.line(&format!("NOT every promise holds: {}", broken.join(", "))),
    }
}
