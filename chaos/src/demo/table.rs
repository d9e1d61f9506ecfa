//! The result for people.

use comfy_table::{Table, presets};

use super::report::{Report, RushReport};
use crate::number::{grouped, millis};
use crate::screen::Screen;

pub(super) fn print(screen: &Screen, report: &Report) {
    screen.line("");
    screen.line(&result(&report.rush).to_string());
    screen.line("");
    screen.line(&promises(report).to_string());
    for violation in &report.violations {
        screen.line(&format!("broken promise {}: {violation}", violation.promise));
    }
    for finding in &report.audit.findings {
        screen.line(&format!("audit: {finding}"));
    }
    for other in &report.rush.other {
        screen.line(&format!("{} x {}: {}", grouped(other.count), other.code, other.example));
    }
    screen.line(&machine(report));
    screen.line(if report.held { "\nEvery promise holds." } else { "\nNOT every promise holds." });
}

fn result(rush: &RushReport) -> Table {
    let latency = &rush.latency_us;
    let [p50, p90, p99, p999, max] = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max].map(millis);
    let other: u64 = rush.other.iter().map(|other| other.count).sum();
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(["result", ""]);
    let seconds = rush.took_ms as f64 / 1_000.0;
    table.add_row(["claims a second", &format!("{} (over {seconds:.1} s)", grouped(rush.claims_per_s))]);
    let first_part = grouped(rush.claims_per_s_while_stock_lasted);
    table.add_row(["", &format!("{first_part} while stock lasted")]);
    table.add_row(["latency", &format!("p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, max {max}")]);
    table.add_row(["", "(from submit to answer, queues in the SDK and all its attempts included)"]);
    let counts = [
        ("issued", rush.issued),
        ("replayed", rush.replayed),
        ("limit reached", rush.limit_reached),
        ("sold out", rush.sold_out),
        ("other", other),
        ("sent again afterwards", rush.follow_up),
    ];
    for (name, count) in counts {
        table.add_row([name, &grouped(count)]);
    }
    table
}

fn promises(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(["promise", "holds", "evidence"]);
    for promise in &report.promises {
        let holds = if promise.holds { "yes" } else { "NO" };
        let mut name = format!("{} {}", promise.number, promise.name);
        let mut holds = holds.to_owned();
        for line in &promise.evidence {
            table.add_row([std::mem::take(&mut name), std::mem::take(&mut holds), line.clone()]);
        }
    }
    let audit = &report.audit;
    let numbers = format!("{} coupons, {} issued on {} primaries", audit.coupons, audit.issued, audit.primaries);
    let holds = if audit.is_clean() { "yes" } else { "NO" };
    table.add_row(["scrip-proxy audit", holds, &format!("{}: {numbers}", audit.verdict)]);
    table
}

fn machine(report: &Report) -> String {
    let environment = &report.environment;
    let debug = if environment.debug_build { "; DEBUG BUILD: the figures say nothing" } else { "" };
    format!(
        "\n{} x {}, {}; {} cores ({}), {} GiB, {}; load, proxies and servers on one machine{debug}",
        report.load.primaries,
        environment.database,
        environment.redis,
        environment.cores,
        environment.processor,
        environment.memory_gib,
        environment.system,
    )
}
