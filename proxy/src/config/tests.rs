use std::time::Duration;

use super::*;

/// All that has to be there.
const SMALLEST: &str = r#"
name = "proxy-a"
topology = "topology.toml"
coupon_key = { env = "KEY" }
[[caller]]
name = "demo"
token = { env = "TOKEN" }
"#;

fn env(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("000102030405060708090a0b0c0d0e0f".to_owned()),
        "TOKEN" => Some("a-token-of-twenty-ch".to_owned()),
        "SHORT" => Some("short".to_owned()),
        "OTHER" => Some("another-token-of-some".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, Vec<Violation>> {
    Config::parse(text, Path::new("/etc/scrip"), &env)
}

/// `expect`: each violation's field, with words of its fix.
fn check(text: &str, expect: &[(&str, &str)]) {
    let violations = parse(text).expect_err(text);
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, expect.iter().map(|(field, _)| *field).collect::<Vec<_>>(), "{violations:#?}");
    for (violation, (_, words)) in violations.iter().zip(expect) {
        assert!(violation.fix.contains(words), "{violation}: {words}");
    }
}

#[test]
fn the_smallest_file_takes_every_default() {
    let config = parse(SMALLEST).expect("good");
    assert_eq!(config.topology, Path::new("/etc/scrip/topology.toml"));
    assert_eq!(config.listen.to_string(), "127.0.0.1:7400");
    assert!(config.admin_listen.ip().is_loopback());
    assert_eq!(config.limits.frame_len_max, 65_536);
    assert_eq!(config.limits.deadline_default, Duration::from_millis(500));
    assert_eq!(config.limits.idle_timeout, Some(Duration::from_secs(600)));
    assert_eq!(config.lanes.record_lanes_per_primary.per_primary(30), 1);
    assert_eq!(config.lanes.record_lanes_per_primary.per_primary(7), 2);
    assert_eq!((config.callers.len(), config.callers[0].requests_per_s), (1, None));
    assert!(config.worker_threads >= 1);
}

#[test]
fn every_violation_at_once_by_line() {
    let text = r#"nmae = "proxy-a"
listen = "localhost:7400"
worker_threads = "two"
frame_len_max = "1KiB"
coupon_key = "000102030405060708090a0b0c0d0e0f"
[limits]
frame_len_max = 65536
deadline_default = "500"
idle_timeout = "0s"
batch_rows_max = 0
colour = "red"
[lanes]
record_lanes_per_primary = "two"
[log]
format = "xml"
level = "loud=="
[[caller]]
name = "de mo"
token = { env = "SHORT" }
requests_per_s = 0
[[caller]]
name = "other"
token = { file = "/nonexistent/token" }
[stokc]
"#;
    check(
        text,
        &[
            ("name", "required"),
            ("topology", "required"),
            ("nmae", "did you mean name?"),
            ("listen", "IP:port"),
            ("worker_threads", "1 to 1024"),
            ("frame_len_max", "in the section [limits]"),
            ("coupon_key", "never stands in this file"),
            ("limits.frame_len_max", "1KiB to 16MiB"),
            ("limits.deadline_default", "1ms to 1min"),
            ("limits.idle_timeout", "or none"),
            ("limits.batch_rows_max", "1 to 2048"),
            ("limits.colour", "remove it"),
            ("lanes.record_lanes_per_primary", "auto"),
            ("log.format", "json"),
            ("log.level", "info"),
            ("caller[0].name", "1 to 64"),
            ("caller[0].token", "5 bytes"),
            ("caller[0].requests_per_s", "1 to"),
            ("caller[1].token", "cannot be read"),
            ("stokc", "did you mean stock?"),
        ],
    );
}

#[test]
fn rules_between_keys() {
    let more = r#"
[[caller]]
name = "demo"
token = { env = "TOKEN" }
[limits]
in_flight_max = 10
deadline_default = "2s"
deadline_max = "1s"
frame_len_max = "1MiB"
write_buffer_max = "64KiB"
record_queue_max = 100
[stock]
settle_quiet = "2s"
[record]
lock_wait = "3s"
"#;
    let text = format!("admin_listen = \"127.0.0.1:7400\"\n{SMALLEST}{more}");
    check(
        &text,
        &[
            ("admin_listen", "another port"),
            ("caller[1].name", "another caller"),
            ("caller[1].token", "another caller"),
            ("limits.in_flight_per_connection_max", "at most 10"),
            ("limits.batch_rows_max", "at most 100"),
            ("limits.write_buffer_max", "at least 1MiB"),
            ("limits.deadline_default", "at most 1s"),
            ("stock.settle_quiet", "at most 1s"),
            ("record.lock_wait", "at most 2s"),
        ],
    );
}

#[test]
fn shapes_that_are_none() {
    let no_callers = "name = \"a\"\ntopology = \"t\"\ncoupon_key = { env = \"KEY\" }\n";
    check(no_callers, &[("caller", "[[caller]] section")]);
    check(&format!("{no_callers}caller = []"), &[("caller", "[[caller]] section")]);
    check(&format!("{no_callers}caller = 3"), &[("caller", "two brackets")]);
    check(&format!("limits = 3\n{SMALLEST}"), &[("limits", "[limits]")]);
    check("name = ", &[("(file)", "")]);
    check(&SMALLEST.replace("TOKEN", "NOBODY"), &[("caller[0].token", "NOBODY is not set")]);
    check(&SMALLEST.replace("KEY", "TOKEN"), &[("coupon_key", "openssl rand -hex 16")]);
}

#[test]
fn no_secret_is_ever_shown() {
    let config = parse(SMALLEST).expect("good");
    let shown = format!("{config:?}");
    assert!(!shown.contains("a-token-of-twenty-ch") && !shown.contains("000102"), "{shown}");
    let inline = SMALLEST.replace("{ env = \"TOKEN\" }", "\"inline-secret-token\"").replace("coupon_key", "cuopon_key");
    let shown = format!("{:?}", parse(&inline).expect_err("inline"));
    assert!(!shown.contains("inline-secret") && !shown.contains("000102"), "{shown}");
}

/// The example holds every key with its default, and so reads as the smallest file does.
#[test]
fn the_example_is_the_defaults() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("coupon.key"), "000102030405060708090a0b0c0d0e0f\n").expect("key");
    std::fs::write(folder.path().join("demo.token"), "a-token-of-twenty-ch\n").expect("token");
    let file = folder.path().join("proxy.toml");
    std::fs::write(&file, example()).expect("file");
    let mut config = Config::load(&file).expect("the example is good");
    assert_eq!(config.topology, folder.path().join("topology.toml"));
    config.topology = "/etc/scrip/topology.toml".into();
    assert_eq!(config, parse(SMALLEST).expect("good"));
    let error = Config::load(folder.path().join("absent.toml")).expect_err("absent").to_string();
    assert!(error.contains("absent.toml"), "{error}");
}

