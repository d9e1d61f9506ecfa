//! Deductions on one shard, without a proxy: the function that proxies call, on a real sub-stock.

use fred::clients::Pool;
use fred::interfaces::{ClientLike, FunctionInterface};
use fred::types::Builder;
use fred::types::config::{Config, Server, ServerConfig};
use scrip_chaos::testbed::RedisServer;
use scrip_client::{Client, Failure, TemplateId};
use scrip_shard_config::{SubStock, stock_key};

use crate::Error;
use crate::deployment::Deployment;
use crate::spawned::Requests;

/// The function of the proxies' library; its name and arguments are fixed for proxies of different releases.
const DEDUCT: &str = "scrip_deduct";
const CONNECTIONS: usize = 2;

/// One shard and the keys on it.
pub(crate) struct ShardLoad {
    pool: Pool,
    keys: Vec<String>,
}

impl ShardLoad {
    /// The deployment's first shard, which must be the only one: then every sub-stock is on it.
    pub(crate) async fn open(deployment: &Deployment, client: &Client, template: TemplateId) -> Result<Self, Error> {
        let [shard] = deployment.testbed.shards() else {
            return Err(Error::Arguments("one shard alone is measured".to_owned()));
        };
        let sub_stocks = client.get_template(template).await?.sub_stocks;
        let suffixes = sub_stocks.iter().filter_map(|sub_stock| u16::try_from(*sub_stock).ok().map(SubStock));
        let keys: Vec<String> = suffixes.map(|sub_stock| stock_key(template.get(), sub_stock)).collect();
        if keys.is_empty() {
            return Err(Error::Arguments(format!("template {} has no sub-stock", template.get())));
        }
        Ok(Self { pool: pool(shard, CONNECTIONS).await?, keys })
    }
}

impl Requests for ShardLoad {
    async fn ask(&self, number: u64) -> Result<Result<(), Failure>, Error> {
        let key = self.keys[(number % self.keys.len() as u64) as usize].as_str();
        let answer: Vec<i64> = self.pool.next().fcall(DEDUCT, key, 1).await?;
        match answer[..] {
            [epoch, 1] if epoch > 0 => Ok(Ok(())),
            _ => Err(Error::Void(format!("a deduction was answered with {answer:?}"))),
        }
    }
}

/// Connections to a shard.
pub(crate) async fn pool(shard: &RedisServer, connections: usize) -> Result<Pool, Error> {
    let address = shard.address();
    let server = ServerConfig::Centralized { server: Server::new(address.ip().to_string(), address.port()) };
    let config = Config { server, password: Some(shard.password().expose().to_owned()), ..Config::default() };
    let pool = Builder::from_config(config).build_pool(connections.max(1))?;
    pool.init().await?;
    Ok(pool)
}
