//! `route`: where does this user, or this template, go?

use std::path::PathBuf;

use scrip_shard_config::{LoadError, PlaceError, SubStock, Tail, Topology, stock_key};

/// Show where a user or a template goes
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("subject").required(true)))]
pub(crate) struct Args {
    /// The topology file; its secrets are not looked up
    file: PathBuf,
    /// A user id: shows its tail and its primary
    #[arg(long, value_name = "ID", group = "subject")]
    user: Option<u64>,
    /// A template id: shows each sub-stock key that it would get if it were published now, and its shard
    #[arg(long, value_name = "ID", group = "subject")]
    template: Option<u32>,
    /// Show this sub-stock of the template, whether or not it would get it now
    #[arg(long, value_name = "NN", requires = "template", conflicts_with = "user")]
    sub_stock: Option<u16>,
}

/// Why there is no route to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Place(#[from] PlaceError),
}

pub(crate) fn run(args: &Args) -> Result<String, Error> {
    let topology = Topology::load_without_secrets(&args.file)?;
    let user = args.user.map(|user_id| user_route(&topology, user_id));
    let template = args.template.map(|template_id| template_routes(&topology, template_id, args.sub_stock));
    Ok(user.unwrap_or_default() + &template.transpose()?.unwrap_or_default())
}

fn user_route(topology: &Topology, user_id: u64) -> String {
    let tail = Tail::of_user(user_id);
    let id = topology.primary_of(tail);
    let address = topology.primary(id).map(|primary| primary.address.to_string()).unwrap_or_default();
    format!("user {user_id}  tail {tail}  primary {id}  {address}\n")
}

fn template_routes(topology: &Topology, template_id: u32, sub_stock: Option<u16>) -> Result<String, PlaceError> {
    let sub_stocks = match sub_stock {
        Some(number) => vec![SubStock(number)],
        None => topology.place(template_id)?,
    };
    Ok(sub_stocks.iter().map(|sub_stock| key_route(topology, &stock_key(template_id, *sub_stock))).collect())
}

fn key_route(topology: &Topology, key: &str) -> String {
    let id = topology.shard_of_key(key);
    let address = topology.shard(id).map(|shard| shard.address.to_string()).unwrap_or_default();
    format!("key {key}  shard {id}  {address}\n")
}
