use super::*;
use crate::report::tests::report;
use crate::report::{Quantile, Refusal, Second};

fn full() -> Report {
    let mut report = report(&[100.0]);
    let figures = &mut report.figures;
    figures.window_s = 2.5;
    let second = |answers| Second { answers, p50_ms: 1.0, p99_ms: 20.0, max_ms: 30.0 };
    figures.seconds = vec![second(100), second(200), second(50)];
    figures.latency_curve =
        [(0.0, 0.5), (0.5, 1.0), (0.99, 20.0)].map(|(quantile, ms)| Quantile { quantile, ms }).to_vec();
    figures.refusals = vec![Refusal { code: "SOLD_OUT".to_owned(), count: 7 }];
    report
}

#[test]
fn the_page_shows_every_plot_and_loads_nothing() {
    let report = full();
    let text = page(&[Named { name: "a.json", report: &report }, Named { name: "<b>", report: &report }]);
    for title in ["Latency by percentile", "Throughput over time", "Latency over time", "CPU time by tier", "SOLD_OUT"]
    {
        assert!(text.contains(title), "{title}");
    }
    assert!(text.contains("&lt;b&gt;") && !text.contains("<b>:"), "names are escaped");
    // Namespaces are names and not addresses.
    let addresses = text.replace("http://www.w3.org/2000/svg", "");
    for wrong in ["http:", "https:", "<script", "src=", "@import", "NaN", "inf"] {
        assert!(!addresses.contains(wrong), "{wrong}");
    }
}

#[test]
fn elements_are_closed_in_order() {
    let report = full();
    let text = page(&[Named { name: "a", report: &report }]);
    let mut open = Vec::new();
    for tag in text.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
        } else if !tag.starts_with('!') && !tag.ends_with('/') && name != "meta" {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_rate_counts_by_the_length_of_its_second() {
    let report = full();
    let rates = &throughput(&[Named { name: "a", report: &report }]).series[0].points;
    assert_eq!(rates, &[(0.5, 100.0), (1.5, 200.0), (2.5, 100.0)]);
}

#[test]
fn a_report_without_answers_is_drawn_all_the_same() {
    let report = report(&[0.0]);
    let text = page(&[Named { name: "a", report: &report }]);
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
}

#[test]
fn a_wrong_count_is_said_first() {
    let mut report = full();
    report.repeats[0].audit.lost = 3;
    let text = page(&[Named { name: "a", report: &report }]);
    let (void, figures) = (text.find("VOID").expect("said"), text.find("Figures").expect("there"));
    assert!(void < figures && text.contains("3 acknowledged coupons are lost"));
}
