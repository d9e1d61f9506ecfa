//! The files of a deployment on this testbed: topology, keys, tokens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use scrip_shard_config::{Address, Local, SecretRef, StockSpec, local_with_replicas};

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
    /// Of each primary.
    pub(super) replicas: Vec<Vec<SocketAddr>>,
    pub(super) shards: Vec<SocketAddr>,
    pub(super) database: &'static str,
    pub(super) database_user: &'static str,
    pub(super) database_password: Option<&'a Secret>,
    pub(super) redis_password: Option<&'a Secret>,
}

/// What the proxies of a testbed have in common.
#[derive(Debug)]
pub(super) struct Deployment {
    folder: PathBuf,
    caller_token: Secret,
    login: Login,
}

/// How proxies log in to the backends.
#[derive(Debug)]
struct Login {
    database: &'static str,
    database_user: &'static str,
    database_password: bool,
    redis_password: bool,
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
        let login = Login {
            database: backends.database,
            database_user: backends.database_user,
            database_password: backends.database_password.is_some(),
            redis_password: backends.redis_password.is_some(),
        };
        write_private(
            &folder.join(TOPOLOGY),
            &topology(&login, &backends.primaries, &backends.shards, &backends.replicas),
        )?;
        Ok(Self { folder: folder.to_path_buf(), caller_token, login })
    }

    /// The same topology with other addresses and without replicas, for one proxy alone.
    pub(super) fn write_topology_of(
        &self,
        proxy: &str,
        primaries: &[SocketAddr],
        shards: &[SocketAddr],
    ) -> Result<PathBuf, Error> {
        let path = self.folder.join(format!("{proxy}.{TOPOLOGY}"));
        write_private(&path, &topology(&self.login, primaries, shards, &[]))?;
        Ok(path)
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

fn topology(login: &Login, primaries: &[SocketAddr], shards: &[SocketAddr], replicas: &[Vec<SocketAddr>]) -> String {
    let addresses = |of: &[SocketAddr]| of.iter().map(|address| address_of(*address)).collect();
    let spec = Local {
        version: 1,
        primaries: addresses(primaries),
        shards: addresses(shards),
        database: login.database.to_owned(),
        user: login.database_user.to_owned(),
        password: login.database_password.then(|| SecretRef::File(DATABASE_PASSWORD.into())),
        shard_password: login.redis_password.then(|| SecretRef::File(REDIS_PASSWORD.into())),
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    };
    let replicas: Vec<_> = replicas.iter().map(|of| addresses(of)).collect();
    local_with_replicas(&spec, &replicas)
}

fn address_of(address: SocketAddr) -> Address {
    Address::Tcp { host: address.ip().to_string(), port: address.port() }
}
