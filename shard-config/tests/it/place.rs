//! Placement is perfectly balanced, whatever the template.

use std::collections::HashMap;

use proptest::prelude::*;
use scrip_shard_config::{StockSpec, SubStock, Tail, Topology, stock_key};

use crate::{spec, topology_of};

/// Every shard has exactly `per_shard` of the suffixes, which are the least that do.
fn check(topology: &Topology, template_id: u32, per_shard: u16) {
    let kept = topology.place(template_id).expect("a placement");
    let mut count = HashMap::new();
    for nn in 0..=kept.last().expect("a suffix").0 {
        let owner = topology.shard_of_key(&stock_key(template_id, SubStock(nn)));
        let count = count.entry(owner).or_insert(0);
        let wanted = *count < per_shard;
        *count += u16::from(wanted);
        assert_eq!(wanted, kept.contains(&SubStock(nn)), "template {template_id}, suffix {nn}");
    }
    assert_eq!(count.len(), topology.shards.len());
    assert!(count.values().all(|count| *count == per_shard), "template {template_id}: {count:?}");
}

fn topology(shards: u16, per_shard: u16) -> Topology {
    let mut spec = spec(3, shards);
    spec.virtual_nodes = 128;
    spec.stock = StockSpec { sub_stocks_per_shard: per_shard, stripes: 2 };
    topology_of(&spec)
}

proptest! {
    #[test]
    fn is_balanced(template_id: u32, shards in 1u16..=12, per_shard in 1u16..=16) {
        check(&topology(shards, per_shard), template_id, per_shard);
    }

    #[test]
    fn every_user_has_a_primary(user_id: u64, primaries in 1u16..=40) {
        let topology = crate::topology(primaries, 1);
        let tail = Tail::of_user(user_id);
        let primary = topology.primary(topology.primary_of(tail)).expect("a primary");
        prop_assert!(primary.tails.iter().any(|range| range.contains(&tail.get())));
    }
}

#[test]
fn is_balanced_at_the_limits() {
    for (shards, per_shard) in [(1, 1), (1, 16), (256, 1), (256, 16)] {
        let topology = topology(shards, per_shard);
        for template_id in [0, 1, 7, u32::MAX] {
            check(&topology, template_id, per_shard);
        }
    }
}
