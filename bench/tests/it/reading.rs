//! Users who list their coupons, and pages that people look at.

use std::fs;
use std::process::Command;

use scrip_bench::report::Report;

use super::bench;

#[test]
fn every_page_that_users_read_is_right_and_the_report_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, html) = (folder.path().join("read.json"), folder.path().join("read.html"));
    let page = html.to_str().expect("a path");
    let arguments = ["run", "--workload", "read", "--templates", "2", "--repeats", "2", "--connections", "70"];
    let output = bench(&[&arguments[..], &["--in-flight", "32", "--html", page]].concat(), &json);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report = Report::read(&json).expect("a report");
    let figures = &report.figures;
    assert!(figures.reads > 0 && figures.reads == figures.answered && figures.coupons == 0, "{figures:?}");
    // Every user got one coupon of each template before.
    assert_eq!((figures.audit.rows, figures.audit.acknowledged, figures.audit.misread), (40_000, 40_000, 0));
    assert_eq!(report.repeats.len(), 2);
    assert_eq!(figures.seconds.iter().map(|second| second.answers).sum::<u64>(), figures.answered);
    assert!(fs::read_to_string(&html).expect("written").contains("Latency by percentile"));

    let both = folder.path().join("both.html");
    let mut show = Command::new(env!("CARGO_BIN_EXE_scrip-bench"));
    let output = show.arg("show").args([&json, &json]).arg("--html").arg(&both).output().expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&both).expect("written");
    assert_eq!(text.matches("every count is right").count(), 2);
}
