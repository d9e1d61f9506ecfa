use std::path::Path;

use scrip_shard_config::{Address, Local, PrimaryId, ShardId, StockSpec, Topology, local};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;

fn health() -> Health {
    let address = |port| Address::Tcp { host: "127.0.0.1".to_owned(), port };
    let text = local(&Local {
        version: 1,
        primaries: vec![address(1), address(2)],
        shards: vec![address(3), address(4)],
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    });
    Health::new("proxy-a", &Topology::parse(&text, Path::new(""), &|_| None).expect("good"))
}

const EVERYTHING: [Component; 6] = [
    Component::Serving,
    Component::Templates,
    Component::Primary(PrimaryId(0)),
    Component::Primary(PrimaryId(1)),
    Component::Shard(ShardId(0)),
    Component::Shard(ShardId(1)),
];

/// With only `down` down: `reasons` make it unready, `degraded` do not.
fn check(down: &[Component], reasons: &[&str], degraded: &[&str]) {
    let health = health();
    for component in EVERYTHING {
        health.set(component, Status::Up);
    }
    for component in down {
        health.set(*component, Status::Down("gone".to_owned()));
    }
    let report = health.report();
    let names = |of: &[health::Reason]| of.iter().map(|reason| reason.component.clone()).collect::<Vec<_>>();
    assert_eq!((names(&report.reasons), names(&report.degraded)), (owned(reasons), owned(degraded)));
    assert_eq!(report.ready, reasons.is_empty());
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn one_dead_backend_degrades_and_all_dead_ones_decide() {
    let [serving, templates, p0, p1, s0, s1] = EVERYTHING;
    check(&[], &[], &[]);
    check(&[p0], &[], &["primary p00"]);
    check(&[p0, p1], &["primary p00", "primary p01"], &[]);
    check(&[p0, s0], &[], &["primary p00", "shard s0"]);
    check(&[s0, s1, p1], &["shard s0", "shard s1"], &["primary p01"]);
    check(&[serving], &["serving"], &[]);
    check(&[templates], &["templates"], &[]);
}

#[test]
fn nothing_is_ready_before_it_was_reached() {
    let report = health().report();
    assert!(!report.ready && report.reasons.len() == 6, "{report:?}");
}

#[tokio::test]
async fn the_routes_answer() {
    let health = Arc::new(health());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("address");
    let (stop, stopped) = oneshot::channel::<()>();
    let render: Render = Arc::new(|| "scrip_answers_total 1\n".to_owned());
    let shutdown = async { drop(stopped.await) };
    let server = tokio::spawn(serve(listener, Arc::clone(&health), render, shutdown));
    let answer = get_path(address, "/healthz").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains(r#""ready":false"#), "{answer}");
    for component in EVERYTHING {
        health.set(component, Status::Up);
    }
    let answer = get_path(address, "/healthz").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""name":"proxy-a""#), "{answer}");
    assert!(get_path(address, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(get_path(address, "/metrics").await.ends_with("scrip_answers_total 1\n"));
    assert!(get_path(address, "/").await.starts_with("HTTP/1.1 404"));
    drop(stop);
    server.await.expect("no panic").expect("served");
}

async fn get_path(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[test]
fn the_ready_file_appears_whole() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("proxy-a.ready");
    let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    ready::write(&path, &ready::Ready { listen: address(1), admin_listen: address(2), pid: 3 }).expect("written");
    let expect = r#"{"listen":"127.0.0.1:1","admin_listen":"127.0.0.1:2","pid":3}"#;
    assert_eq!(std::fs::read_to_string(&path).expect("read"), expect);
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
}
