//! The tests of `scrip-shard-config`, one binary.

mod address;
mod command;
mod example;
mod golden;
mod moves;
mod place;
mod secret;
mod violations;

use std::path::Path;

use scrip_shard_config::{Local, StockSpec, Topology, local};

/// A local topology with this many servers, checked.
pub(crate) fn topology(primaries: u16, shards: u16) -> Topology {
    topology_of(&spec(primaries, shards))
}

pub(crate) fn spec(primaries: u16, shards: u16) -> Local {
    let address = |port: u16| format!("127.0.0.1:{port}").parse().expect("a valid address");
    Local {
        version: 1,
        primaries: (0..primaries).map(|id| address(10_000 + id)).collect(),
        shards: (0..shards).map(|id| address(20_000 + id)).collect(),
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    }
}

pub(crate) fn topology_of(spec: &Local) -> Topology {
    parse(&local(spec)).expect("a valid topology")
}

pub(crate) fn parse(text: &str) -> Result<Topology, scrip_shard_config::Violations> {
    Topology::parse(text, Path::new("."), &|_| None)
}
