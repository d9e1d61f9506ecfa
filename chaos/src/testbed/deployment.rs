//! The files of a deployment on this testbed: topology, keys, tokens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use scrip_shard_config::{Address, Local, SecretRef, StockSpec, local};

use super::secret::write_private;
use super::{Error, Secret};

/// The name of the caller that every proxy of a testbed knows.
pub const CALLER: &str = "demo";

const TOPOLOGY: &str = "topology.toml";
const DATABASE_PASSWORD: &str = "database.password";
const REDIS_PASSWORD: &str = "redis.password";
pub(super) const COUPON_KEY: &str = "coupon.key";
pub(super) const CALLER_TOKEN: &str = "demo.token";

/// Where the servers are and how to log in.
pub(super) struct Backends<'a> {
    pub(super) primaries: Vec<SocketAddr>,
    pub(super) shards: Vec<SocketAddr>,
    pub(super) database: &'a str,
    pub(super) database_user: &'a str,
    pub(super) database_password: Option<&'a Secret>,
    pub(super) redis_password: Option<&'a Secret>,
}

/// What the proxies of a testbed have in common.
#[derive(Debug)]
pub(super) struct Deployment {
    folder: PathBuf,
    caller_token: Secret,
}

impl Deployment {
    /// Writes the files into the testbed's folder.
    pub(super) fn write(folder: &Path, backends: &Backends<'_>) -> Result<Self, Error> {
        let caller_token = Secret::random();
        let secrets = [
            (DATABASE_PASSWORD, backends.database_password),
            (REDIS_PASSWORD, backends.redis_password),
            (CALLER_TOKEN, Some(&caller_token)),
            (COUPON_KEY, Some(&Secret::random())),
        ];
        for (name, secret) in secrets {
            if let Some(secret) = secret {
                write_private(&folder.join(name), secret.expose())?;
            }
        }
        write_private(&folder.join(TOPOLOGY), &topology(backends))?;
        Ok(Self { folder: folder.to_path_buf(), caller_token })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn topology_path(&self) -> PathBuf {
        self.folder.join(TOPOLOGY)
    }

    pub(super) fn caller_token(&self) -> &Secret {
        &self.caller_token
    }
}

fn topology(backends: &Backends<'_>) -> String {
    let addresses = |of: &[SocketAddr]| of.iter().map(|address| address_of(*address)).collect();
    local(&Local {
        version: 1,
        primaries: addresses(&backends.primaries),
        shards: addresses(&backends.shards),
        database: backends.database.to_owned(),
        user: backends.database_user.to_owned(),
        password: backends.database_password.map(|_| SecretRef::File(DATABASE_PASSWORD.into())),
        shard_password: backends.redis_password.map(|_| SecretRef::File(REDIS_PASSWORD.into())),
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    })
}

fn address_of(address: SocketAddr) -> Address {
    Address::Tcp { host: address.ip().to_string(), port: address.port() }
}
