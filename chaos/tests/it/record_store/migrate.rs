//! Migrations.

use std::sync::Arc;

use scrip_proxy::store::RecordStore;
use scrip_proxy::store::mysql::migrate::{Migrated, migrate};

use super::bed::{Bed, P0, coupon, on_each, timeouts};

#[tokio::test]
async fn migrating_again_changes_nothing_and_two_at_once_agree() {
    on_each("migrate", async |bed: Bed| {
        let mut bed = Bed::on(Arc::clone(&bed.testbed), "migrate_two", 2).await;
        let nothing = Migrated { applied: Vec::new(), version_before: Some(1) };
        for report in migrate(&bed.topology, timeouts()).await {
            assert_eq!(report.outcome, Ok(nothing.clone()));
        }
        for primary in &mut bed.topology.primaries {
            primary.database = primary.database.replace("migrate_two", "migrate_new");
        }
        let reports = tokio::join!(migrate(&bed.topology, timeouts()), migrate(&bed.topology, timeouts()));
        let applied = |reports: &[scrip_proxy::store::mysql::migrate::Report]| -> Vec<String> {
            reports.iter().flat_map(|report| report.outcome.clone().expect("migrated").applied).collect()
        };
        let mut all = [applied(&reports.0), applied(&reports.1)].concat();
        all.sort();
        // Two primaries, one of which holds meta: each step of each part was taken once.
        let count = |part: &str| all.iter().filter(|step| step.starts_with(part)).count();
        let steps = |part: &'static str, times: usize| {
            (1..=count(part) / times).flat_map(move |number| std::iter::repeat_n(format!("{part} {number}"), times))
        };
        let mut expect: Vec<String> = steps("meta", 1).chain(steps("primary", 2)).collect();
        expect.sort();
        assert!(count("meta") > 0 && count("primary") > 0 && all == expect, "{all:?}");
    })
    .await;
}

#[tokio::test]
async fn the_version_of_the_topology_only_rises() {
    on_each("forward", async |bed: Bed| {
        let (newer, store) = bed.at_version(2);
        let refused = store.server(P0).await.expect_err("not yet").to_string();
        assert!(refused.contains("scrip-proxy migrate"), "{refused}");
        let outcome = migrate(&newer, timeouts()).await.remove(0).outcome;
        assert_eq!(outcome, Ok(Migrated { applied: Vec::new(), version_before: Some(1) }));
        store.server(P0).await.expect("at version 2");
        let refused = migrate(&bed.topology, timeouts()).await.remove(0).outcome.expect_err("back").to_string();
        assert!(refused.contains("newer file"), "{refused}");
        bed.run("UPDATE node SET primary_id = 5").await;
        let refused = migrate(&newer, timeouts()).await.remove(0).outcome.expect_err("p05").to_string();
        assert!(refused.contains("primary p00") && refused.contains("it is p05"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_schema_that_nobody_knows_is_refused() {
    on_each("unknown", async |bed: Bed| {
        bed.run("INSERT INTO schema_version (part, version) VALUES ('primary', 900)").await;
        let refused = bed.writer_refusal().await;
        assert!(refused.contains("900") && refused.contains("newer program"), "{refused}");
        let refused = migrate(&bed.topology, timeouts()).await.remove(0).outcome.expect_err("newer").to_string();
        assert!(refused.contains("newer program"), "{refused}");
        bed.run("DELETE FROM schema_version WHERE part = 'primary'").await;
        let refused = bed.writer_refusal().await;
        assert!(refused.contains("scrip-proxy migrate"), "{refused}");
        bed.run("DROP TABLE node").await;
        assert!(bed.writer_refusal().await.contains("scrip-proxy migrate"));
        // A migration that stopped midway is run again.
        for report in migrate(&bed.topology, timeouts()).await {
            report.outcome.expect("migrated");
        }
        bed.open(&[1], 3).await;
        scrip_proxy::store::RecordWriter::record(&mut bed.writer().await, &[coupon(1, 1, 3)]).await.expect("recorded");
    })
    .await;
}
