//! CPU time and memory, as the operating system accounts for them.

use std::fs;
use std::ops::{AddAssign, Sub};
use std::time::Duration;

use crate::Error;

/// Length of a tick in `/proc/PID/stat`: USER_HZ is 100 on every machine that Rust's Linux targets run on.
const TICK: Duration = Duration::from_millis(10);

/// Which processes belong to which tier; the client is this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tiers {
    pub(crate) proxies: Vec<u32>,
    pub(crate) redis: Vec<u32>,
    pub(crate) mysql: Vec<u32>,
}

/// CPU time by tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CpuTimes {
    pub(crate) client: Duration,
    pub(crate) proxy: Duration,
    pub(crate) redis: Duration,
    pub(crate) mysql: Duration,
}

impl Tiers {
    /// CPU time since each process began.
    pub(crate) fn read(&self) -> Result<CpuTimes, Error> {
        let sum = |pids: &[u32]| {
            pids.iter().try_fold(Duration::ZERO, |sum, pid| Ok::<_, Error>(sum + cpu_time(&pid.to_string())?))
        };
        Ok(CpuTimes {
            client: cpu_time("self")?,
            proxy: sum(&self.proxies)?,
            redis: sum(&self.redis)?,
            mysql: sum(&self.mysql)?,
        })
    }

    /// The most memory that any proxy ever had resident, in MiB.
    pub(crate) fn proxy_peak_mib(&self) -> Result<f64, Error> {
        self.proxy_mib("VmHWM:")
    }

    /// The most memory that any proxy has resident now, in MiB.
    pub(crate) fn proxy_resident_mib(&self) -> Result<f64, Error> {
        self.proxy_mib("VmRSS:")
    }

    fn proxy_mib(&self, field: &str) -> Result<f64, Error> {
        let sizes: Vec<u64> = self.proxies.iter().map(|pid| status_number(*pid, field)).collect::<Result<_, _>>()?;
        Ok(sizes.into_iter().max().unwrap_or(0) as f64 / 1024.0)
    }
}

impl Sub for CpuTimes {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            client: self.client.saturating_sub(earlier.client),
            proxy: self.proxy.saturating_sub(earlier.proxy),
            redis: self.redis.saturating_sub(earlier.redis),
            mysql: self.mysql.saturating_sub(earlier.mysql),
        }
    }
}

impl AddAssign for CpuTimes {
    fn add_assign(&mut self, other: Self) {
        self.client += other.client;
        self.proxy += other.proxy;
        self.redis += other.redis;
        self.mysql += other.mysql;
    }
}

fn cpu_time(process: &str) -> Result<Duration, Error> {
    let path = format!("/proc/{process}/stat");
    let text = read(&path)?;
    ticks(&text).map(|ticks| TICK * ticks).ok_or_else(|| Error::Usage { path, problem: "not understood".to_owned() })
}

/// utime + stime. The name of the program, in parentheses, may hold anything: fields are counted from its end.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

/// The most files that this process, and what it starts, may have open.
pub(crate) fn open_files_max() -> Result<u64, Error> {
    let path = "/proc/self/limits";
    let text = read(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|rest| rest.split_whitespace().next());
    let limit = soft.and_then(|word| if word == "unlimited" { Some(u64::MAX) } else { word.parse().ok() });
    limit.ok_or_else(|| Error::Usage { path: path.to_owned(), problem: "no limit of open files".to_owned() })
}

fn status_number(pid: u32, field: &str) -> Result<u64, Error> {
    let path = format!("/proc/{pid}/status");
    let text = read(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse().ok());
    number.ok_or_else(|| Error::Usage { path, problem: format!("no {field}") })
}

fn read(path: &str) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::Usage { path: path.to_owned(), problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_whatever_the_program_is_called() {
        let stat = "71 (a) b (c)) S 1 71 71 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("71 (a"), None);
    }

    #[test]
    fn this_process_has_used_some_memory() {
        let tiers = Tiers { proxies: vec![std::process::id()], ..Tiers::default() };
        assert!(tiers.proxy_peak_mib().expect("read") > 0.5);
        assert!(tiers.proxy_peak_mib().expect("read") >= tiers.proxy_resident_mib().expect("read") * 0.5);
        assert!(tiers.read().is_ok() && open_files_max().expect("a limit") > 10);
    }
}
