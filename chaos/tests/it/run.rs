//! Scenarios on real processes: correctness fails a test, timings do not. Small and short; the command does the rest.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use scrip_chaos::run::{Bed, RunSpec, all, named, play};
use scrip_chaos::testbed::database_servers_under_test;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    spec: RunSpec,
}

const SMALL: [&str; 9] = ["run", "--primaries", "3", "--shards", "2", "--duration", "2s", "--rate", "200"];

/// Its load would starve the tests that run beside it.
const NOT_HERE: [&str; 1] = ["overload"];

/// What is different on another database server.
const ON_EVERY_DATABASE: [&str; 7] =
    ["killed-primary", "frozen-meta", "primary-fails-over", "refused-writes", "full-disk", "cut-in-commit", "sold-out"];

fn spec(server: Option<PathBuf>) -> RunSpec {
    RunSpec { database_server: server, ..Line::parse_from(SMALL).spec }
}

async fn check(bed: &Arc<Bed>, spec: &RunSpec, name: &str, seed: u64) {
    let scenario = named(name).and_then(|found| found.first().copied()).expect("a scenario");
    let (report, _history) = play(bed, &scenario, spec, seed).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(report.held, "{name}, seed {seed}: {:?} {:?}", report.problems, report.violations);
    assert!(report.counts.sends > 200, "{name}: there was load: {:?}", report.counts);
    assert!(report.counts.deed_sends > 10, "{name}: there were orders: {:?}", report.counts);
    assert!(report.counts.packs >= 8, "{name}: there were packs: {:?}", report.counts);
    assert!(report.counts.archived >= 20, "{name}: a template was archived: {:?}", report.counts);
    assert!(report.counts.bulk_results >= 100, "{name}: a bulk job has ended: {:?}", report.counts);
    assert!(report.counts.code_uses >= 20, "{name}: codes were used: {:?}", report.counts);
    let told = report.counts.coupons + report.counts.bulk_results / 2;
    assert!(report.counts.events >= told, "{name}: claims and expiries were told: {:?}", report.counts);
    assert_eq!(report.counts.unsold, 0, "{name}: every unit is sold: {:?}", report.counts);
    if name == "cut-in-commit" {
        assert!(report.connections_cut() > 0, "connections were cut in mid-transaction");
    }
    if name == "primary-fails-over" {
        assert!(report.counts.excused > 0, "acknowledged coupons were given up, or nothing was tried");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_holds_on_the_first_database() {
    let Some(server) = database_servers_under_test().into_iter().next() else { return };
    let spec = spec(Some(server));
    let bed = Arc::new(Bed::start(&spec).await.expect("started"));
    for scenario in all().iter().filter(|scenario| !NOT_HERE.contains(&scenario.name)) {
        check(&bed, &spec, scenario.name, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_between_databases_holds_on_the_others() {
    for server in database_servers_under_test().into_iter().skip(1) {
        let spec = spec(Some(server));
        let bed = Arc::new(Bed::start(&spec).await.expect("started"));
        for name in ON_EVERY_DATABASE {
            check(&bed, &spec, name, 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_faults_from_fixed_seeds() {
    let spec = RunSpec { duration: std::time::Duration::from_secs(5), ..spec(None) };
    let bed = Arc::new(Bed::start(&spec).await.expect("started"));
    for seed in [1, 2, 3] {
        check(&bed, &spec, "random", seed).await;
    }
}
