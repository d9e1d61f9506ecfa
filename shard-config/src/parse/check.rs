//! Compares the parts of a draft with each other, and builds the topology when all is well.

use std::collections::HashMap;

use super::document::Report;
use super::read::{At, Draft, DraftPrimary, DraftShard};
use crate::limits::{PRIMARIES_MAX, RING_POINTS_MAX, SHARDS_MAX, TAIL_RANGES_MAX};
use crate::ring::Ring;
use crate::tails::{TailMap, coverage, format_range};
use crate::topology::{Parts, Routes};
use crate::{Address, Primary, PrimaryId, RingSpec, Shard, ShardId, Topology};

/// The topology, or `None` and at least one violation.
pub(super) fn topology(draft: Draft, report: &mut Report) -> Option<Topology> {
    count("primary", draft.primaries.len(), PRIMARIES_MAX, report);
    count("shard", draft.shards.len(), SHARDS_MAX, report);
    unique_ids(draft.primaries.iter().filter_map(|primary| primary.id.as_ref()), report);
    unique_ids(draft.shards.iter().filter_map(|shard| shard.id.as_ref()), report);
    unique_addresses(&draft, report);
    // Without any primary, that alone is what to say.
    if !draft.primaries.is_empty() {
        meta(&draft, report);
        tails(&draft.primaries, report);
    }
    let ring = ring(&draft, report);
    if !report.is_empty() {
        return None;
    }
    build(draft, ring?)
}

fn count(kind: &str, count: usize, count_max: usize, report: &mut Report) {
    if count > count_max {
        report.add(kind, None, format!("{count} sections"), format!("at most {count_max} are supported; remove some"));
    }
}

fn unique_ids<'a>(ids: impl Iterator<Item = &'a At<u16>>, report: &mut Report) {
    let mut seen: HashMap<u16, &str> = HashMap::new();
    for id in ids {
        if let Some(first) = seen.get(&id.it) {
            let fix = format!("{first} has this id already; give each its own");
            report.add(&id.path, id.place.clone(), id.it.to_string(), fix);
        } else {
            seen.insert(id.it, &id.path);
        }
    }
}

/// One server has one role: two ids behind one address would count the same units twice.
fn unique_addresses(draft: &Draft, report: &mut Report) {
    let of_primaries = draft.primaries.iter().flat_map(|primary| primary.address.iter().chain(&primary.replicas));
    let of_shards = draft.shards.iter().filter_map(|shard| shard.address.as_ref());
    let mut seen: HashMap<&Address, &str> = HashMap::new();
    for address in of_primaries.chain(of_shards) {
        if let Some(first) = seen.get(&address.it) {
            let fix = format!("{first} has this address already; a server has one role");
            report.add(&address.path, address.place.clone(), format!("\"{}\"", address.it), fix);
        } else {
            seen.insert(&address.it, &address.path);
        }
    }
}

fn meta(draft: &Draft, report: &mut Report) {
    let Some(meta) = &draft.meta else { return };
    // A primary whose own id did not parse may be the one that is meant.
    let known = draft.primaries.iter().all(|primary| primary.id.is_some());
    let found = draft.primaries.iter().filter_map(|primary| primary.id.as_ref()).any(|id| id.it == meta.it);
    if known && !found {
        report.add(&meta.path, meta.place.clone(), meta.it.to_string(), "no primary has this id; name one that exists");
    }
}

fn tails(primaries: &[DraftPrimary], report: &mut Report) {
    let fields: Vec<_> = primaries.iter().filter_map(|primary| primary.tails.as_ref()).collect();
    let ranges = fields.iter().flat_map(|field| field.it.iter().map(move |range| (*field, range)));
    let (owners, ranges): (Vec<_>, Vec<_>) = ranges.map(|(field, range)| (field, range.clone())).unzip();
    if ranges.len() > TAIL_RANGES_MAX {
        let fix = format!("at most {TAIL_RANGES_MAX} are supported; join those that touch");
        report.add("primary", None, format!("{} ranges of tails", ranges.len()), fix);
        return;
    }
    let found = coverage(&ranges);
    for (first, second, range) in found.overlaps {
        let fix = format!("{} holds these tails already; leave them in one place", owners[first].path);
        report.add(&owners[second].path, owners[second].place.clone(), format_range(&range), fix);
    }
    if primaries.iter().all(|primary| primary.tails_complete) {
        for gap in found.gaps {
            report.add(
                "primary",
                None,
                format_range(&gap),
                "no primary holds these tails; add them to the tails of one",
            );
        }
    }
}

fn ring(draft: &Draft, report: &mut Report) -> Option<Ring> {
    let virtual_nodes = draft.virtual_nodes.as_ref()?;
    let mut ids: Vec<_> = draft.shards.iter().filter_map(|shard| shard.id.as_ref()).map(|id| ShardId(id.it)).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() || ids.len() > SHARDS_MAX {
        return None;
    }
    let mut refuse = |fix| {
        let value = virtual_nodes.it.to_string();
        report.add(&virtual_nodes.path, virtual_nodes.place.clone(), value, fix);
    };
    let points = ids.len() * usize::from(virtual_nodes.it);
    if points > RING_POINTS_MAX {
        let most = RING_POINTS_MAX / ids.len();
        refuse(format!("with {} shards the ring takes too long to build; write at most {most}", ids.len()));
        return None;
    }
    let ring = Ring::new(ids, virtual_nodes.it);
    for (shard, share) in ring.starved() {
        refuse(format!("{shard} would own only {:.2}% of the ring; raise it", share * 100.0));
    }
    Some(ring)
}

fn build(draft: Draft, ring: Ring) -> Option<Topology> {
    let mut primaries = draft.primaries.into_iter().map(primary).collect::<Option<Vec<_>>>()?;
    let mut shards = draft.shards.into_iter().map(shard).collect::<Option<Vec<_>>>()?;
    primaries.sort_by_key(|primary| primary.id);
    shards.sort_by_key(|shard| shard.id);
    let ranges = primaries.iter().flat_map(|primary| primary.tails.iter().map(|range| (primary.id, range)));
    let tails = TailMap::new(ranges)?;
    Some(Topology::new(Parts {
        version: draft.version?,
        meta: PrimaryId(draft.meta?.it),
        ring: RingSpec { virtual_nodes: draft.virtual_nodes?.it },
        stock: draft.stock,
        routes: Routes { tails, ring },
        primaries,
        shards,
    }))
}

fn primary(draft: DraftPrimary) -> Option<Primary> {
    Some(Primary {
        id: PrimaryId(draft.id?.it),
        address: draft.address?.it,
        tails: draft.tails?.it,
        database: draft.database?,
        user: draft.user?,
        password: draft.password,
        replicas: draft.replicas.into_iter().map(|replica| replica.it).collect(),
    })
}

fn shard(draft: DraftShard) -> Option<Shard> {
    Some(Shard { id: ShardId(draft.id?.it), address: draft.address?.it, user: draft.user, password: draft.password })
}
