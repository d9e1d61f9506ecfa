//! What operators see of bulk jobs, in the Prometheus text format.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use scrip_protocol::v1::Code;

use super::runner::Runner;
use super::window::Window;
use crate::meter::Count;
use crate::store::bulk::BulkStore;

/// Name, kind and help of each.
pub const METRICS: [(&str, &str, &str); 4] = [
    ("scrip_bulk_entries_total", "counter", "Users of bulk jobs whose result this proxy noted, by code."),
    ("scrip_bulk_pending", "gauge", "Users without a result in the slices of bulk jobs that this proxy works on."),
    ("scrip_bulk_slices_held", "gauge", "Slices of bulk jobs that this proxy works on, each under a lease."),
    ("scrip_bulk_in_flight", "gauge", "Claims of bulk jobs in flight."),
];

/// Codes have two digits.
const CODES: usize = 100;

/// Entries that got their result from this proxy, by code.
#[derive(Debug)]
pub(super) struct Done([Count; CODES]);

impl Default for Done {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Count::default()))
    }
}

impl Done {
    pub(super) fn add(&self, code: Code) {
        if let Some(count) = usize::try_from(code as i32).ok().and_then(|code| self.0.get(code)) {
            count.add(1);
        }
    }

    fn by_code(&self) -> Vec<(String, u64)> {
        let count =
            |code: &Code| usize::try_from(*code as i32).ok().and_then(|code| self.0.get(code)).map_or(0, Count::get);
        let labels = |code: &Code| format!("{{code=\"{}\"}}", code.as_str_name());
        Code::ALL.iter().map(|code| (labels(code), count(code))).filter(|(_, count)| *count > 0).collect()
    }
}

/// Entries without a result, over the slices that this proxy holds.
#[derive(Debug, Default)]
pub(super) struct Pending(Arc<AtomicU64>);

/// Those of one slice, as long as it is held.
#[derive(Debug)]
pub(super) struct Share {
    all: Arc<AtomicU64>,
    own: u64,
}

impl Pending {
    pub(super) fn share(&self, own: u64) -> Share {
        self.0.fetch_add(own, Ordering::Relaxed);
        Share { all: Arc::clone(&self.0), own }
    }
}

impl Share {
    /// So many have got a result.
    pub(super) fn done(&mut self, count: usize) {
        let count = self.own.min(count as u64);
        self.own -= count;
        self.all.fetch_sub(count, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::Relaxed);
    }
}

impl<B: BulkStore> Runner<B> {
    /// The counts and gauges of jobs.
    pub fn render(&self) -> String {
        let in_flight: usize = self.windows.iter().map(Window::in_flight).sum();
        let of_one = |value: u64| vec![(String::new(), value)];
        let values = [
            self.done.by_code(),
            of_one(self.pending.0.load(Ordering::Relaxed)),
            of_one(self.held() as u64),
            of_one(in_flight as u64),
        ];
        let mut text = String::new();
        for ((name, kind, help), values) in METRICS.iter().zip(values) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }
}
