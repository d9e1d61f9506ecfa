//! `balance`: how evenly do users and stock spread?

use std::collections::BTreeMap;
use std::path::PathBuf;

use scrip_shard_config::{Topology, stock_key};

use crate::route::Error;

/// Show how evenly users spread over the primaries, and stock over the shards
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The topology file; its secrets are not looked up
    file: PathBuf,
    /// How many templates to place, with the ids 1, 2, 3, ...
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    templates: u32,
}

pub(crate) fn run(args: &Args) -> Result<String, Error> {
    let topology = Topology::load_without_secrets(&args.file)?;
    let tails = tails_per_primary(&topology);
    let (keys, walks) = place_all(&topology, args.templates)?;
    let mut out = format!("{:<36} {:>9} {:>11} {:>9} {:>9}\n", "", "min", "mean", "max", "max/mean");
    out += &row("tails a primary", &tails);
    out += &row(&format!("keys a shard, {} templates", args.templates), &keys);
    out += &row("suffixes walked to place a template", &walks);
    Ok(out)
}

fn tails_per_primary(topology: &Topology) -> Vec<u64> {
    let mut counts: BTreeMap<_, u64> = topology.primaries.iter().map(|primary| (primary.id, 0)).collect();
    for (_, primary) in topology.tails() {
        *counts.entry(primary).or_default() += 1;
    }
    counts.into_values().collect()
}

/// The keys of each shard, and the suffixes tried for each template.
fn place_all(topology: &Topology, templates: u32) -> Result<(Vec<u64>, Vec<u64>), Error> {
    let mut keys: BTreeMap<_, u64> = topology.shards.iter().map(|shard| (shard.id, 0)).collect();
    let mut walks = Vec::new();
    for template_id in 1..=templates {
        let kept = topology.place(template_id)?;
        walks.extend(kept.last().map(|last| u64::from(last.0) + 1));
        for sub_stock in kept {
            *keys.entry(topology.shard_of_key(&stock_key(template_id, sub_stock))).or_default() += 1;
        }
    }
    Ok((keys.into_values().collect(), walks))
}

fn row(name: &str, counts: &[u64]) -> String {
    let (min, max) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    format!("{name:<36} {min:>9} {mean:>11.2} {max:>9} {:>9.3}\n", *max as f64 / mean)
}
