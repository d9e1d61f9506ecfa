//! Proxies as processes.

use std::time::Duration;

use scrip_chaos::testbed::{ProxySpec, Testbed, TestbedSpec, build_proxy, proxy_binary};

use crate::support::{is_alive, soon};

fn proxy(name: &str) -> ProxySpec {
    if proxy_binary().is_none() {
        build_proxy().expect("built");
    }
    ProxySpec::new(name)
}

#[tokio::test]
async fn proxies_start_drain_die_and_return_at_their_address() {
    let testbed = Testbed::start(TestbedSpec::new(2, 2).with_links()).await.expect("started");
    testbed.migrate(&proxy("migrate")).await.expect("migrated");
    let first = testbed.start_proxy(&proxy("proxy-a")).await.expect("started");
    let second = testbed.start_proxy(&proxy("proxy-b")).await.expect("started");
    assert!(!first.admin_get("/metrics").await.expect("metrics").is_empty());
    assert_ne!(first.address(), second.address());

    first.terminate().expect("sent");
    let status = first.wait_exit(Duration::from_secs(20)).await.expect("waited for").expect("it has ended");
    assert!(status.success(), "{status}");
    let address = first.address();
    first.restart().await.expect("restarted");
    assert_eq!(first.address(), address);
    std::net::TcpStream::connect(address).expect("it listens");

    first.kill();
    assert!(!first.is_running() && second.is_running());
    let pid = second.pid().expect("running");
    drop(testbed);
    soon("the proxy goes with the testbed", || !is_alive(pid));
}

#[tokio::test]
async fn a_configuration_that_the_proxy_refuses_is_shown_with_its_words() {
    let testbed = Testbed::start(TestbedSpec::new(1, 1)).await.expect("started");
    let spec = proxy("proxy-a").with_config("no_such_key = 1");
    let error = testbed.start_proxy(&spec).await.expect_err("refused");
    assert!(error.to_string().contains("no_such_key"), "{error}");
}
