//! The demo, small, through the real program.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scrip_chaos::testbed::{build_proxy, database_servers_under_test};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::soon;

const SERVERS: [&str; 6] = ["--primaries", "3", "--shards", "2", "--proxies", "2"];
const SMALL: [&str; 6] = ["--units", "2000", "--claims", "10000", "--users", "4000"];
/// Long enough to be interrupted.
const LONG: [&str; 6] = ["--units", "50000", "--claims", "2000000", "--users", "100000"];

/// A demo with a folder for temporary files of its own, so that what it leaves behind can be told from others' files.
struct Demo {
    temporary: TempDir,
    command: Command,
}

impl Demo {
    fn new(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_scrip-chaos"));
        command.arg("demo").args(arguments).env("TMPDIR", temporary.path()).stdin(Stdio::null());
        // Built here and up to date, so that the demo itself does not call cargo.
        static BUILT: Once = Once::new();
        BUILT.call_once(|| build_proxy().expect("built"));
        command.env_remove("CARGO");
        Self { temporary, command }
    }

    fn json(&self) -> PathBuf {
        self.temporary.path().join("result.json")
    }

    fn run(&mut self) -> Output {
        self.command.arg("--json").arg(self.temporary.path().join("result.json")).output().expect("run")
    }

    fn assert_nothing_is_left(&self) {
        let folder = self.temporary.path();
        soon("no process of it is left", || !any_process_of(folder));
        soon("no testbed of it is left", || !any_testbed_in(folder));
    }
}

/// Whether the environment of any process names the folder.
fn any_process_of(folder: &Path) -> bool {
    let folder = folder.display().to_string();
    let names = |environment: &[u8]| String::from_utf8_lossy(environment).contains(&folder);
    let processes = fs::read_dir("/proc").expect("a list of processes").flatten();
    processes.filter_map(|entry| fs::read(entry.path().join("environ")).ok()).any(|environment| names(&environment))
}

fn any_testbed_in(folder: &Path) -> bool {
    let users = fs::read_dir(folder).expect("the folder").flatten().filter(|entry| entry.path().is_dir());
    let testbeds = users.filter_map(|user| fs::read_dir(user.path()).ok()).flatten().flatten();
    testbeds.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("bed-"))
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number at {pointer} in {value}"))
}

/// Runs it to its end and checks what it says, on paper and in the file.
fn check(arguments: &[&str]) {
    for server in database_servers_under_test() {
        let server = server.display().to_string();
        let mut demo = Demo::new(&[&SERVERS, &SMALL, arguments, &["--database-server", &server]].concat());
        let output = demo.run();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{server}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("Every promise holds."), "{said}");
        check_report(&fs::read_to_string(demo.json()).expect("the file"));
        demo.assert_nothing_is_left();
    }
}

fn check_report(text: &str) {
    let report: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(number(&report, "/version"), 1);
    assert_eq!(report["held"], true);
    for pointer in ["/counts/coupons", "/counts/issued", "/counts/total_stock", "/audit/coupons"] {
        assert_eq!(number(&report, pointer), 2_000, "{pointer}: {text}");
    }
    assert_eq!(number(&report, "/counts/durable_primaries"), 3);
    assert_eq!(report["promises"].as_array().map(Vec::len), Some(6));
    let answers =
        ["issued", "replayed", "limit_reached", "sold_out"].map(|name| number(&report, &format!("/rush/{name}")));
    let others = report["rush"]["other"].as_array().expect("a list");
    let others: u64 = others.iter().map(|other| number(other, "/count")).sum();
    assert_eq!(answers.iter().sum::<u64>() + others, 10_000, "every claim was answered: {text}");
    assert!(answers.iter().all(|count| *count > 0), "each kind of answer is there: {text}");
}

#[test]
fn the_promises_hold() {
    check(&[]);
}

#[test]
fn the_promises_hold_when_a_proxy_is_killed() {
    check(&["--kill-proxy"]);
}

#[test]
fn a_limit_above_one_holds() {
    check(&["--limit", "2"]);
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    for arguments in [&["--claims", "10", "--users", "11"][..], &["--kill-proxy", "--proxies", "1"]] {
        let output = Demo::new(arguments).command.output().expect("run");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("--"), "{said}");
    }
}

/// At every stage: while servers start, in the rush, and when it is kept.
#[test]
fn ctrl_c_leaves_nothing_behind() {
    let stages = [("claims of", 130, LONG), ("template created", 130, LONG), ("Ctrl-C ends it", 0, SMALL)];
    for (line, code, load) in stages {
        let mut demo = Demo::new(&[&SERVERS, &load, &["--keep"][..]].concat());
        let mut child = demo.command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut lines = lines.map(|line| line.expect("text"));
        assert!(lines.any(|said| said.contains(line)), "{line} is said");
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("sent");
        // Read on, so that it does not wait for its reader.
        drop(lines.collect::<Vec<_>>());
        assert_eq!(child.wait().expect("waited for").code(), Some(code), "{line}");
        demo.assert_nothing_is_left();
    }
}
