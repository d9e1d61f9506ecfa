//! What an operator is told of a primary.

use mysql_async::Row;
use scrip_proxy::store::mysql::Flavour;
use scrip_proxy::store::mysql::check::check_primary;

use super::bed::{Bed, alone_on_each, timeouts};

#[tokio::test]
async fn weak_settings_are_named_with_their_cost() {
    alone_on_each("weak", async |bed: Bed| {
        let primary = &bed.topology.primaries[0];
        let found = check_primary(&bed.topology, primary, timeouts()).await.expect("checked");
        assert!(found.obstacles.is_empty() && found.schema > 0 && found.meta_schema > Some(0), "{found:?}");
        assert_eq!(found.facts.flavour == Flavour::MariaDb, found.facts.version.contains("MariaDB"));
        let strong: Vec<_> = found.warnings.iter().map(|warning| warning.setting).collect();
        assert!(!strong.contains(&"innodb_flush_log_at_trx_commit"), "{strong:?}");
        bed.rows::<Row>("SET GLOBAL innodb_flush_log_at_trx_commit = 2").await;
        bed.run("UPDATE node SET topology_version = 3").await;
        let found = check_primary(&bed.topology, primary, timeouts()).await.expect("checked");
        let weak: Vec<_> = found.warnings.iter().map(|warning| (warning.setting, warning.value.as_str())).collect();
        assert!(weak.contains(&("innodb_flush_log_at_trx_commit", "2")), "{weak:?}");
        assert_eq!(found.obstacles.len(), 1, "{:?}", found.obstacles);
        let nowhere = scrip_shard_config::Primary { database: "scrip_nowhere".to_owned(), ..primary.clone() };
        let refused = check_primary(&bed.topology, &nowhere, timeouts()).await.expect_err("no database").to_string();
        assert!(refused.contains("scrip-proxy migrate"), "{refused}");
    })
    .await;
}
