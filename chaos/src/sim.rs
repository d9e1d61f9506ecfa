//! Deterministic simulation: the real pipeline of the proxy on model stores, in one thread, in virtual time.
//!
//! A seed decides everything: what there is, what clients and operators want, what breaks and when, how long each message
//! travels, which are lost, in which order tasks run. The same seed gives the same trace, byte for byte.
//!
//! | module | what |
//! |---|---|
//! | [`plan`], [`fault`] | what happens in a run, drawn from the seed |
//! | [`world`], [`shard`], [`primary`], [`meta`] | the models of the stores |
//! | [`wire`], [`stores`] | a call on its way, and the store traits of the pipeline over it |
//! | [`process`], [`fleet`] | proxies that can be stopped and killed |
//! | [`client`], [`order`], [`pack`], [`bulk`], [`code`], [`look`], [`operator`], [`ending`], [`stage`] | who does what |
//! | [`judge`] | the stores, for the oracle |
//! | [`sweep`], [`shrink`], [`pinned`], [`command`] | many seeds; a failing run cut down; runs that went wrong once; the command |
//! | [`mutant`] | stores that leave out a rule, which must be noticed |
//! | [`trace`], [`dice`] | what happened; numbers from a seed |

pub mod bulk;
pub mod client;
pub mod code;
pub mod command;
pub mod dice;
pub mod ending;
pub mod fault;
pub mod fleet;
pub mod judge;
pub mod look;
pub mod meta;
pub mod mutant;
pub mod operator;
pub mod order;
pub mod pack;
pub mod pinned;
pub mod plan;
pub mod primary;
pub mod process;
pub mod shard;
pub mod shrink;
pub mod stage;
pub mod stores;
pub mod sweep;
pub mod trace;
pub mod wire;
pub mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use scrip_shard_config::{Address, Local, StockSpec, Topology, local};

use self::dice::Dice;
use self::mutant::Mutant;
use self::plan::{Plan, Size};
use self::trace::Trace;
use self::world::{Sim, World};

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was wrong.
    pub findings: Vec<String>,
    /// Of the trace.
    pub digest: u64,
    /// Lines of the trace.
    pub lines: u64,
    /// The lines, if they were kept.
    pub trace: Vec<String>,
    /// Faults that struck, by kind.
    pub struck: Vec<&'static str>,
    /// Sends of claims.
    pub sends: u64,
    /// Coupons at the end.
    pub coupons: u64,
    /// Calls that stores carried out.
    pub calls: u64,
    /// Steps that patrols wrote down.
    pub patrol_steps: u64,
    /// Reminders that they made.
    pub reminders: u64,
    /// Virtual time.
    pub virtual_ms: u64,
}

/// Runs a plan. `keep`: the lines of the trace.
///
/// # Panics
/// When no runtime can be made.
pub fn run(plan: &Plan, mutant: Option<Mutant>, keep: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without sockets needs nothing");
    let topology = topology(plan.size);
    let outcome = runtime.block_on(async {
        let world = World::new(Arc::clone(&topology), Dice::apart(plan.seed, 2), Trace::new(keep), mutant);
        let sim = Sim::new(world);
        let stage = stage::Stage::new(plan.clone(), sim.clone(), topology);
        stage::run(stage).await;
        outcome(&sim, plan)
    });
    // Without waiting for tasks: there is no blocking one.
    runtime.shutdown_background();
    outcome
}

fn outcome(sim: &Sim, plan: &Plan) -> Outcome {
    let mut world = sim.world();
    for wrong in judge::check(&mut world, plan) {
        world.find(wrong);
    }
    let virtual_ms = world.at_ms();
    let coupons = world.primaries.iter().map(|primary| primary.data.coupons.len() as u64).sum();
    let trace = std::mem::replace(&mut world.trace, Trace::new(false));
    Outcome {
        findings: std::mem::take(&mut world.findings),
        digest: trace.digest(),
        lines: trace.count(),
        trace: trace.into_lines(),
        struck: std::mem::take(&mut world.struck),
        sends: world.history.sends().len() as u64,
        coupons,
        calls: world.calls,
        patrol_steps: world.patrol_steps,
        reminders: world.reminders,
        virtual_ms,
    }
}

/// A topology of this size; made once in each thread.
fn topology(size: Size) -> Arc<Topology> {
    type Shape = (u16, u16, u16, u16);
    thread_local! {
        static MADE: RefCell<BTreeMap<Shape, Arc<Topology>>> = const { RefCell::new(BTreeMap::new()) };
    }
    let shape = (size.primaries, size.shards, size.sub_stocks_per_shard, size.stripes);
    MADE.with_borrow_mut(|made| Arc::clone(made.entry(shape).or_insert_with(|| Arc::new(make_topology(size)))))
}

fn make_topology(size: Size) -> Topology {
    let address = |port: u16| Address::Tcp { host: "simulated".to_owned(), port };
    let spec = Local {
        version: 1,
        primaries: (0..size.primaries).map(|index| address(3_000 + index)).collect(),
        shards: (0..size.shards).map(|index| address(6_000 + index)).collect(),
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: 32,
        stock: StockSpec { sub_stocks_per_shard: size.sub_stocks_per_shard, stripes: size.stripes },
    };
    Topology::parse(&local(&spec), Path::new("/"), &|_| None).expect("a small topology is well-formed")
}
