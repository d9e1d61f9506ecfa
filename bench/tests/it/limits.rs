//! The limits, on ladders of few rungs.

use scrip_bench::limits::file::Limits;

use super::small;

#[test]
fn limits_are_found_and_written_for_the_planner() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("limits.toml");
    let only = "--only=proxy-refusals,primary-writes,primary-reads,shard-calls";
    let mut command = small(&["limits", only, "--warm-up", "100ms", "--duration", "300ms"]);
    // From rung to rung by a factor at which a small machine is soon at its end.
    command.args(["--factor", "12", "--refine", "0"]).arg("--out").arg(&file);
    let output = command.output().expect("run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let limits = Limits::read(&file).expect("limits");
    assert_eq!(limits.durability["innodb_flush_log_at_trx_commit"], "1");
    let names: Vec<&str> = limits.limits.keys().map(String::as_str).collect();
    assert_eq!(names, ["primary_reads", "primary_writes", "proxy_refusals", "shard_calls"]);
    for (name, limit) in &limits.limits {
        assert!(limit.value > 0.0 && limit.per_core > 0.0, "{name}: {limit:?}");
        assert!((limit.plan * limits.headroom - limit.value).abs() < 1e-6 * limit.value, "{name}: {limit:?}");
        assert!(limit.rungs.iter().any(|rung| rung.broke.is_none()), "{name}: {limit:?}");
        assert!(limit.rungs.iter().any(|rung| rung.broke.is_some()), "{name}: {limit:?}");
        assert_eq!((limit.window_ms, limit.proxies), (300, 1), "{name}");
    }
    assert_eq!((limits.limits["primary_writes"].primaries, limits.limits["proxy_refusals"].primaries), (1, 2));
    assert!(limits.limits["primary_writes"].rungs[0].rows_per_transaction >= 1.0);
}
