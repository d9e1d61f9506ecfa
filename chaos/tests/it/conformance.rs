//! What every implementation of the store traits must do: the same test bodies on the real stores and on the models of the
//! simulation. What is found true of the models here is what the simulation builds on.

pub(crate) mod bulk;
pub(crate) mod exchange;
pub(crate) mod meta;
pub(crate) mod patrol;
pub(crate) mod record;
pub(crate) mod stock;

use std::path::Path;
use std::sync::Arc;

use scrip_chaos::sim::dice::Dice;
use scrip_chaos::sim::process::Process;
use scrip_chaos::sim::stores::ModelStores;
use scrip_chaos::sim::trace::Trace;
use scrip_chaos::sim::world::{Sim, World};
use scrip_shard_config::{Address, Local, StockSpec, Topology, local};

/// Models of one shard, one primary and meta, with fine weather.
pub(crate) fn model() -> ModelStores {
    let address = |port| Address::Tcp { host: "simulated".to_owned(), port };
    let text = local(&Local {
        version: 1,
        primaries: vec![address(3000)],
        shards: vec![address(6000)],
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: 8,
        stock: StockSpec::default(),
    });
    let topology = Topology::parse(&text, Path::new("/"), &|_| None).expect("a topology");
    let world = World::new(Arc::new(topology), Dice::new(7), Trace::new(false), None);
    ModelStores::new(Sim::new(world), Process::new(0, Dice::new(8)))
}
