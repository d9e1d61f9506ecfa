//! What waits where, and which backends may be used: sampled when somebody asks for the metrics.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use scrip_shard_config::PrimaryId;
use tokio::time::Instant;

use super::Flow;

/// Name and help of each gauge.
pub const GAUGES: [(&str, &str); 3] = [
    ("scrip_queued", "Claims, requests of orders and packs that wait for a shard, for a primary, or for a settle."),
    ("scrip_gate_open", "Whether claims are sent to a backend."),
    ("scrip_templates", "Templates in the snapshot."),
];

impl Flow {
    /// The gauges, and what each backend was asked, in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let values: [Vec<(String, usize)>; 3] =
            [self.queued(), self.gates(), vec![(String::new(), self.templates.count())]];
        for ((name, help), values) in GAUGES.iter().zip(values) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        self.render_calls(&mut text);
        text + &self.replicas.render(Instant::now())
    }

    fn queued(&self) -> Vec<(String, usize)> {
        let shards = self.topology.shards.iter().zip(&self.stock);
        let shards = shards.map(|(shard, queue)| (format!("{{at=\"shard {}\"}}", shard.id), queue.claims.count()));
        let lane = |primary: PrimaryId, lane, count| (format!("{{at=\"primary {primary} lane {lane}\"}}"), count);
        let lanes = self.record.iter().map(|queue| lane(queue.primary, queue.lane, queue.tasks.count()));
        let orders = self.orders.iter().map(|queue| lane(queue.primary, queue.lane, queue.tasks.count()));
        let packs = self.packs.iter().map(|queue| lane(queue.primary, queue.lane, queue.tasks.count()));
        let parked = ("{at=\"settle\"}".to_owned(), self.parked.load(Ordering::Relaxed));
        shards.chain(lanes).chain(orders).chain(packs).chain([parked]).collect()
    }

    fn gates(&self) -> Vec<(String, usize)> {
        let label = |name: &dyn std::fmt::Display| format!("{{backend=\"{name}\"}}");
        let shards = self.topology.shards.iter().zip(&self.stock);
        let shards = shards.map(|(shard, queue)| (format!("shard {}", shard.id), queue.gate.is_open()));
        let primaries = &self.orders;
        let primaries = primaries.iter().map(|queue| (format!("primary {}", queue.primary), queue.gate.is_open()));
        shards.chain(primaries).map(|(name, open)| (label(&name), usize::from(open))).collect()
    }
}
