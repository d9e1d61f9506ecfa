//! The limits of every field. Each violation says which field, its value, and what to write instead.

use std::fmt::Debug;
use std::time::Duration;

use scrip_protocol::limits::{CALLER_LEN_MAX, FINGERPRINT_LEN_MAX, TOKEN_LEN_MAX};

use super::{BackoffConfig, ClientConfig, RetryConfig, Violation};

const DURATION_MAX: Duration = Duration::from_secs(60);

pub(super) fn violations(config: &ClientConfig) -> Vec<Violation> {
    let mut found = Vec::new();
    identity(config, &mut found);
    durations(config, &mut found);
    sizes(config, &mut found);
    retries(&config.retry, &mut found);
    backoff("reconnect", &config.reconnect, &mut found);
    found
}

fn identity(config: &ClientConfig, found: &mut Vec<Violation>) {
    require(!config.proxies.is_empty(), "proxies", &config.proxies, "name at least one proxy as host:port", found);
    for proxy in &config.proxies {
        require(is_address(proxy), "proxies", proxy, "write host:port with a port of 1 to 65535", found);
    }
    require(
        !config.caller.trim().is_empty(),
        "caller",
        &config.caller,
        "name the caller as the proxies list it",
        found,
    );
    let token_given = !config.token.reveal().is_empty();
    require(token_given, "token", &"empty", "give the caller's token; it is stored in a file or in SCRIP_TOKEN", found);
    let token_len = config.token.reveal().len();
    require(token_len <= TOKEN_LEN_MAX, "token", &format!("{token_len} bytes long"), "write at most 256 bytes", found);
    require(config.caller.len() <= CALLER_LEN_MAX, "caller", &config.caller, "write at most 64 bytes", found);
    let fingerprint = &config.topology_fingerprint;
    let fits = fingerprint.as_ref().is_none_or(|bytes| (1..=FINGERPRINT_LEN_MAX).contains(&bytes.len()));
    require(fits, "topology_fingerprint", fingerprint, "give 1 to 64 bytes, or none", found);
}

fn durations(config: &ClientConfig, found: &mut Vec<Violation>) {
    let fields = [
        ("deadline", config.deadline),
        ("admin_deadline", config.admin_deadline),
        ("connect_deadline", config.connect_deadline),
        ("handshake_deadline", config.handshake_deadline),
        ("silence_max", config.silence_max),
    ];
    for (field, value) in fields {
        let within = (Duration::from_millis(1)..=DURATION_MAX).contains(&value);
        require(within, field, &value, "write 1 ms to 60 s", found);
    }
}

fn sizes(config: &ClientConfig, found: &mut Vec<Violation>) {
    let fields = [
        ("connections_per_proxy", config.connections_per_proxy, 1..=64, "write 1 to 64"),
        ("in_flight_per_connection_max", config.in_flight_per_connection_max, 1..=1_000_000, "write 1 to 1,000,000"),
        ("queued_per_connection_max", config.queued_per_connection_max, 1..=10_000_000, "write 1 to 10,000,000"),
        ("frame_len_max", config.frame_len_max, 1024..=16 * 1024 * 1024, "write 1 KiB to 16 MiB, in bytes"),
    ];
    for (field, value, range, fix) in fields {
        require(range.contains(&value), field, &value, fix, found);
    }
}

fn retries(retry: &RetryConfig, found: &mut Vec<Violation>) {
    let fields = [
        ("retry.attempts_max", retry.attempts_max, 1..=100, "write 1 (never send again) to 100"),
        ("retry.budget_percent", retry.budget_percent, 0..=100, "write 0 to 100"),
        ("retry.budget_floor_per_s", retry.budget_floor_per_s, 0..=1_000_000, "write 0 to 1,000,000"),
        ("retry.budget_saved_max", retry.budget_saved_max, 1..=1_000_000, "write 1 to 1,000,000"),
    ];
    for (field, value, range, fix) in fields {
        require(range.contains(&value), field, &value, fix, found);
    }
    backoff("retry.backoff", &retry.backoff, found);
}

fn backoff(field: &'static str, value: &BackoffConfig, found: &mut Vec<Violation>) {
    let ordered = !value.min.is_zero() && value.min <= value.max && value.max <= DURATION_MAX;
    require(ordered, field, value, "let min be above 0, and max at least min and at most 60 s", found);
}

fn require(holds: bool, field: &'static str, value: &dyn Debug, fix: &'static str, found: &mut Vec<Violation>) {
    if !holds {
        found.push(Violation { field, value: format!("{value:?}"), fix });
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    !host.trim().is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
}
