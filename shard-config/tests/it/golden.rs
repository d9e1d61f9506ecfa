//! The routes of one fixed topology, committed as data.
//!
//! The data was computed by another program, from the descriptions in the source alone. A test here that fails says
//! that users and stock would be looked for where they are not. Do not regenerate the data: correct the code.

use scrip_shard_config::{Tail, Topology, stock_key};

fn topology() -> Topology {
    crate::parse(include_str!("../golden/topology.toml")).expect("the golden topology")
}

/// Runs `check` on each row of a CSV file but the first, which names the columns; the last comma separates.
fn check_rows(csv: &str, rows_min: usize, check: impl Fn(&str, &str)) {
    let rows: Vec<_> = csv.lines().skip(1).collect();
    assert!(rows.len() >= rows_min, "only {} rows", rows.len());
    for row in rows {
        let (input, expect) = row.rsplit_once(',').expect("a comma");
        check(input, expect);
    }
}

#[test]
fn tails() {
    let topology = topology();
    check_rows(include_str!("../golden/tails.csv"), 30, |range, expect| {
        let (first, last) = range.split_once(',').expect("two tails");
        let number = |text: &str| text.parse::<u16>().expect("a tail");
        for tail in number(first)..=number(last) {
            let tail = Tail::try_new(tail).expect("a tail");
            assert_eq!(topology.primary_of(tail).to_string(), expect, "tail {tail}");
        }
    });
}

#[test]
fn keys() {
    let topology = topology();
    check_rows(include_str!("../golden/keys.csv"), 300, |key, expect| {
        assert_eq!(topology.shard_of_key(key).to_string(), expect, "key {key:?}");
    });
}

#[test]
fn places() {
    let topology = topology();
    check_rows(include_str!("../golden/places.csv"), 39, |template, expect| {
        let kept = topology.place(template.parse().expect("a template id")).expect("a placement");
        let kept = kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(kept, expect, "template {template}");
    });
}

#[test]
fn fingerprint() {
    let expect = include_str!("../golden/fingerprint.txt").trim_end();
    assert_eq!(topology().fingerprint().to_string(), expect);
}

#[test]
fn names() {
    use scrip_shard_config::{PrimaryId, ShardId, SubStock};
    let cases = [
        (PrimaryId(0).to_string(), "p00"),
        (PrimaryId(7).to_string(), "p07"),
        (PrimaryId(123).to_string(), "p123"),
        (ShardId(3).to_string(), "s3"),
        (SubStock(3).to_string(), "03"),
        (stock_key(42, SubStock(0)), "stock:42:00"),
        (stock_key(u32::MAX, SubStock(65535)), "stock:4294967295:65535"),
        (Tail::of_user(10_007).to_string(), "0007"),
        (Tail::of_user(u64::MAX).to_string(), "1615"),
    ];
    for (name, expect) in cases {
        assert_eq!(name, expect);
    }
}

#[test]
fn the_written_local_topology_is_the_golden_one() {
    let mut spec = crate::spec(30, 6);
    let address = |port: u16| format!("127.0.0.1:{port}").parse().expect("a valid address");
    spec.primaries = (0..30).map(|id| address(33060 + id)).collect();
    spec.shards = (0..6).map(|id| address(36790 + id)).collect();
    assert_eq!(scrip_shard_config::local(&spec), include_str!("../golden/topology.toml"));
}
