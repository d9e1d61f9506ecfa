//! Reads from replicas, as stale as the caller allows. Nothing is ever written there, and no claim, order, settle, patrol or
//! audit reads there.
//!
//! ```text
//! marks     numbers, and when this proxy noted each
//! follow    writes the marks, and looks which of them each replica shows
//! replica   which replica is fresh enough, and which is left alone for a while
//! ```
//!
//! # How stale
//!
//! The proxy notes its own monotonic time and then writes the next number to a row of its own on the primary: a mark. Whatever
//! was acknowledged before that time was committed before the mark, and replicas commit in the order of their primary. So a
//! replica that shows the mark holds everything that was acknowledged before that time, by any proxy, and **the time since is
//! the bound of its staleness**: one clock, and only its rate is trusted. Nobody asks a replica how far behind it thinks it is.
//!
//! A read asks for the mark first, on the connection that it then reads on. What a replica showed to another connection counts
//! for nothing, should its address lead to several servers.
//!
//! What that rests on: replicas commit in the order of the primary (MySQL: `replica_preserve_commit_order`, looked at when we
//! connect; MariaDB: one replication domain), copy every table, and the machine of a proxy is not suspended, because its
//! monotonic clock would stand still.
//!
//! # When a replica fails
//!
//! The primary serves, always: there is no error of a replica's. A replica is asked for a read only while the last look at it was
//! answered, waits are short, and after a failure it is left alone for a second, then two, up to half a minute.
//!
//! A proxy killed anywhere here leaves its row of marks, which the next proxy that starts removes when it is a day old.

mod follow;
mod marks;

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use scrip_shard_config::{PrimaryId, Topology};
use tokio::time::Instant;

pub use self::follow::start;

use self::marks::Marks;
use crate::meter::Count;
use crate::store::Replica;

/// After a failure a replica is left alone for so long, twice as long after each further one, and at most [`ALONE_MAX`].
const ALONE: Duration = Duration::from_secs(1);
const ALONE_MAX: Duration = Duration::from_secs(30);

/// Name, kind and help of each metric.
pub const METRICS: [(&str, &str, &str); 4] = [
    (
        "scrip_replica_staleness_seconds",
        "gauge",
        "How stale a replica is at most; +Inf while it does not answer or is more than ten minutes behind.",
    ),
    ("scrip_replica_reads_total", "counter", "Reads that a replica served."),
    ("scrip_replica_failures_total", "counter", "Reads that a replica should have served; the primary did."),
    (
        "scrip_replica_passed_over_total",
        "counter",
        "Reads that allowed staleness, while no replica of the primary was fresh enough and well.",
    ),
];

/// The replicas of all primaries that have some.
#[derive(Debug)]
pub struct Replicas {
    primaries: Vec<Followed>,
    run: u64,
}

/// A primary with replicas.
#[derive(Debug)]
struct Followed {
    primary: PrimaryId,
    marks: Mutex<Marks>,
    copies: Vec<Copied>,
    /// Takes them in turn.
    turn: AtomicUsize,
    passed_over: Count,
}

#[derive(Debug, Default)]
struct Copied {
    state: Mutex<State>,
    served: Count,
    failed: Count,
}

#[derive(Debug, Default)]
struct State {
    /// The mark that it showed last, and when that was noted; `None`: unknown, or it does not answer.
    shows: Option<(u64, Instant)>,
    /// Reads that failed in a row.
    failures: u32,
    alone_until: Option<Instant>,
}

/// A replica for one read.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// Where, and what it has to show.
    pub replica: Replica,
    as_of: Instant,
}

impl Chosen {
    /// The bound of the staleness of what was read until now, in milliseconds, rounded up; at least 1.
    pub fn staleness_ms(&self, now: Instant) -> u32 {
        let ms = now.saturating_duration_since(self.as_of).as_millis() + 1;
        u32::try_from(ms).unwrap_or(u32::MAX)
    }
}

