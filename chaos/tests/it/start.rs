//! Servers start, answer, are distinct, and keep secrets.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;

use mysql_async::prelude::Queryable;
use scrip_chaos::testbed::{
    Database, DatabaseSettings, Error, Testbed, TestbedSpec, database_servers_under_test, shared,
};

use crate::support::{connect, connect_with, identity_of};

fn addresses_of(testbed: &Testbed) -> Vec<SocketAddr> {
    let primaries = testbed.primaries().iter().map(Database::address);
    primaries.chain(testbed.shards().iter().map(|shard| shard.address())).collect()
}

#[tokio::test]
async fn servers_answer_and_are_distinct_also_from_those_of_another_testbed() {
    for program in database_servers_under_test() {
        let spec = TestbedSpec::new(3, 2).with_database_server(program);
        let (one, other) = tokio::join!(Testbed::start(spec.clone()), Testbed::start(spec));
        let testbeds = [one.expect("started"), other.expect("started")];
        let mut identities = HashSet::new();
        for database in testbeds.iter().flat_map(Testbed::primaries) {
            assert!(identities.insert(identity_of(database).await), "{}", database.name());
        }
        for shard in testbeds.iter().flat_map(Testbed::shards) {
            assert_eq!(shard.command("PING", &[]).await.expect("answered"), "PONG");
        }
        let addresses: HashSet<SocketAddr> = testbeds.iter().flat_map(addresses_of).collect();
        assert_eq!(addresses.len(), 10);
        let [one, other] = testbeds;
        drop(one);
        assert!(other.primaries().iter().all(Database::is_running), "the end of one testbed is not the other's");
        identity_of(other.primary(0)).await;
    }
}

#[tokio::test]
async fn durability_is_on_and_the_binary_log_is_a_choice() {
    for program in database_servers_under_test() {
        for binlog in [false, true] {
            let mut spec = TestbedSpec::new(1, 0).with_database_server(&program);
            spec.database = DatabaseSettings { binlog, ..DatabaseSettings::default() };
            let testbed = Testbed::start(spec).await.expect("started");
            let settings = "SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog, @@binlog_format";
            let row: Option<(u8, bool, u64, String)> =
                connect(testbed.primary(0)).await.query_first(settings).await.expect("answered");
            let (flush, log_bin, sync_binlog, format) = row.expect("a row");
            assert_eq!((flush, log_bin), (1, binlog));
            assert!(!binlog || (sync_binlog == 1 && format == "ROW"), "{sync_binlog} {format}");
        }
    }
}

#[tokio::test]
async fn the_admin_may_do_what_scrip_may_not() {
    let testbed = shared(TestbedSpec::new(1, 1)).await.expect("started");
    let sql = "SET GLOBAL max_connections = 250";
    connect(testbed.primary(0)).await.query_drop(sql).await.expect_err("scrip is no administrator");
    let mut admin = connect_with(testbed.primary(0).admin_options()).await;
    admin.query_drop(sql).await.expect("the administrator is");
}

#[tokio::test]
async fn no_secret_is_in_a_command_line_or_a_log() {
    let testbed = shared(TestbedSpec::new(1, 1)).await.expect("started");
    let (primary, shard) = (testbed.primary(0), testbed.shard(0));
    for secret in [primary.password().expose(), shard.password().expose()] {
        for pid in [primary.pid(), shard.pid()] {
            let command_line = fs::read(format!("/proc/{}/cmdline", pid.expect("running"))).expect("readable");
            assert!(!String::from_utf8_lossy(&command_line).contains(secret));
        }
        for log in [primary.log_path(), shard.log_path()] {
            assert!(!fs::read_to_string(log).expect("readable").contains(secret));
        }
    }
}

/// Two tests call this: each has a runtime of its own, and the testbed outlives both.
async fn use_the_shared_testbed() {
    let testbed = shared(TestbedSpec::new(1, 1)).await.expect("started");
    identity_of(testbed.primary(0)).await;
    testbed.shard(0).command("PING", &[]).await.expect("answered");
}

#[tokio::test]
async fn a_testbed_is_shared_with_this_test() {
    use_the_shared_testbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_testbed_is_shared_with_this_test_too() {
    use_the_shared_testbed().await;
}

#[tokio::test]
async fn a_server_that_does_not_start_is_shown_with_the_end_of_its_log() {
    let mut spec = TestbedSpec::new(1, 0);
    spec.database.extra_arguments.push("--no-such-option".to_owned());
    let error = Testbed::start(spec).await.expect_err("the option is unknown");
    assert!(matches!(&error, Error::Exited { name, .. } if name == "primary-00"), "{error:?}");
    assert!(error.to_string().contains("no-such-option"), "{error}");
}
