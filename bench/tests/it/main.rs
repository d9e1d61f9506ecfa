//! The bench, small, through the real program on real servers.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use scrip_bench::report::Report;
use scrip_chaos::testbed::build_proxy;

/// Runs `scrip-bench` with these arguments on two primaries and one shard for a second.
fn bench(arguments: &[&str], json: &Path) -> Output {
    // Built here and up to date, so that the bench itself does not call cargo.
    build_proxy().expect("built");
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrip-bench"));
    command.args(arguments).args(["--primaries", "2", "--shards", "1", "--warm-up", "300ms", "--duration", "1s"]);
    command.args(["--buffer-pool-mib", "16", "--redo-mib", "16"]).arg("--json").arg(json);
    command.stdin(Stdio::null()).env_remove("CARGO").output().expect("run")
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
    assert_eq!(figures.audit.rows, figures.audit.acknowledged);
    assert!(figures.audit.rows >= figures.coupons && figures.coupons > 0);
    assert_eq!(report.durability["innodb_flush_log_at_trx_commit"], "1");
    assert!(String::from_utf8_lossy(&output.stdout).contains("every count is right"));
}
