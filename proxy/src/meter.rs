//! What the hot path counts: plain atomics, so that counting costs a few nanoseconds a claim and nothing at rest.
//! Rendered in the Prometheus text format.

mod histogram;
mod stage;

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

pub use histogram::Histogram;
pub use stage::Stages;

use scrip_protocol::v1::Code;
use tokio::time::Instant;

/// Codes have two digits.
const CODES: usize = 100;

/// A count that only rises.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts `count` more.
    pub fn add(&self, count: usize) {
        self.add_u64(count as u64);
    }

    /// Counts `count` more.
    pub fn add_u64(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counts {
    ($($(#[doc = $help:literal])+ $field:ident = $name:literal;)+) => {
        /// The counts of one proxy.
        #[derive(Debug, Default)]
        pub struct Meter {
            codes: Codes,
            answers: Histogram,
            /// Where claims spend their time.
            pub stages: Stages,
            $($(#[doc = $help])+ pub $field: Count,)+
        }

        impl Meter {
            /// Name, help and count of each.
            fn totals(&self) -> Vec<(&'static str, &'static str, &Count)> {
                vec![$(($name, concat!($($help),+).trim(), &self.$field)),+]
            }
        }
    };
}

counts! {
    /// Calls to Redis that took units.
    deductions = "scrip_deductions_total";
    /// Claims that those calls carried.
    deducted_claims = "scrip_deducted_claims_total";
    /// Units taken from sub-stocks.
    units_granted = "scrip_units_granted_total";
    /// Units given back to sub-stocks.
    units_released = "scrip_units_released_total";
    /// Transactions that recorded coupons.
    transactions = "scrip_transactions_total";
    /// Coupons recorded.
    coupons = "scrip_coupons_total";
    /// Packs recorded.
    packs = "scrip_packs_total";
    /// Transactions that appended to the logs of coupons.
    order_transactions = "scrip_order_transactions_total";
    /// Steps appended: locks, redemptions, unlocks, returns.
    coupon_steps = "scrip_coupon_steps_total";
    /// Batches that met a coupon that existed.
    conflicts = "scrip_conflicts_total";
    /// Batches that a fence refused.
    fenced = "scrip_fenced_total";
    /// Batches whose outcome was unknown at first.
    unknowns = "scrip_unknown_commits_total";
    /// Look-ups of a user's coupons of a template.
    look_ups = "scrip_look_ups_total";
    /// Sub-stocks settled.
    settles = "scrip_settles_total";
    /// Settles that stopped on the way.
    settles_stopped = "scrip_settles_stopped_total";
    /// Events added to streams.
    events_published = "scrip_events_published_total";
    /// Events added to streams again because their shard had lost its data.
    events_replayed = "scrip_events_replayed_total";
    /// Coupons that the patrol came by.
    patrol_rows = "scrip_patrol_rows_total";
    /// Steps that the patrol wrote down: coupons expired, locks freed.
    patrol_steps = "scrip_patrol_steps_total";
    /// Reminders that the patrol made.
    patrol_reminders = "scrip_patrol_reminders_total";
    /// Coupons that were archived and removed.
    archive_coupons = "scrip_archive_coupons_total";
    /// Files that they were archived to.
    archive_files = "scrip_archive_files_total";
    /// Times that the archive's folder could not be read or written.
    archive_failures = "scrip_archive_failures_total";
    /// Connections accepted.
    connections = "scrip_connections_total";
}

/// Requests answered, by code.
#[derive(Debug)]
struct Codes([Count; CODES]);

impl Default for Codes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Count::default()))
    }
}

impl Meter {
    /// A request was answered.
    pub fn answered(&self, code: Code, received: Instant) {
        if let Some(count) = usize::try_from(i32::from(code)).ok().and_then(|code| self.codes.0.get(code)) {
            count.add(1);
        }
        self.answers.record(received.elapsed(), 1);
    }

    /// The counts in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.render_answers(&mut text);
        self.render_latency(&mut text);
        self.stages.render(&mut text);
        for (name, help, count) in self.totals() {
            line(&mut text, format_args!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", count.get()));
        }
        text
    }

    fn render_answers(&self, text: &mut String) {
        line(
            text,
            format_args!("# HELP scrip_answers_total Requests answered, by code.\n# TYPE scrip_answers_total counter"),
        );
        for (number, count) in self.codes.0.iter().enumerate().filter(|(_, count)| count.get() > 0) {
            let code = i32::try_from(number).ok().and_then(|number| Code::try_from(number).ok());
            let name = code.map_or("CODE_UNSPECIFIED", |code| code.as_str_name());
            line(text, format_args!("scrip_answers_total{{code=\"{name}\"}} {}", count.get()));
        }
    }

    fn render_latency(&self, text: &mut String) {
        line(
            text,
            format_args!(
                "# HELP scrip_answer_seconds From reading a request to its answer.\n# TYPE scrip_answer_seconds histogram"
            ),
        );
        self.answers.render(text, "scrip_answer_seconds", "");
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
