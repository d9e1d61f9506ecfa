//! What each backend was asked by the lanes: calls, the claims in them, and the time that they took.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::Flow;
use crate::meter::Count;

/// Name and help of each counter.
pub const COUNTERS: [(&str, &str); 3] = [
    ("scrip_backend_calls_total", "Calls of lanes to a backend: deductions, look-ups, transactions."),
    ("scrip_backend_claims_total", "Claims in those calls; coupons and packs, if it is a lane of orders or packs."),
    ("scrip_backend_seconds_total", "Time of those calls; of a primary's lanes together."),
];

/// The calls of one lane.
#[derive(Debug, Default)]
pub struct Calls {
    calls: Count,
    claims: Count,
    us: Count,
}

impl Calls {
    /// A call with so many claims came back, whatever came back.
    pub fn add(&self, claims: usize, took: Duration) {
        self.calls.add(1);
        self.claims.add(claims);
        self.us.add_u64(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

impl Flow {
    /// The counters in the Prometheus text format.
    pub(super) fn render_calls(&self, text: &mut String) {
        let seconds = |calls: &[&Calls]| Duration::from_micros(sum(calls, |calls| &calls.us)).as_secs_f64();
        for (index, (name, help)) in COUNTERS.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
            for (backend, calls) in self.backends() {
                let _ = match index {
                    0 => writeln!(text, "{name}{{backend=\"{backend}\"}} {}", sum(&calls, |calls| &calls.calls)),
                    1 => writeln!(text, "{name}{{backend=\"{backend}\"}} {}", sum(&calls, |calls| &calls.claims)),
                    _ => writeln!(text, "{name}{{backend=\"{backend}\"}} {}", seconds(&calls)),
                };
            }
        }
    }

    fn backends(&self) -> Vec<(String, Vec<&Calls>)> {
        let shards = self.topology.shards.iter().zip(&self.stock);
        let shards = shards.map(|(shard, queue)| (named("shard", &shard.id), vec![&queue.calls]));
        let primaries = self.orders.iter().zip(&self.packs).map(|(orders, packs)| {
            let record = self.record.iter().filter(|queue| queue.primary == orders.primary);
            let calls = record.map(|queue| &queue.calls).chain([&orders.calls, &packs.calls]);
            (named("primary", &orders.primary), calls.collect())
        });
        shards.chain(primaries).collect()
    }
}

fn named(kind: &str, id: &impl Display) -> String {
    format!("{kind} {id}")
}

fn sum(calls: &[&Calls], of: impl Fn(&Calls) -> &Count) -> u64 {
    calls.iter().map(|calls| of(calls).get()).sum()
}
