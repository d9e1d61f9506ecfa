//! Whether this proxy is ready, and why not.
//!
//! Ready means: send callers here. One dead primary or shard hurts only its own users wherever they connect, so it makes
//! a proxy degraded, not unready; a proxy that reaches no primary at all, or no shard at all, is more likely the one that
//! is cut off.

use std::collections::BTreeMap;
use std::fmt;

use parking_lot::Mutex;
use scrip_shard_config::{PrimaryId, ShardId, Topology};
use serde::Serialize;

/// What can be up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Accepting: down from the start of a drain.
    Serving,
    /// The snapshot of the templates: down until it was loaded once.
    Templates,
    /// One primary: down too when its identity, its topology version or its schema is not the one expected.
    Primary(PrimaryId),
    /// One shard.
    Shard(ShardId),
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Component::Serving => f.write_str("serving"),
            Component::Templates => f.write_str("templates"),
            Component::Primary(id) => write!(f, "primary {id}"),
            Component::Shard(id) => write!(f, "shard {id}"),
        }
    }
}

/// How a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It serves.
    Up,
    /// It does not, because of this.
    Down(String),
}

/// How every component is. Shared by all tasks; to set one locks a small map for a moment.
#[derive(Debug)]
pub struct Health {
    name: String,
    components: Mutex<BTreeMap<Component, Status>>,
}

/// One component that is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Which.
    pub component: String,
    /// Why.
    pub detail: String,
}

/// The answer of `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// This proxy.
    pub name: String,
    /// Send callers here.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<Reason>,
    /// What is down without making the proxy unready.
    pub degraded: Vec<Reason>,
}

impl Health {
    /// Nothing is up yet.
    #[must_use]
    pub fn new(name: &str, topology: &Topology) -> Self {
        let down = |why: &str| Status::Down(why.to_owned());
        let mut components =
            BTreeMap::from([(Component::Serving, down("starting")), (Component::Templates, down("not loaded yet"))]);
        let primaries = topology.primaries.iter().map(|primary| Component::Primary(primary.id));
        let shards = topology.shards.iter().map(|shard| Component::Shard(shard.id));
        components.extend(primaries.chain(shards).map(|component| (component, down("not reached yet"))));
        Self { name: name.to_owned(), components: Mutex::new(components) }
    }

    /// Says how a component is; changes are logged.
    pub fn set(&self, component: Component, status: Status) {
        let before = self.components.lock().insert(component, status.clone());
        if before.as_ref() == Some(&status) {
            return;
        }
        match status {
            Status::Up => tracing::info!(%component, "up"),
            Status::Down(detail) => tracing::info!(%component, detail, "down"),
        }
    }

    /// How a component is.
    #[must_use]
    pub fn status(&self, component: Component) -> Option<Status> {
        self.components.lock().get(&component).cloned()
    }

    /// Whether the proxy is ready, and what is down.
    #[must_use]
    pub fn report(&self) -> HealthReport {
        let components = self.components.lock();
        let cut_off_from_primaries = all_down(&components, |component| matches!(component, Component::Primary(_)));
        let cut_off_from_shards = all_down(&components, |component| matches!(component, Component::Shard(_)));
        let mut report = HealthReport { name: self.name.clone(), ready: true, reasons: vec![], degraded: vec![] };
        for (component, status) in components.iter() {
            let Status::Down(detail) = status else { continue };
            let reason = Reason { component: component.to_string(), detail: detail.clone() };
            let decides = match component {
                Component::Serving | Component::Templates => true,
                Component::Primary(_) => cut_off_from_primaries,
                Component::Shard(_) => cut_off_from_shards,
            };
            if decides { report.reasons.push(reason) } else { report.degraded.push(reason) }
        }
        report.ready = report.reasons.is_empty();
        report
    }
}

fn all_down(components: &BTreeMap<Component, Status>, of: impl Fn(&Component) -> bool) -> bool {
    components.iter().filter(|(component, _)| of(component)).all(|(_, status)| *status != Status::Up)
}
