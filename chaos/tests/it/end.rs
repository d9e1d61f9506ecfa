//! Nothing is left behind, however the end comes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scrip_chaos::testbed::{Testbed, TestbedSpec};

use crate::support::{is_alive, soon};

/// A `scrip-chaos testbed up`, with the processes and the folder that it told of.
struct Up {
    parent: Child,
    servers: Vec<u32>,
    folder: PathBuf,
}

fn up() -> Up {
    let mut parent = Command::new(env!("CARGO_BIN_EXE_scrip-chaos"))
        .args(["testbed", "up", "--primaries", "2", "--shards", "2"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let lines: Vec<String> = BufReader::new(parent.stdout.take().expect("piped"))
        .lines()
        .map(|line| line.expect("text"))
        .take_while(|line| !line.starts_with("Up in"))
        .collect();
    let is_server =
        |line: &&String| line.trim_start().starts_with("primary-") || line.trim_start().starts_with("shard-");
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let servers = lines.iter().filter(is_server).map(|line| words(line)[3].parse().expect("a process id")).collect();
    let folder = lines.iter().find_map(|line| line.split_once("among them: ")).expect("the folder").1.into();
    Up { parent, servers, folder }
}

fn assert_all_gone(servers: &[u32], folder: &Path) {
    soon("the servers are gone", || !servers.iter().any(|&pid| is_alive(pid)));
    soon("the files are gone", || !folder.exists());
}

#[test]
fn nothing_outlives_a_parent_that_is_killed_or_interrupted() {
    for signal in [Signal::SIGKILL, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let Up { mut parent, servers, folder } = up();
        assert_eq!(servers.len(), 4);
        assert!(servers.iter().all(|&pid| is_alive(pid)) && folder.exists());
        kill(Pid::from_raw(parent.id().cast_signed()), signal).expect("sent");
        let status = parent.wait().expect("waited for");
        assert_eq!(status.success(), signal != Signal::SIGKILL, "{signal}");
        assert_all_gone(&servers, &folder);
    }
}

/// A frozen server is killed as well: SIGKILL does not wait for SIGCONT.
#[test]
fn nothing_outlives_a_panic_on_the_thread_that_started_it() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let panicking = std::thread::spawn(move || {
        let testbed = Testbed::start_blocking(&TestbedSpec::new(1, 1)).expect("started");
        testbed.shard(0).pause().expect("paused");
        let servers = vec![testbed.primary(0).pid().expect("running"), testbed.shard(0).pid().expect("running")];
        sender.send((servers, testbed.folder().to_path_buf())).expect("sent");
        panic!("on purpose");
    });
    panicking.join().expect_err("it panics");
    let (servers, folder) = receiver.recv().expect("received");
    assert!(!servers.iter().any(|&pid| is_alive(pid)), "dropped by the unwinding");
    assert!(!folder.exists());
}

/// The thread that asks for a server may end; the server stays.
#[test]
fn servers_outlive_the_thread_that_started_them() {
    let starting = std::thread::spawn(|| Testbed::start_blocking(&TestbedSpec::new(0, 1)).expect("started"));
    let testbed = starting.join().expect("no panic");
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(testbed.shard(0).is_running());
}
