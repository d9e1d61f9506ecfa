//! Writes the topology of a local testbed.

use std::fmt::Write;

use crate::tails::format_range;
use crate::{Address, SecretRef, StockSpec, TAIL_COUNT};

/// What a local topology is made of. Ids are given in the order of the lists, the first primary holds the meta schema,
/// and the tails are split evenly.
#[derive(Clone, Debug)]
pub struct Local {
    /// The version, from 1.
    pub version: u64,
    /// The primaries, 1 to 1000 of them.
    pub primaries: Vec<Address>,
    /// The shards, 1 to 256 of them.
    pub shards: Vec<Address>,
    /// The database on every primary.
    pub database: String,
    /// The user on every primary.
    pub user: String,
    /// The password on every primary.
    pub password: Option<SecretRef>,
    /// The password of every shard.
    pub shard_password: Option<SecretRef>,
    /// Points of each shard on the ring; [`Local::VIRTUAL_NODES`] is a good number for few shards.
    pub virtual_nodes: u16,
    /// How new templates are cut.
    pub stock: StockSpec,
}

impl Local {
    /// Enough points that six shards each own within a few percent of their fair share.
    pub const VIRTUAL_NODES: u16 = 512;
}

/// The text of a topology file. What is wrong with the specification is found when the text is parsed.
#[must_use]
pub fn local(spec: &Local) -> String {
    local_with_replicas(spec, &[])
}

/// The same; `replicas`: of each primary, in the order of the primaries. Primaries without any may be left out at the end.
#[must_use]
pub fn local_with_replicas(spec: &Local, replicas: &[Vec<Address>]) -> String {
    let mut out = String::new();
    // Writing into a `String` cannot fail.
    let _ = write_head(&mut out, spec);
    let _ = write_primaries(&mut out, spec, replicas);
    let _ = write_shards(&mut out, spec);
    out
}

fn write_head(out: &mut String, spec: &Local) -> std::fmt::Result {
    writeln!(out, "version = {}\nmeta = 0\n", spec.version)?;
    writeln!(out, "[ring]\nvirtual_nodes = {}\n", spec.virtual_nodes)?;
    let StockSpec { sub_stocks_per_shard, stripes } = spec.stock;
    writeln!(out, "[stock]\nsub_stocks_per_shard = {sub_stocks_per_shard}\nstripes = {stripes}\n")?;
    writeln!(out, "[primary_defaults]\ndatabase = {}\nuser = {}", quoted(&spec.database), quoted(&spec.user))?;
    write_password(out, spec.password.as_ref())?;
    if spec.shard_password.is_some() {
        writeln!(out, "\n[shard_defaults]")?;
        write_password(out, spec.shard_password.as_ref())?;
    }
    Ok(())
}

fn write_password(out: &mut String, password: Option<&SecretRef>) -> std::fmt::Result {
    match password {
        None => Ok(()),
        Some(SecretRef::Env(name)) => writeln!(out, "password = {{ env = {} }}", quoted(name)),
        Some(SecretRef::File(path)) => writeln!(out, "password = {{ file = {} }}", quoted(&path.to_string_lossy())),
    }
}

fn write_primaries(out: &mut String, spec: &Local, replicas: &[Vec<Address>]) -> std::fmt::Result {
    let count = spec.primaries.len();
    for (id, address) in spec.primaries.iter().enumerate() {
        let first = id * usize::from(TAIL_COUNT) / count;
        let after = (id + 1) * usize::from(TAIL_COUNT) / count;
        writeln!(out, "\n[[primary]]\nid = {id}\naddress = {}", quoted(&address.to_string()))?;
        // More primaries than tails leave some without any; both ends are below 10,000.
        let tails = (first < after).then(|| quoted(&format_range(&(first as u16..=(after - 1) as u16))));
        writeln!(out, "tails = [{}]", tails.unwrap_or_default())?;
        let own: Vec<_> = replicas.get(id).into_iter().flatten().map(|at| quoted(&at.to_string())).collect();
        if !own.is_empty() {
            writeln!(out, "replicas = [{}]", own.join(", "))?;
        }
    }
    Ok(())
}

fn write_shards(out: &mut String, spec: &Local) -> std::fmt::Result {
    for (id, address) in spec.shards.iter().enumerate() {
        writeln!(out, "\n[[shard]]\nid = {id}\naddress = {}", quoted(&address.to_string()))?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
