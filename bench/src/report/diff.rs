//! Two reports side by side.

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use super::{Report, Subject};
use crate::Error;

/// What changed from one report to the other.
///
/// # Errors
/// When they do not measure the same, or when the count of one is wrong.
pub fn diff(old: &Report, new: &Report) -> Result<String, Error> {
    let unlike = unlike(&old.subject, &new.subject);
    if !unlike.is_empty() {
        return Err(Error::Unlike(unlike.join("; ")));
    }
    if let Some(why) = old.void().or_else(|| new.void()) {
        return Err(Error::Unlike(format!("one of them is void: {why}")));
    }
    let mut text = String::new();
    if old.environment.cores != new.environment.cores || old.environment.processor != new.environment.processor {
        text.push_str("ATTENTION: another machine\n");
    }
    if old.durability != new.durability {
        text.push_str("ATTENTION: other settings of the database servers\n");
    }
    Ok(text + &table(old, new).to_string())
}

/// What is not the same.
fn unlike(old: &Subject, new: &Subject) -> Vec<String> {
    let fields = |of: &Subject| {
        [
            ("path", of.path.clone()),
            ("workload", of.workload.clone()),
            ("load", of.load.clone()),
            ("primaries", of.primaries.to_string()),
            ("shards", of.shards.to_string()),
            ("proxies", of.proxies.to_string()),
            ("duration_ms", of.duration_ms.to_string()),
            ("warm_up_ms", of.warm_up_ms.to_string()),
            ("settings", format!("{:?}", of.settings)),
        ]
    };
    let pairs = fields(old).into_iter().zip(fields(new));
    let differing = pairs.filter(|((_, old), (_, new))| old != new);
    differing.map(|((name, old), (_, new))| format!("{name} is {old} and {new}")).collect()
}

fn table(old: &Report, new: &Report) -> Table {
    let (a, b) = (&old.figures, &new.figures);
    let rows = [
        ("claims/s", a.claims_per_s, b.claims_per_s),
        ("latency p50, ms", a.latency_ms.p50, b.latency_ms.p50),
        ("latency p99, ms", a.latency_ms.p99, b.latency_ms.p99),
        ("latency p99.9, ms", a.latency_ms.p999, b.latency_ms.p999),
        ("CPU client, us", a.cpu_us_per_claim.client, b.cpu_us_per_claim.client),
        ("CPU proxy, us", a.cpu_us_per_claim.proxy, b.cpu_us_per_claim.proxy),
        ("CPU Redis, us", a.cpu_us_per_claim.redis, b.cpu_us_per_claim.redis),
        ("CPU MySQL, us", a.cpu_us_per_claim.mysql, b.cpu_us_per_claim.mysql),
        ("rows a transaction", a.rows_per_transaction, b.rows_per_transaction),
        ("claims a Redis call", a.claims_per_redis_call, b.claims_per_redis_call),
        ("proxy memory, MiB", a.proxy_peak_mib, b.proxy_peak_mib),
    ];
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(["", "old", "new", "change"]);
    table.add_row(["commit", &old.commit, &new.commit, ""]);
    for (name, old, new) in rows {
        table.add_row([name.to_owned(), format!("{old:.2}"), format!("{new:.2}"), change(old, new)]);
    }
    table
}

fn change(old: f64, new: f64) -> String {
    if old > 0.0 { format!("{:+.1}%", (new / old - 1.0) * 100.0) } else { String::new() }
}
