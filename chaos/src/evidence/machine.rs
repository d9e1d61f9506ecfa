//! What the machine and its servers say of themselves.

use std::fs;

use crate::testbed::Testbed;

/// The model of the processor; empty if the operating system does not say.
pub fn processor() -> String {
    value_of("/proc/cpuinfo", "model name", ':')
}

/// The distribution; empty if it does not say.
pub fn system() -> String {
    value_of("/etc/os-release", "PRETTY_NAME", '=').trim_matches('"').to_owned()
}

/// The release of the kernel; empty if it does not say.
pub fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// All memory, in KiB; 0 if the operating system does not say.
pub fn memory_kib() -> u64 {
    let text = value_of("/proc/meminfo", "MemTotal", ':');
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The name and version of the first shard's server; empty without shards.
pub async fn redis(testbed: &Testbed) -> String {
    let Some(shard) = testbed.shards().first() else { return String::new() };
    let info = shard.command("INFO", &["server"]).await.unwrap_or_default();
    let value = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match (value("valkey_version:"), value("redis_version:")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, version) => format!("Redis {}", version.unwrap_or("of an unknown version")),
    }
}

/// The value of the first line that begins with `key`; empty if there is none.
fn value_of(path: &str, key: &str, separator: char) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(separator)).map_or_else(String::new, |(_, value)| value.trim().to_owned())
}