impl Replicas {
    /// Those of a topology. `run`: a number that no other run of any proxy has.
    pub fn new(topology: &Topology, run: u64) -> Self {
        let with_replicas = topology.primaries.iter().filter(|primary| !primary.replicas.is_empty());
        let followed = |primary: &scrip_shard_config::Primary| Followed {
            primary: primary.id,
            marks: Mutex::default(),
            copies: primary.replicas.iter().map(|_| Copied::default()).collect(),
            turn: AtomicUsize::new(0),
            passed_over: Count::default(),
        };
        Self { primaries: with_replicas.map(followed).collect(), run }
    }

    /// A replica of the primary that holds everything acknowledged until `staleness_max` ago.
    pub fn choose(&self, primary: PrimaryId, staleness_max: Duration, now: Instant) -> Option<Chosen> {
        if staleness_max.is_zero() {
            return None;
        }
        let followed = self.of(primary)?;
        let (count, turn) = (followed.copies.len(), followed.turn.fetch_add(1, Ordering::Relaxed));
        let chosen = (0..count).map(|offset| (turn + offset) % count).find_map(|index| {
            let (mark, as_of) = followed.copies[index].state.lock().usable(now)?;
            let is_fresh = now.saturating_duration_since(as_of) <= staleness_max;
            // At most sixteen.
            let replica = Replica { primary, index: index as u16, run: self.run, mark };
            is_fresh.then_some(Chosen { replica, as_of })
        });
        if chosen.is_none() {
            followed.passed_over.add(1);
        }
        chosen
    }

    /// The replica has served a read.
    pub fn served(&self, replica: Replica) {
        if let Some(copied) = self.copied(replica) {
            copied.served.add(1);
            copied.state.lock().failures = 0;
        }
    }

    /// The replica has not, and is left alone for a while.
    pub fn failed(&self, replica: Replica, now: Instant) {
        if let Some(copied) = self.copied(replica) {
            copied.failed.add(1);
            copied.state.lock().leave_alone(now);
        }
    }

    fn of(&self, primary: PrimaryId) -> Option<&Followed> {
        self.primaries.iter().find(|followed| followed.primary == primary)
    }

    fn copied(&self, replica: Replica) -> Option<&Copied> {
        self.of(replica.primary)?.copies.get(usize::from(replica.index))
    }

    /// The metrics in the Prometheus text format; nothing without replicas.
    pub fn render(&self, now: Instant) -> String {
        let mut text = String::new();
        if self.primaries.is_empty() {
            return text;
        }
        for (index, (name, kind, help)) in METRICS.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for followed in &self.primaries {
                followed.render(index, name, now, &mut text);
            }
        }
        text
    }
}

impl State {
    fn usable(&self, now: Instant) -> Option<(u64, Instant)> {
        self.shows.filter(|_| self.alone_until.is_none_or(|until| now >= until))
    }

    fn leave_alone(&mut self, now: Instant) {
        let wait = ALONE.saturating_mul(1 << self.failures.min(10)).min(ALONE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.alone_until = Some(now + wait);
    }
}

impl Followed {
    /// The replica shows this mark; `None`: it does not answer.
    fn saw(&self, index: usize, mark: Option<u64>) {
        let shows = mark.and_then(|mark| Some((mark, self.marks.lock().noted_at(mark)?)));
        if let Some(copied) = self.copies.get(index) {
            copied.state.lock().shows = shows;
        }
    }

    fn render(&self, metric: usize, name: &str, now: Instant, text: &mut String) {
        let primary = self.primary;
        if metric == 3 {
            let _ = writeln!(text, "{name}{{primary=\"{primary}\"}} {}", self.passed_over.get());
            return;
        }
        for (index, copied) in self.copies.iter().enumerate() {
            let value = match metric {
                0 => copied.state.lock().shows.map_or("+Inf".to_owned(), |(_, as_of)| {
                    now.saturating_duration_since(as_of).as_secs_f64().to_string()
                }),
                1 => copied.served.get().to_string(),
                _ => copied.failed.get().to_string(),
            };
            let _ = writeln!(text, "{name}{{primary=\"{primary}\",replica=\"{index}\"}} {value}");
        }
    }
}

#[cfg(test)]
mod tests;
