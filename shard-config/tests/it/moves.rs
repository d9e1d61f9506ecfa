//! What a change of the topology moves, and what it must not move.

use scrip_shard_config::{Fingerprint, Local, ShardId, SubStock, Topology, local, stock_key};

use crate::{parse, spec, topology, topology_of};

const KEYS: u32 = 20_000;

fn owners(topology: &Topology) -> Vec<ShardId> {
    (0..KEYS).map(|n| topology.shard_of_key(&stock_key(n / 20, SubStock((n % 20) as u16)))).collect()
}

/// A topology with these shards, and no others.
fn with_shards(ids: &[u16]) -> Topology {
    let text = local(&spec(3, 0));
    let shard = |id| format!("\n[[shard]]\nid = {id}\naddress = \"127.0.0.1:{}\"\n", 20_000 + id);
    parse(&(text + &ids.iter().map(shard).collect::<String>())).expect("a valid topology")
}

/// From `before` to `after`, every key that moves goes to or comes from `changed`, and about a share of them does.
fn check_share(before: &[u16], after: &[u16], changed: u16) {
    let (old, new) = (owners(&with_shards(before)), owners(&with_shards(after)));
    let moved: Vec<_> = old.iter().zip(&new).filter(|(old, new)| old != new).collect();
    for (old, new) in &moved {
        assert!(**old == ShardId(changed) || **new == ShardId(changed), "a key moves from {old} to {new}");
    }
    let share = moved.len() as f64 / f64::from(KEYS);
    let fair = 1.0 / before.len().max(after.len()) as f64;
    assert!((0.8..1.2).contains(&(share / fair)), "{share} of the keys move, {fair} is fair");
}

#[test]
fn a_shard_that_comes_or_goes_moves_its_share() {
    let six = [0, 1, 2, 3, 4, 5];
    check_share(&six, &[0, 1, 2, 3, 4, 5, 6], 6);
    check_share(&six, &[0, 1, 2, 3, 4, 5, 900], 900);
    check_share(&six, &[0, 1, 2, 4, 5], 3);
    check_share(&six, &[1, 2, 3, 4, 5], 0);
    check_share(&[0], &[0, 1], 1);
}

#[test]
fn the_order_of_the_file_moves_nothing() {
    let (one, other) = (with_shards(&[0, 1, 2, 3]), with_shards(&[3, 1, 0, 2]));
    assert_eq!(owners(&one), owners(&other));
    assert_eq!(one.fingerprint(), other.fingerprint());
}

/// Whether the edit changes the fingerprint; no edit of this test moves a key.
fn check_fingerprint(name: &str, edit: impl Fn(&mut Local), changes: bool) {
    let before = topology(30, 6);
    let mut spec = spec(30, 6);
    edit(&mut spec);
    let after = topology_of(&spec);
    assert_eq!(before.fingerprint() != after.fingerprint(), changes, "{name}");
    assert_eq!(owners(&before), owners(&after), "{name}");
}

#[test]
fn addresses_and_names_move_nothing() {
    let address = |text: &str| text.parse().expect("a valid address");
    check_fingerprint("nothing", |_| {}, false);
    check_fingerprint("the address of a primary", |spec| spec.primaries[7] = address("db.example.net:3306"), false);
    check_fingerprint("the address of a shard", |spec| spec.shards[3] = address("unix:/run/s3.sock"), false);
    check_fingerprint("two swapped shards", |spec| spec.shards.swap(0, 1), false);
    check_fingerprint("the database", |spec| spec.database = "other".to_owned(), false);
    check_fingerprint("the user", |spec| spec.user = "other".to_owned(), false);
    check_fingerprint("the cut of new templates", |spec| spec.stock.sub_stocks_per_shard = 2, false);
    check_fingerprint("the version", |spec| spec.version = 2, true);
    check_fingerprint("the tails", |spec| spec.primaries.truncate(29), true);
}

#[test]
fn every_input_of_routing_is_in_the_fingerprint() {
    let text = local(&spec(4, 4));
    let edits = [
        ("nothing", "", ""),
        ("the version", "version = 1", "version = 2"),
        ("meta", "meta = 0", "meta = 1"),
        ("the ring", "virtual_nodes = 512", "virtual_nodes = 511"),
        ("a shard", "[[shard]]\nid = 3", "[[shard]]\nid = 4"),
        ("one tail", "2499\"]", "2498\", \"9999\"]"),
    ];
    let of = |(name, from, to): (&str, &str, &str)| -> Fingerprint {
        let text = if name == "one tail" {
            text.replace(from, to).replace("2500-4999", "2499-4999").replace("7500-9999", "7500-9998")
        } else {
            text.replacen(from, to, 1)
        };
        parse(&text).unwrap_or_else(|violations| panic!("{name}: {violations}")).fingerprint()
    };
    let all: std::collections::HashSet<_> = edits.into_iter().map(of).collect();
    assert_eq!(all.len(), edits.len(), "each edit has a fingerprint of its own");
}

#[test]
fn ids_may_have_holes() {
    let text = local(&spec(3, 2)).replace("[[primary]]\nid = 1", "[[primary]]\nid = 40");
    let topology = parse(&text).expect("a valid topology");
    let ids: Vec<_> = topology.primaries.iter().map(|primary| primary.id.to_string()).collect();
    assert_eq!(ids, ["p00", "p02", "p40"]);
    for primary in &topology.primaries {
        assert_eq!(topology.primary(primary.id).expect("a primary").address, primary.address);
    }
    assert!(topology.primary(scrip_shard_config::PrimaryId(1)).is_none());
    assert!(topology.shard(ShardId(2)).is_none());
}
