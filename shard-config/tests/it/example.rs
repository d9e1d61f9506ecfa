//! The example topology is one, and every mangled copy of it is refused with a reason or taken.

use std::path::Path;

use proptest::prelude::*;
use scrip_shard_config::{LoadError, Topology};

const EXAMPLE: &str = include_str!("../../examples/topology.toml");

fn parse(text: &str) -> Result<Topology, scrip_shard_config::Violations> {
    Topology::parse_without_secrets(text)
}

#[test]
fn is_a_topology() {
    let topology = parse(EXAMPLE).expect("the example");
    assert_eq!((topology.primaries.len(), topology.shards.len()), (30, 6));
    assert_eq!(topology.primaries[29].replicas.len(), 1);
}

#[test]
fn the_guide_shows_a_topology() {
    let guide = include_str!("../../README.md");
    let (_, rest) = guide.split_once("```toml\n").expect("an example");
    let (text, _) = rest.split_once("```").expect("its end");
    assert_eq!(parse(text).expect("the example").primaries.len(), 2);
}

/// A copy of the example in a directory of its own, with the secret file that it names, loads.
#[test]
fn loads_with_its_secrets() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("topology.toml");
    // The variable that every process of Unix has; to set one of our own would race with other tests.
    std::fs::write(&path, EXAMPLE.replace("SCRIP_MYSQL_PASSWORD", "PATH")).expect("a file");
    let error = Topology::load(&path).expect_err("no secret file yet");
    assert!(matches!(&error, LoadError::Invalid { violations, .. } if violations.len() == 1), "{error}");
    std::fs::write(dir.path().join("redis.password"), "hunter2\n").expect("a file");
    let topology = Topology::load(&path).expect("the example");
    assert_eq!(topology.shards[5].password.as_ref().expect("a password").expose(), "hunter2");
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("t.toml");
    assert!(matches!(Topology::load(&path), Err(LoadError::Read { .. })));
    std::fs::write(&path, [0xff, 0xfe]).expect("a file");
    assert!(matches!(Topology::load(&path), Err(LoadError::NotText { .. })));
    let endless = Path::new("/dev/zero");
    assert!(matches!(Topology::load(endless), Err(LoadError::TooLong { .. })));
}

/// A topology that routes every tail, or a refusal with a reason.
fn check_mangled(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(topology) => prop_assert_eq!(topology.tails().count(), 10_000),
        Err(violations) => {
            prop_assert!(violations.len() > 0);
            prop_assert_eq!(violations.to_string().lines().count(), violations.len());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn without_a_line(line in 0..EXAMPLE.lines().count()) {
        let kept = EXAMPLE.lines().enumerate().filter(|(index, _)| *index != line).map(|(_, text)| text);
        check_mangled(&kept.collect::<Vec<_>>().join("\n"))?;
    }

    #[test]
    fn cut_anywhere(at in 0..EXAMPLE.len()) {
        check_mangled(&EXAMPLE[..at])?;
    }

    #[test]
    fn with_a_value_replaced(
        line in 0..EXAMPLE.lines().count(),
        value in "(-?[0-9]{1,20}|\"[ -!#-\\[\\]-~]{0,12}\"|\\[\\]|\\{\\}|true|1\\.5|1979-05-27|\\[\"0000-9999\"\\]|nan)",
    ) {
        let mut lines: Vec<_> = EXAMPLE.lines().map(str::to_owned).collect();
        if let Some((key, _)) = lines[line].split_once('=') {
            lines[line] = format!("{key}= {value}");
        }
        check_mangled(&lines.join("\n"))?;
    }

    #[test]
    fn with_anything_inserted(at in 0..EXAMPLE.len(), text in "\\PC{0,8}") {
        check_mangled(&format!("{}{text}{}", &EXAMPLE[..at], &EXAMPLE[at..]))?;
    }
}
