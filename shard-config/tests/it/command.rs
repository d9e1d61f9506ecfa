//! The commands of `scrip-shard`, as someone at a terminal sees them.

use std::path::Path;
use std::process::Command;

/// Runs a command in `dir`; gives the exit code, the standard output and the standard error.
fn run(dir: &Path, args: &str) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_scrip-shard"))
        .args(args.split_whitespace())
        .current_dir(dir)
        .env_remove("SCRIP_MYSQL_PASSWORD")
        .output()
        .expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

/// The command succeeds with this output, or fails with code 1 and this error.
fn check(dir: &Path, args: &str, expect: Result<&str, &str>) {
    let (code, out, err) = run(dir, args);
    match expect {
        Ok(expect) => assert_eq!((code, out.as_str(), err.as_str()), (0, expect, ""), "{args}"),
        Err(expect) => assert_eq!((code, out.as_str(), err.as_str()), (1, "", expect), "{args}"),
    }
}

fn golden_dir() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
}

#[test]
fn check_prints_what_the_topology_is() {
    let expect = "\
version      1
fingerprint  5b0de53feb093377e3976fe1fe2e6191
primaries    30, with 0 replicas
meta         p00
shards       6
ring         virtual_nodes 512
stock        sub_stocks_per_shard 1, stripes 2
";
    check(golden_dir(), "check topology.toml", Ok(expect));
}

#[test]
fn check_prints_every_violation() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_, text, _) = run(dir.path(), "local --primaries 1 --shards 1 --password-env SCRIP_MYSQL_PASSWORD");
    std::fs::write(dir.path().join("t.toml"), text.replace("9999", "9998")).expect("a file");
    let gap = "primary: 9999: no primary holds these tails; add them to the tails of one";
    let unset = "line 14: primary_defaults.password: env \"SCRIP_MYSQL_PASSWORD\": \
                 the environment variable is not set; set it, or use { file = \"path\" }";
    let head = "error: the topology t.toml is refused";
    check(dir.path(), "check t.toml", Err(&format!("{head}, 2 to fix:\n{gap}\n{unset}\n")));
    check(dir.path(), "check --skip-secrets t.toml", Err(&format!("{head}, 1 to fix:\n{gap}\n")));
    let absent = "error: cannot read the topology u.toml: No such file or directory (os error 2)\n";
    check(dir.path(), "check u.toml", Err(absent));
}

#[test]
fn route_follows_a_user_and_a_template() {
    let user = "user 1234567  tail 4567  primary p13  127.0.0.1:33073\n";
    check(golden_dir(), "route topology.toml --user 1234567", Ok(user));
    let keys = "\
key stock:7:00  shard s1  127.0.0.1:36791
key stock:7:01  shard s3  127.0.0.1:36793
key stock:7:02  shard s4  127.0.0.1:36794
key stock:7:03  shard s2  127.0.0.1:36792
key stock:7:05  shard s0  127.0.0.1:36790
key stock:7:14  shard s5  127.0.0.1:36795
";
    check(golden_dir(), "route topology.toml --template 7", Ok(keys));
    let key = "key stock:7:14  shard s5  127.0.0.1:36795\n";
    check(golden_dir(), "route topology.toml --template 7 --sub-stock 14", Ok(key));
}

/// Arguments that make no sense end with clap's code 2 and name the argument.
#[test]
fn senseless_arguments_are_refused() {
    let cases = [
        ("route topology.toml", "--user"),
        ("route topology.toml --user 1 --template 1", "--template"),
        ("route topology.toml --user 1 --sub-stock 1", "--sub-stock"),
        ("balance topology.toml --templates 0", "--templates"),
        ("local --primaries 0", "--primaries"),
        ("local --password-env A --password-file b", "--password-file"),
    ];
    for (args, named) in cases {
        let (code, _, err) = run(golden_dir(), args);
        assert!(code == 2 && err.contains(named), "{args}: {code} {err}");
    }
}

#[test]
fn balance_shows_the_spread() {
    let expect = "                                           min        mean       max  max/mean
tails a primary                            333      333.33       334     1.002
keys a shard, 1000 templates              1000     1000.00      1000     1.000
suffixes walked to place a template          6       14.50        51     3.517
";
    check(golden_dir(), "balance topology.toml", Ok(expect));
}

#[test]
fn local_writes_a_topology_that_checks() {
    check(golden_dir(), "local", Ok(include_str!("../golden/topology.toml")));
    let dir = tempfile::tempdir().expect("a directory");
    let args = "local --primaries 3 --shards 2 --sockets /tmp/x --password-file p --out t.toml";
    check(dir.path(), args, Ok("wrote t.toml\n"));
    check(dir.path(), args, Err("error: cannot write t.toml: File exists (os error 17)\n"));
    let user = "user 9999  tail 9999  primary p02  unix:/tmp/x/p02.sock\n";
    check(dir.path(), "route t.toml --user 9999", Ok(user));
}

#[test]
fn local_refuses_what_makes_no_topology() {
    let dir = tempfile::tempdir().expect("a directory");
    let ports = "error: 30 ports from 65530 on go past 65535; choose a lower first port\n";
    check(dir.path(), "local --primary-port 65530", Err(ports));
    let name = "error: these arguments make no topology:\n\
                line 12: primary_defaults.database: \"a-b\": \
                write a name of at most 64 letters, digits and underscores\n";
    check(dir.path(), "local --database a-b", Err(name));
    let (code, _, err) = run(dir.path(), "local --primary-port 5000 --shard-port 5029");
    assert!(code == 1 && err.contains("has this address already"), "{err}");
}
