//! After everything: events arrive to the last one, and the patrol has written down what is over. Then nothing moves, and the
//! oracle can look.

use std::collections::HashSet;
use std::time::Duration;

use scrip_client::TemplateId;
use scrip_protocol::v1::StepKind;
use tokio::time::{Instant, sleep};

use crate::history::History;
use crate::oracle::{self, StoresView};
use crate::run::Error;
use crate::run::bed::Bed;
use crate::run::recorder::Recorder;

/// A lease of a dead proxy runs out, a shard that lost its data is told everything again, and a backlog is worked off.
const STILL_LIMIT: Duration = Duration::from_secs(90);

/// What there is when nothing moves.
pub(in crate::run) struct Still {
    pub(in crate::run) history: History,
    pub(in crate::run) view: StoresView,
    pub(in crate::run) problems: Vec<String>,
}

/// Waits. `short`: of this template every coupon is over.
pub(in crate::run) async fn still(bed: &Bed, recorder: &Recorder, short: Option<TemplateId>) -> Result<Still, Error> {
    let (templates, deadline) = (recorder.templates(), Instant::now() + STILL_LIMIT);
    loop {
        // In this order: what was told by now is in the stores that are read afterwards.
        let events = bed.consumer.told(&templates, recorder.started_ms());
        let view = StoresView::read(&bed.testbed, &bed.topology).await?.only(&templates);
        let mut history = recorder.history();
        history.events_followed(events);
        let (untold, open) = (oracle::untold(&history, &view), short.map_or(0, |short| open(&view, short)));
        if untold == 0 && open == 0 {
            return Ok(Still { history, view, problems: Vec::new() });
        }
        if Instant::now() >= deadline {
            let text = format!("{open} coupons that are over are not written down as expired after {STILL_LIMIT:?}");
            // What is missing of the events, the oracle says.
            let problems = if open > 0 { vec![text] } else { Vec::new() };
            return Ok(Still { history, view, problems });
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Coupons of the template without an end in their logs.
fn open(view: &StoresView, template: TemplateId) -> usize {
    let expired = view.steps.iter().filter(|row| row.template == template && row.kind == StepKind::Expired);
    let expired: HashSet<_> = expired.map(|row| (row.user, u32::from(row.seq))).collect();
    let own = view.coupons.iter().filter(|row| row.template == template);
    own.filter(|row| !expired.contains(&(row.user, row.seq))).count()
}
