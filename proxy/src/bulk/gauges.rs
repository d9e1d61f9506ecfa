//! What operators see of bulk jobs, in the Prometheus text format.

use std::fmt::Write;

use scrip_protocol::v1::Code;

use super::runner::Runner;
use crate::meter::Count;
use crate::store::bulk::BulkStore;

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
}

impl<B: BulkStore> Runner<B> {
    /// The counts and gauges of jobs.
    pub fn render(&self) -> String {
        let mut text = String::from(
            "# HELP scrip_bulk_entries_total Users of bulk jobs whose result this proxy noted, by code.\n\
             # TYPE scrip_bulk_entries_total counter\n",
        );
        for code in Code::ALL {
            let count = usize::try_from(*code as i32).ok().and_then(|code| self.done.0.get(code)).map_or(0, Count::get);
            if count > 0 {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "scrip_bulk_entries_total{{code=\"{}\"}} {count}", code.as_str_name());
            }
        }
        let in_flight: usize = self.windows.iter().map(super::window::Window::in_flight).sum();
        for (name, help, value) in [
            ("scrip_bulk_slices_held", "Slices of bulk jobs that this proxy works on.", self.held()),
            ("scrip_bulk_in_flight", "Claims of bulk jobs in flight.", in_flight),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        text
    }
}
