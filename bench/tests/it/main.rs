//! The bench, small, through the real program on real servers.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use scrip_bench::report::Report;
use scrip_chaos::testbed::build_proxy;
use serde_json::Value;

mod curves;
mod limits;
mod reading;

/// Runs `scrip-bench` with these arguments on two primaries and one shard for less than a second.
fn bench(arguments: &[&str], json: &Path) -> Output {
    let mut command = small(arguments);
    command.args(["--warm-up", "300ms", "--duration", "700ms"]).arg("--json").arg(json);
    command.output().expect("run")
}

/// `scrip-bench` with these arguments on two primaries and one shard.
fn small(arguments: &[&str]) -> Command {
    // Built here and up to date, so that the bench itself does not call cargo.
    build_proxy().expect("built");
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrip-bench"));
    command.args(arguments).args(["--primaries", "2", "--shards", "1", "--buffer-pool-mib", "16", "--redo-mib", "16"]);
    command.stdin(Stdio::null()).env_remove("CARGO");
    command
}

#[test]
fn a_small_run_is_measured_and_every_count_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("report.json");
    let output = bench(&["run", "--workload", "rush", "--in-flight", "200"], &json);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report = Report::read(&json).expect("a report");
    let figures = &report.figures;
    assert!(figures.claims_per_s > 0.0 && figures.latency_ms.p50 > 0.0, "{figures:?}");
    assert!(figures.rows_per_transaction >= 1.0 && figures.claims_per_redis_call >= 1.0, "{figures:?}");
    assert!(figures.cpu_us_per_claim.mysql > 0.0 && figures.proxy_peak_mib > 1.0, "{figures:?}");
    let stages: Vec<&str> = figures.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(stages, ["stock_queue", "stock_call", "record_queue", "record_call", "whole"]);
    // What a claim waits for is what it takes in all, but for what is done between the stages.
    let (whole, parts) = figures.stages.split_last().expect("stages");
    let sum: f64 = parts.iter().map(|stage| stage.mean_ms).sum();
    assert!(sum > 0.0 && sum < whole.mean_ms * 1.5, "{:?}", figures.stages);
    let names: Vec<&str> = figures.backends.iter().map(|backend| backend.name.as_str()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(figures.audit.rows, figures.audit.acknowledged);
    assert!(figures.audit.rows >= figures.coupons && figures.coupons > 0);
    assert_eq!(report.durability["innodb_flush_log_at_trx_commit"], "1");
    assert!(String::from_utf8_lossy(&output.stdout).contains("every count is right"));
}

#[test]
fn proxy_ceiling_and_reference_are_compared_on_the_same_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("together.json");
    let small = ["--in-flight", "200", "--batch", "64", "--reference-in-flight", "16", "--mysql-pool", "2"];
    let output = bench(&[&["compare"][..], &small[..]].concat(), &json);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let together: Value = serde_json::from_slice(&fs::read(&json).expect("written")).expect("json");
    for way in ["proxy", "ceiling of 64 rows", "reference"] {
        let report = &together["reports"][way];
        assert!(report["claims_per_s"].as_f64() > Some(0.0), "{way}: {report}");
        assert_eq!(report["audit"]["rows"], report["audit"]["acknowledged"], "{way}");
        assert_eq!(report["audit"]["verdict"], "clean", "{way}");
    }
    assert_eq!(together["reports"]["ceiling of 64 rows"]["rows_per_transaction"], 64.0);
    assert!(together["ratios"]["reference"].as_f64() > Some(0.0));
}
