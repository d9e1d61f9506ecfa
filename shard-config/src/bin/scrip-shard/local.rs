//! `local`: the topology of a testbed on this machine.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use scrip_shard_config::{Address, Local, SecretRef, StockSpec, Topology, Violations, local};

/// Write the topology of a testbed on this machine
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many primaries
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    primaries: u16,
    /// How many shards
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=256))]
    shards: u16,
    /// Port of the first primary on 127.0.0.1; the others follow
    #[arg(long, value_name = "PORT", default_value_t = 33060)]
    primary_port: u16,
    /// Port of the first shard on 127.0.0.1; the others follow
    #[arg(long, value_name = "PORT", default_value_t = 36790)]
    shard_port: u16,
    /// Use Unix sockets in this directory instead of ports: p00.sock, p01.sock, ..., s0.sock, s1.sock, ...
    #[arg(long, value_name = "DIR", conflicts_with_all = ["primary_port", "shard_port"])]
    sockets: Option<PathBuf>,
    /// The database on every primary
    #[arg(long, default_value = "scrip")]
    database: String,
    /// The user on every primary
    #[arg(long, default_value = "scrip")]
    user: String,
    /// The environment variable with the password of that user
    #[arg(long, value_name = "NAME", conflicts_with = "password_file")]
    password_env: Option<String>,
    /// The file with the password of that user
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Points of each shard on the ring
    #[arg(long, value_name = "N", default_value_t = Local::VIRTUAL_NODES)]
    virtual_nodes: u16,
    /// Write to this file, which must not exist, instead of to the standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why no topology was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{count} ports from {first} on go past 65535; choose a lower first port")]
    Ports { first: u16, count: u16 },
    #[error("these arguments make no topology:\n{0}")]
    Invalid(Violations),
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
}

pub(crate) fn run(args: &Args) -> Result<String, Error> {
    let text = local(&spec(args)?);
    Topology::parse_without_secrets(&text).map_err(Error::Invalid)?;
    let Some(path) = &args.out else { return Ok(text) };
    write_new(path, &text).map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(format!("wrote {}\n", path.display()))
}

fn spec(args: &Args) -> Result<Local, Error> {
    let env = args.password_env.clone().map(SecretRef::Env);
    Ok(Local {
        version: 1,
        primaries: addresses(args, args.primaries, args.primary_port, |id| format!("p{id:02}.sock"))?,
        shards: addresses(args, args.shards, args.shard_port, |id| format!("s{id}.sock"))?,
        database: args.database.clone(),
        user: args.user.clone(),
        password: env.or_else(|| args.password_file.clone().map(SecretRef::File)),
        shard_password: None,
        virtual_nodes: args.virtual_nodes,
        stock: StockSpec::default(),
    })
}

fn addresses(args: &Args, count: u16, first: u16, socket: impl Fn(u16) -> String) -> Result<Vec<Address>, Error> {
    if let Some(dir) = &args.sockets {
        return Ok((0..count).map(|id| Address::Unix(dir.join(socket(id)))).collect());
    }
    let port = |id| first.checked_add(id).ok_or(Error::Ports { first, count });
    (0..count).map(|id| Ok(Address::Tcp { host: "127.0.0.1".to_owned(), port: port(id)? })).collect()
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}
