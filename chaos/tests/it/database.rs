//! What can be done to a database server.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use scrip_chaos::testbed::{Error, RestartWith, Testbed, TestbedSpec, database_servers_under_test};

use crate::support::{connect, identity_of, is_alive, run, soon, sum_of_t};

#[tokio::test]
async fn a_database_restarts_with_its_data_an_older_copy_or_nothing() {
    for program in database_servers_under_test() {
        let testbed = Testbed::start(TestbedSpec::new(1, 0).with_database_server(program)).await.expect("started");
        let database = testbed.primary(0);
        let (address, first) = (database.address(), identity_of(database).await);
        run(database, "CREATE TABLE t (n INT PRIMARY KEY)").await;
        run(database, "INSERT INTO t VALUES (1)").await;
        let snapshot = database.snapshot().await.expect("copied");
        run(database, "INSERT INTO t VALUES (2)").await;

        database.kill();
        assert!(!database.is_running());
        database.restart(RestartWith::Data).await.expect("restarted");
        assert_eq!(sum_of_t(database).await, Some(3), "a commit survives SIGKILL");
        assert_eq!(identity_of(database).await, first, "the same data is the same server");

        database.restart(RestartWith::Snapshot(&snapshot)).await.expect("restarted");
        assert_eq!(sum_of_t(database).await, Some(1), "the older copy");
        let second = identity_of(database).await;
        assert_new(&first, &second);

        database.restart(RestartWith::Empty).await.expect("restarted");
        assert_eq!(sum_of_t(database).await, None, "nothing");
        assert_new(&second, &identity_of(database).await);
        assert_eq!(database.address(), address);
    }
}

fn assert_new(before: &(u32, String), after: &(u32, String)) {
    assert_ne!(before.0, after.0, "server_id");
    assert!(before.1 == "-" || before.1 != after.1, "server_uuid");
}

#[tokio::test]
async fn a_paused_database_is_silent_and_goes_on() {
    let testbed = Testbed::start(TestbedSpec::new(1, 0)).await.expect("started");
    let database = testbed.primary(0);
    database.pause().expect("paused");
    assert!(database.is_running());
    let answer = tokio::time::timeout(Duration::from_millis(300), identity_of(database)).await;
    assert!(answer.is_err(), "a frozen server does not answer");
    database.resume().expect("resumed");
    identity_of(database).await;
}

#[tokio::test]
async fn a_stopped_database_refuses_signals_and_returns() {
    let testbed = Testbed::start(TestbedSpec::new(1, 0)).await.expect("started");
    let database = testbed.primary(0);
    run(database, "CREATE TABLE t (n INT PRIMARY KEY)").await;
    let pid = database.pid().expect("running");
    database.stop().await.expect("stopped");
    soon("the process is gone", || !is_alive(pid));
    assert!(matches!(database.pause(), Err(Error::WrongState { .. })));
    database.restart(RestartWith::Data).await.expect("restarted");
    assert_eq!(sum_of_t(database).await, Some(0));
}

#[tokio::test]
async fn a_full_disk_refuses_what_needs_room_and_keeps_what_is_there() {
    for program in database_servers_under_test() {
        let spec = TestbedSpec { small_disks: vec![0], ..TestbedSpec::new(2, 0).with_database_server(program) };
        let testbed = Testbed::start(spec).await.expect("started");
        assert!(matches!(testbed.primary(1).fill_disk().await, Err(Error::WrongState { .. })), "an ordinary disk");
        let database = testbed.primary(0);
        run(database, "CREATE TABLE t (n INT PRIMARY KEY, filler VARCHAR(4000)) CHARACTER SET latin1").await;
        run(database, "INSERT INTO t VALUES (0, '')").await;
        database.fill_disk().await.expect("filled");
        let mut connection = connect(database).await;
        let mut refused = None;
        // What has room beforehand is still taken: pages of the table that are not full.
        for _ in 0..1_000 {
            let insert = "INSERT INTO t SELECT MAX(n) + 1, REPEAT('x', 4000) FROM t";
            if let Err(error) = connection.query_drop(insert).await {
                refused = Some(error.to_string());
                break;
            }
        }
        assert!(refused.as_ref().is_some_and(|refused| refused.contains("full")), "{refused:?}");
        let sum = sum_of_t(database).await;
        assert!(sum.is_some(), "reads go on");
        database.free_disk().await.expect("freed");
        run(database, "INSERT INTO t VALUES (1000000, REPEAT('x', 4000))").await;
        database.kill();
        database.restart(RestartWith::Data).await.expect("restarted");
        assert_eq!(sum_of_t(database).await, sum.map(|sum| sum + 1_000_000), "its data survives the server");
        let pid = database.pid().expect("running");
        drop(testbed);
        soon("the server goes with the testbed", || !is_alive(pid));
    }
}
