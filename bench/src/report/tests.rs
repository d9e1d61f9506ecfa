use super::*;

pub(in crate::report) fn report(rates: &[f64]) -> Report {
    let subject = Subject {
        path: "proxy".to_owned(),
        workload: "rush".to_owned(),
        load: "closed loop, 20000 in flight".to_owned(),
        primaries: 30,
        shards: 6,
        proxies: 1,
        duration_ms: 10_000,
        warm_up_ms: 3_000,
        settings: BTreeMap::new(),
    };
    let audit = || Audit { verdict: "clean".to_owned(), rows: 5, acknowledged: 5, ..Audit::default() };
    let figures = |rate: &f64| Figures { claims_per_s: *rate, audit: audit(), ..Figures::default() };
    let repeats = rates.iter().map(figures).collect();
    Report::new(subject, "abc".to_owned(), Default::default(), repeats).expect("at least one measurement")
}

#[test]
fn the_median_measurement_stands_for_the_report() {
    let report = report(&[30.0, 10.0, 20.0]);
    assert!((report.figures.claims_per_s - 20.0).abs() < 1e-9);
    assert_eq!(report.spread, Spread { min: 10.0, median: 20.0, max: 30.0 });
}

#[test]
fn the_form_has_the_keys_that_others_read() {
    let json = serde_json::to_value(report(&[1.0])).expect("json");
    for path in [
        "/version",
        "/claims_per_s",
        "/latency_ms/p50",
        "/latency_ms/p99",
        "/latency_ms/p999",
        "/latency_ms/max",
        "/cpu_us_per_claim/client",
        "/cpu_us_per_claim/proxy",
        "/cpu_us_per_claim/redis",
        "/cpu_us_per_claim/mysql",
        "/rows_per_transaction",
        "/audit/oversold",
        "/audit/lost",
        "/audit/duplicate",
        "/audit/unsold",
        "/environment",
        "/durability",
        "/commit",
    ] {
        assert!(json.pointer(path).is_some(), "{path}");
    }
}

#[test]
fn a_written_report_is_read_and_one_of_another_version_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.json");
    let report = report(&[1.0, 2.0]);
    report.write(&path).expect("written");
    assert_eq!(Report::read(&path).expect("read"), report);
    let other = Report { version: VERSION + 1, ..report };
    other.write(&path).expect("written");
    assert!(Report::read(&path).is_err_and(|error| error.to_string().contains(&format!("version {}", VERSION + 1))));
}

#[test]
fn only_like_and_right_reports_are_compared() {
    let old = report(&[100.0]);
    let text = diff::diff(&old, &report(&[110.0])).expect("the same load");
    assert!(text.contains("+10.0%"), "{text}");
    let mut other = report(&[1.0]);
    other.subject.primaries = 1;
    other.subject.workload = "limit".to_owned();
    let refused = diff::diff(&old, &other).expect_err("another load").to_string();
    assert!(refused.contains("primaries") && refused.contains("workload"), "{refused}");
    let mut void = report(&[1.0]);
    void.repeats[0].audit.lost = 1;
    assert!(diff::diff(&old, &void).is_err_and(|error| error.to_string().contains("void")));
}

#[test]
fn each_wrong_count_voids() {
    let right = Audit { verdict: "clean".to_owned(), ..Audit::default() };
    assert_eq!(right.void(), None);
    let wrong: [fn(&mut Audit); 9] = [
        |audit| audit.verdict = "findings".to_owned(),
        |audit| audit.verdict = "incomplete".to_owned(),
        |audit| audit.oversold = 1,
        |audit| audit.lost = 1,
        |audit| audit.duplicate = 1,
        |audit| audit.unsold = 1,
        |audit| audit.foreign = 1,
        |audit| audit.unacknowledged = 1,
        |audit| audit.misread = 1,
    ];
    for (index, spoil) in wrong.iter().enumerate() {
        let mut audit = right.clone();
        spoil(&mut audit);
        assert!(audit.void().is_some(), "{index}");
    }
}

#[test]
fn a_file_of_several_reports_is_shown_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("together.json");
    let together = Together {
        version: VERSION,
        reports: BTreeMap::from([("proxy".to_owned(), report(&[5.0]))]),
        ratios: BTreeMap::from([("reference".to_owned(), 21.5)]),
    };
    together.write(&path).expect("written");
    let shown = show(&[path], None).expect("shown");
    assert!(shown.contains("rush through proxy") && shown.contains("21.50"), "{shown}");
}
