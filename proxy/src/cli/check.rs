//! `scrip-proxy check`: what the configuration and the topology mean.

use std::fmt::Write;

use scrip_shard_config::Topology;

use crate::config::Config;
use crate::store::redis::stream_name;

/// What was found, a line each.
#[must_use]
pub fn describe(config: &Config, topology: &Topology) -> String {
    let lanes = config.lanes.record_lanes_per_primary.per_primary(topology.primaries.len());
    let callers: Vec<&str> = config.callers.iter().map(|caller| caller.name.as_str()).collect();
    let mut text = String::new();
    let _ = writeln!(text, "proxy      {} on {}, admin on {}", config.name, config.listen, config.admin_listen);
    let _ = writeln!(text, "threads    {}", config.worker_threads);
    let _ = writeln!(text, "callers    {}", callers.join(", "));
    let _ = writeln!(text, "topology   version {} from {}", topology.version, config.topology.display());
    let _ = writeln!(
        text,
        "primaries  {}, {lanes} record lane(s) each, meta on {}",
        topology.primaries.len(),
        topology.meta
    );
    let _ = writeln!(
        text,
        "shards     {}, {} sub-stock(s) each",
        topology.shards.len(),
        topology.stock.sub_stocks_per_shard
    );
    if config.events.enabled {
        text.push_str(&streams(config, topology));
    }
    if !config.admin_listen.ip().is_loopback() {
        let _ = writeln!(text, "note       admin_listen has no authentication and is not on loopback");
    }
    text
}

/// Where consumers find the streams of events.
fn streams(config: &Config, topology: &Topology) -> String {
    let mut text = String::new();
    for shard in &topology.shards {
        let names = (0..config.events.streams).filter_map(|stream| u16::try_from(stream).ok()).map(stream_name);
        let names: Vec<String> = names.filter(|name| topology.shard_of_key(name) == shard.id).collect();
        if !names.is_empty() {
            let _ = writeln!(text, "events     on {} ({}): {}", shard.id, shard.address, names.join(" "));
        }
    }
    text
}
