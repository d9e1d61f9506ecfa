//! What surrounds the plots: verdicts, figures, where they were measured.

use super::{Named, escape, put};
use crate::report::figures::Figures;

const STYLE: &str = "body{font-family:sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#222}\
h1{font-size:1.5em}h2{font-size:1.1em;margin:1.6em 0 .4em}svg{max-width:100%;height:auto}\
table{border-collapse:collapse;font-size:.85em}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:right}\
td:first-child,th:first-child{text-align:left}.scroll{overflow-x:auto}\
.void{background:#fdd;border:1px solid #c00;padding:.5em}.right{color:#060}";

/// The whole page. The policy forbids it to load anything.
pub(crate) fn whole(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

/// Is the count right? First of all.
pub(super) fn verdicts(out: &mut String, reports: &[Named<'_>]) {
    for Named { name, report } in reports {
        match report.void() {
            Some(why) => {
                put(out, format_args!("<p class=\"void\"><b>VOID</b> {}: {}</p>\n", escape(name), escape(&why)))
            }
            None => put(out, format_args!("<p class=\"right\">{}: every count is right</p>\n", escape(name))),
        }
        if report.environment.debug_build {
            put(
                out,
                format_args!(
                    "<p class=\"void\">{}: built without optimisation, so these figures say nothing</p>\n",
                    escape(name)
                ),
            );
        }
    }
}

/// One column a report.
pub(super) fn figures(out: &mut String, reports: &[Named<'_>]) {
    type Row = (&'static str, fn(&Figures) -> String);
    let rows: [Row; 15] = [
        ("claims/s", |f| format!("{:.0}", f.claims_per_s)),
        ("new coupons/s", |f| format!("{:.0}", f.coupons_per_s)),
        ("latency p50, ms", |f| format!("{:.2}", f.latency_ms.p50)),
        ("latency p99, ms", |f| format!("{:.2}", f.latency_ms.p99)),
        ("latency p99.9, ms", |f| format!("{:.2}", f.latency_ms.p999)),
        ("latency max, ms", |f| format!("{:.2}", f.latency_ms.max)),
        ("service p99, ms", |f| format!("{:.2}", f.service_ms.p99)),
        ("CPU client, us/claim", |f| format!("{:.2}", f.cpu_us_per_claim.client)),
        ("CPU proxy, us/claim", |f| format!("{:.2}", f.cpu_us_per_claim.proxy)),
        ("CPU Redis, us/claim", |f| format!("{:.2}", f.cpu_us_per_claim.redis)),
        ("CPU MySQL, us/claim", |f| format!("{:.2}", f.cpu_us_per_claim.mysql)),
        ("rows a transaction", |f| format!("{:.1}", f.rows_per_transaction)),
        ("claims a Redis call", |f| format!("{:.1}", f.claims_per_redis_call)),
        ("proxy memory, MiB at most", |f| format!("{:.0}", f.proxy_peak_mib)),
        ("rows / acknowledged", |f| format!("{} / {}", f.audit.rows, f.audit.acknowledged)),
    ];
    let column = |value: &dyn Fn(&Named<'_>) -> String| reports.iter().map(value).collect::<Vec<_>>();
    let mut table = vec![(String::new(), column(&|named| named.name.to_owned()))];
    table.push(("what".to_owned(), column(&|named| subject(named))));
    table.extend(rows.iter().map(|(name, value)| ((*name).to_owned(), column(&|named| value(&named.report.figures)))));
    table.push((
        "repeats: claims/s min, median, max".to_owned(),
        column(&|named| {
            let spread = &named.report.spread;
            format!("{:.0}, {:.0}, {:.0}", spread.min, spread.median, spread.max)
        }),
    ));
    put(out, format_args!("<h2>Figures</h2>\n"));
    render(out, &table);
}

/// Machine, servers, durability, commit.
pub(super) fn backgrounds(out: &mut String, reports: &[Named<'_>]) {
    put(out, format_args!("<h2>Where</h2>\n"));
    let mut table = vec![(String::new(), reports.iter().map(|named| named.name.to_owned()).collect())];
    let column = |value: &dyn Fn(&Named<'_>) -> String| reports.iter().map(value).collect::<Vec<_>>();
    table.push(("commit".to_owned(), column(&|named| named.report.commit.clone())));
    table.push((
        "machine".to_owned(),
        column(&|named| {
            let it = &named.report.environment;
            format!("{} cores, {}, {} MiB", it.cores, it.processor, it.memory_mib)
        }),
    ));
    table.push((
        "system".to_owned(),
        column(&|named| {
            let it = &named.report.environment;
            format!("{}, {}; load before {}", it.system, it.kernel, it.load_before)
        }),
    ));
    table.push((
        "servers".to_owned(),
        column(&|named| format!("{}, {}", named.report.environment.database, named.report.environment.redis)),
    ));
    let settings: std::collections::BTreeSet<&String> =
        reports.iter().flat_map(|named| named.report.durability.keys()).collect();
    for setting in settings {
        let value = |named: &Named<'_>| named.report.durability.get(setting).cloned().unwrap_or_default();
        table.push((setting.clone(), column(&value)));
    }
    render(out, &table);
}

/// The first row is the head.
fn render(out: &mut String, table: &[(String, Vec<String>)]) {
    out.push_str("<div class=\"scroll\"><table>\n");
    for (index, (name, values)) in table.iter().enumerate() {
        let tag = if index == 0 { "th" } else { "td" };
        put(out, format_args!("<tr><{tag}>{}</{tag}>", escape(name)));
        values.iter().for_each(|value| put(out, format_args!("<{tag}>{}</{tag}>", escape(value))));
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}

fn subject(named: &Named<'_>) -> String {
    let it = &named.report.subject;
    format!("{} through {}, {}; {}+{}+{}", it.workload, it.path, it.load, it.primaries, it.shards, it.proxies)
}
