//! Curves and rest, small.

use std::fs;

use scrip_bench::curve::Curve;
use scrip_bench::idle::Idle;

use super::{bench, small};

#[test]
fn a_curve_has_a_counted_report_for_each_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, html) = (folder.path().join("curve.json"), folder.path().join("curve.html"));
    let page = html.to_str().expect("a path");
    for (kind, points, sizes) in [("coupons", "0,30000", [0, 30_000]), ("connections", "1,70", [1, 70])] {
        let output = bench(&["curve", kind, "--points", points, "--in-flight", "100", "--html", page], &json);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind}: {said}");
        let curve: Curve = serde_json::from_slice(&fs::read(&json).expect("written")).expect("a curve");
        assert_eq!((curve.curve.as_str(), curve.points.len()), (kind, 2));
        for (point, size) in curve.points.iter().zip(sizes) {
            // Coupons are written in whole transactions: there may be more than were asked for.
            assert!(point.size >= size && point.size < size + 20_000, "{kind}: {}", point.size);
            let figures = &point.report.figures;
            assert!(figures.coupons > 0 && figures.audit.rows == figures.audit.acknowledged, "{kind}: {figures:?}");
        }
        assert!(curve.spread() >= 1.0 && curve.spread().is_finite());
        assert!(fs::read_to_string(&html).expect("written").contains(&format!("CPU time of a claim over {kind}")));
    }
}

#[test]
fn points_that_make_no_curve_are_refused_before_anything_starts() {
    for (arguments, why) in [
        (["curve", "templates", "--points", "10,5"], "ascend"),
        (["curve", "primaries", "--points", "0,5"], "at least 1"),
        (["curve", "primaries", "--points", "1,70000"], "too many"),
    ] {
        let output = small(&arguments).output().expect("run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{arguments:?}: {said}");
    }
}

#[test]
fn a_proxy_at_rest_is_measured_alone_and_with_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("idle.json");
    let output = bench(&["idle", "--connections", "100"], &json);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let idle: Idle = serde_json::from_slice(&fs::read(&json).expect("written")).expect("a report");
    assert_eq!(idle.rests.iter().map(|rest| rest.connections).collect::<Vec<_>>(), [0, 100]);
    for rest in &idle.rests {
        assert!(rest.proxy_resident_mib > 1.0 && rest.proxy_peak_mib >= rest.proxy_resident_mib, "{rest:?}");
        // Two workers at full speed would take 2,000: a proxy that spins is found, whatever else the machine does.
        assert!(rest.proxy_cpu_ms_per_s < 500.0, "{rest:?}");
    }
}
