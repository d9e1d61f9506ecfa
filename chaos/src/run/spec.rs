//! What to run.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// What the command runs.
#[derive(Debug, Clone, Args)]
pub struct RunSpec {
    /// One scenario by name, `all`, or `random`.
    #[arg(long, default_value = "all", value_name = "NAME")]
    pub scenario: String,
    /// Only says what scenarios there are.
    #[arg(long)]
    pub list: bool,
    /// Decides who claims when, and with `random` which faults strike when.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seeds from A up to B, B left out, one after the other on the same servers.
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with = "seed")]
    pub seeds: Option<Range<u64>>,
    /// How long there is load before stock is sold out: 20s, 1500ms.
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "TIME")]
    pub duration: Duration,
    /// Claims offered in a second, all clients together, from an open loop.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Database servers.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(2..=200))]
    pub primaries: u16,
    /// Redis servers.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(2..=64))]
    pub shards: u16,
    /// Proxies.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(2..=16))]
    pub proxies: u16,
    /// Clients, each with links of its own to every proxy.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub clients: u16,
    /// How long a claim may take.
    #[arg(long, default_value = "500ms", value_parser = duration, value_name = "TIME")]
    pub deadline: Duration,
    /// TOML that is merged into the configuration of every proxy, as in `limits.in_flight_max = 2000`.
    #[arg(long, default_value = "", value_name = "TOML")]
    pub proxy_config: String,
    /// Write the results as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write what was sent and told in the last scenario as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Copy the logs of proxies and servers of a run that breaks a promise into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub keep_logs: Option<PathBuf>,
    /// The database server's program [default: mariadbd or mysqld on PATH].
    #[arg(long, value_name = "PATH")]
    pub database_server: Option<PathBuf>,
    /// The Redis server's program [default: redis-server or valkey-server on PATH].
    #[arg(long, value_name = "PATH")]
    pub redis_server: Option<PathBuf>,
}

impl RunSpec {
    /// The seeds to run, in order.
    pub(super) fn seeds(&self) -> Range<u64> {
        self.seeds.clone().unwrap_or(self.seed..self.seed.saturating_add(1))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_garbage| format!("{text:?} is no time; write it as 20s or 1500ms"))?;
    let time = match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "min" => Duration::from_secs(number.saturating_mul(60)),
        unit => return Err(format!("{unit:?} is no unit of time: ms, s or min")),
    };
    let limits = Duration::from_millis(1)..=Duration::from_secs(3_600);
    if limits.contains(&time) { Ok(time) } else { Err("it must be from 1ms to 60min".to_owned()) }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let numbers = text.split_once("..").and_then(|(from, until)| Some(from.parse().ok()?..until.parse().ok()?));
    match numbers {
        Some(range) if !range.is_empty() => Ok(range),
        Some(_) => Err(format!("{text} holds no seed: the end is left out")),
        None => Err(format!("{text:?} is no range of seeds; write it as 1..201")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit() {
        let cases: [(&str, Option<Duration>); 6] = [
            ("20s", Some(Duration::from_secs(20))),
            ("1500ms", Some(Duration::from_millis(1_500))),
            ("2min", Some(Duration::from_secs(120))),
            ("20", None),
            ("s", None),
            ("0s", None),
        ];
        for (text, expect) in cases {
            assert_eq!(duration(text).ok(), expect, "{text}");
        }
    }

    #[test]
    fn a_range_of_seeds_is_not_empty() {
        assert_eq!(seeds("1..201"), Ok(1..201));
        for text in ["5..5", "7..3", "1-2", "x..2", ""] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }
}
