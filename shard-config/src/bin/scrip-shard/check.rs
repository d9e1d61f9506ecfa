//! `check`: is this file a topology, and which?

use std::path::PathBuf;

use scrip_shard_config::{LoadError, Topology};

/// Check a topology file: print what it is, or everything that is wrong with it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The topology file
    file: PathBuf,
    /// Do not look up the secrets that the file names
    #[arg(long)]
    skip_secrets: bool,
}

pub(crate) fn run(args: &Args) -> Result<String, LoadError> {
    let topology =
        if args.skip_secrets { Topology::load_without_secrets(&args.file) } else { Topology::load(&args.file) }?;
    Ok(summary(&topology))
}

fn summary(topology: &Topology) -> String {
    let replicas: usize = topology.primaries.iter().map(|primary| primary.replicas.len()).sum();
    let rows = [
        ("version", topology.version.to_string()),
        ("fingerprint", topology.fingerprint().to_string()),
        ("primaries", format!("{}, with {replicas} replicas", topology.primaries.len())),
        ("meta", topology.meta.to_string()),
        ("shards", topology.shards.len().to_string()),
        ("ring", format!("virtual_nodes {}", topology.ring.virtual_nodes)),
        (
            "stock",
            format!("sub_stocks_per_shard {}, stripes {}", topology.stock.sub_stocks_per_shard, topology.stock.stripes),
        ),
    ];
    rows.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
}
