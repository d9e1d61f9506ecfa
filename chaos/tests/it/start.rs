//! Servers start, answer, and are distinct.

use std::collections::HashSet;
use std::net::SocketAddr;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use scrip_chaos::testbed::{Database, Flavour, Testbed, TestbedSpec, database_servers_under_test};

async fn identity_of(database: &Database) -> (u32, String) {
    let column = match database.flavour() {
        Flavour::MariaDb => "'-'",
        Flavour::MySql => "@@server_uuid",
    };
    let mut connection = Conn::new(Opts::from(database.options())).await.expect("connected");
    let identity = connection.query_first(format!("SELECT @@server_id, {column}")).await.expect("answered");
    connection.disconnect().await.expect("disconnected");
    identity.expect("a row")
}

#[tokio::test]
async fn three_databases_and_two_shards_answer_and_are_distinct() {
    for program in database_servers_under_test() {
        let spec = TestbedSpec::new(3, 2).with_database_server(program);
        let testbed = Testbed::start(spec).await.expect("started");
        let mut identities = HashSet::new();
        for database in testbed.primaries() {
            assert!(identities.insert(identity_of(database).await), "{}", database.name());
        }
        for shard in testbed.shards() {
            assert_eq!(shard.command("PING", &[]).await.expect("answered"), "PONG");
        }
        let addresses: HashSet<SocketAddr> = testbed
            .primaries()
            .iter()
            .map(Database::address)
            .chain(testbed.shards().iter().map(|s| s.address()))
            .collect();
        assert_eq!(addresses.len(), 5);
    }
}
