use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use scrip_shard_config::{Address, Local, StockSpec, local};
use tempfile::TempDir;

/// A deployment whose servers do not exist.
fn deployment() -> TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("coupon.key", "000102030405060708090a0b0c0d0e0f\n");
    write("demo.token", "a-token-of-twenty-ch\n");
    write("proxy.toml", &scrip_proxy::config::example());
    write("topology.toml", &topology());
    folder
}

fn topology() -> String {
    // Bound and dropped: nobody listens there now.
    let port = || TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let address = || Address::Tcp { host: "127.0.0.1".to_owned(), port: port() };
    local(&Local {
        version: 1,
        primaries: vec![address(), address()],
        shards: vec![address()],
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    })
}

/// Runs a command; its exit code, and whether what it printed has all of `words`.
fn check(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_scrip-proxy"))
        .args(arguments)
        .args(["--config", "proxy.toml"])
        .current_dir(folder)
        .output()
        .expect("it runs");
    let printed = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(code), "{arguments:?}: {printed}");
    for word in words {
        assert!(printed.contains(word), "{arguments:?}: no {word:?} in {printed}");
    }
}

#[test]
fn a_good_configuration_is_described() {
    let words = ["proxy-a on 127.0.0.1:7400", "version 1", "primaries  2", "demo"];
    check(deployment().path(), &["check"], 0, &words);
}

#[test]
fn a_bad_configuration_stops_every_command_and_says_all_that_is_wrong() {
    let folder = deployment();
    std::fs::write(folder.path().join("proxy.toml"), "nmae = \"x\"\n[limits]\nbatch_rows_max = 0\n").expect("written");
    let words = ["did you mean name?", "limits.batch_rows_max", "caller", "coupon_key", "topology"];
    for command in ["check", "run", "migrate"] {
        check(folder.path(), &[command], 1, &words);
    }
    check(folder.path(), &["audit"], 2, &words);
}

#[test]
fn what_cannot_be_reached_is_never_success() {
    let folder = deployment();
    check(
        folder.path(),
        &["check", "--connect"],
        1,
        &["PROBLEM    p00", "PROBLEM    p01", "PROBLEM    s0", "3 problem(s)"],
    );
    check(folder.path(), &["migrate"], 1, &["FAILED", "run it again"]);
    check(folder.path(), &["audit"], 2, &["meta on p00 could not be read"]);
}
