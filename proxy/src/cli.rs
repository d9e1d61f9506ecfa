//! The commands of `scrip-proxy`.

pub mod audit;
pub mod check;
pub mod connect;
pub mod migrate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The proxy of scrip: takes claims, counts exactly.
#[derive(Debug, Parser)]
#[command(name = "scrip-proxy", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves until SIGTERM or SIGINT, then drains; a second signal ends it at once.
    Run(ConfigFile),
    /// Checks the configuration and the topology, and says what they mean.
    Check {
        /// Which.
        #[command(flatten)]
        config: ConfigFile,
        /// Asks every backend as well.
        #[arg(long)]
        connect: bool,
    },
    /// Brings the schema of every primary to the version of this proxy.
    Migrate(ConfigFile),
    /// Checks the promises against the stores. Exit code 0: all hold; 1: findings; 2: could not be audited.
    Audit {
        /// Which.
        #[command(flatten)]
        config: ConfigFile,
        /// Writes the report as JSON as well.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Looks for every registered file of the archive in this folder, and whether it is whole.
        #[arg(long, value_name = "DIR")]
        archive: Option<PathBuf>,
    },
}

/// The configuration file.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration file; every key is in the guide.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}