/// Also the optional keys of the example, commented out, are good as they stand.
#[test]
fn the_example_is_good_with_everything_switched_on() {
    let text = example().replace("\n# ready_file", "\nready_file").replace("\n# worker_threads", "\nworker_threads");
    let text = text
        .replace("\n# requests_per_s", "\nrequests_per_s")
        .replace("{ file = \"coupon.key\" }", "{ env = \"KEY\" }");
    let config = parse(&text.replace("{ file = \"demo.token\" }", "{ env = \"TOKEN\" }")).expect("good");
    assert_eq!((config.worker_threads, config.callers[0].requests_per_s), (2, Some(100_000)));
    assert_eq!(config.ready_file.as_deref(), Some(Path::new("/etc/scrip/proxy-a.ready")));
}

/// `UPDATE_GOLDEN=1 cargo test -p scrip-proxy golden` rewrites them.
#[test]
fn golden_documents() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    golden(&root.join("examples/proxy.toml"), &example());
    let readme = root.join("README.md");
    let text = std::fs::read_to_string(&readme).expect("README.md");
    let text = between(&text, "config", &markdown());
    golden(&readme, &between(&text, "metrics", &crate::telemetry::metric::markdown()));
}

fn golden(path: &Path, expect: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, expect).expect("write");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expect, "{} is not what the code writes; run with UPDATE_GOLDEN=1", path.display());
}

fn between(text: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = text.split_once(&begin).expect("begin");
    let (_, after) = rest.split_once(&end).expect("end");
    format!("{before}{begin}\n{}\n{end}{after}", content.trim_end())
}
