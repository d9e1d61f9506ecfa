//! What a consumer of all streams has read, for as long as the bed lives.

use std::sync::Arc;

use parking_lot::Mutex;
use scrip_client::TemplateId;
use scrip_client::event::Event;
use scrip_shard_config::Topology;

use crate::history::EventTold;
use crate::testbed::{self, Testbed};

/// What it has read of all streams.
#[derive(Debug)]
pub(super) struct Consumer {
    told: Arc<Mutex<Vec<Event>>>,
    _reads: testbed::Consumer,
}

impl Consumer {
    /// Starts to read.
    pub(super) fn start(testbed: &Testbed, topology: &Topology) -> Result<Self, fred::error::Error> {
        let told: Arc<Mutex<Vec<Event>>> = Arc::default();
        let heard = Arc::clone(&told);
        let reads = testbed::Consumer::start(testbed, topology, "chaos", move |event| heard.lock().push(event))?;
        Ok(Self { told, _reads: reads })
    }

    /// What was told of these templates. `started_ms`: when the history began, in milliseconds since 1970-01-01 UTC.
    pub(super) fn told(&self, templates: &[TemplateId], started_ms: i64) -> Vec<EventTold> {
        let told = self.told.lock();
        let own = told.iter().filter(|event| templates.contains(&event.template));
        own.map(|event| EventTold::new(event.clone(), started_ms)).collect()
    }
}
