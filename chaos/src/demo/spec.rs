//! What to run.

use std::fmt;
use std::path::PathBuf;

use clap::Args;

use super::Error;
use crate::number::grouped;

/// What the demo runs.
#[derive(Debug, Clone, Args)]
pub struct DemoSpec {
    /// Units of stock.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub units: u64,
    /// Claims to send, resends and double clicks included.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub claims: u32,
    /// Users who claim. Each does so at least once.
    #[arg(long, default_value_t = 400_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub users: u32,
    /// Database servers.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub primaries: u16,
    /// Redis servers.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: u16,
    /// Proxies.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub proxies: u16,
    /// Coupons that one user may hold.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
    /// Claims in flight at once.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub in_flight: u32,
    /// Kill one proxy with SIGKILL in the middle of the rush.
    #[arg(long)]
    pub kill_proxy: bool,
    /// Leave everything running afterwards, until Ctrl-C, and say how to talk to it.
    #[arg(long)]
    pub keep: bool,
    /// Write the result as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write everything that was sent and told as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// The database server's program [default: mariadbd or mysqld on PATH].
    #[arg(long, value_name = "PATH")]
    pub database_server: Option<PathBuf>,
    /// The Redis server's program [default: redis-server or valkey-server on PATH].
    #[arg(long, value_name = "PATH")]
    pub redis_server: Option<PathBuf>,
    /// Decides who claims when.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl DemoSpec {
    /// What the ranges of single arguments cannot say.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.claims < self.users {
            return Err(Error::Spec("every user claims once at least: give --claims no less than --users"));
        }
        if self.kill_proxy && self.proxies < 2 {
            return Err(Error::Spec("--kill-proxy needs --proxies 2 or more: somebody has to go on"));
        }
        Ok(())
    }

    /// Whether a server may have to come from the distribution.
    pub(super) fn needs_install(&self) -> bool {
        self.database_server.is_none() || self.redis_server.is_none()
    }
}

impl fmt::Display for DemoSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [claims, users] = [self.claims, self.users].map(|number| grouped(u64::from(number)));
        let Self { primaries, shards, proxies, limit, .. } = self;
        write!(
            f,
            "{claims} claims of {users} users for {} units, at most {limit} a user: {primaries} primaries, {shards} \
             shards, {proxies} proxies",
            grouped(self.units),
        )
    }
}
