//! The world of one run: every store, the wires, the history, and what was found to be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use scrip_client::{BulkJobId, RequestId, TemplateId, UserId};
use scrip_shard_config::Topology;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::dice::Dice;
use super::fault::{Moment, Trigger};
use super::meta::Meta;
use super::mutant::Mutant;
use super::primary::{LostStep, Primary};
use super::shard::Shard;
use super::trace::Trace;
use super::wire::Weather;
use crate::history::History;

/// The wall clock when a run begins, in milliseconds since 1970-01-01 UTC: a day ends one and a half seconds later, in the
/// middle of most runs.
pub const EPOCH_MS: u64 = MIDNIGHT_MS - 1_500;
/// Where days begin, by the clock that is so many minutes ahead of UTC.
pub const DAY_OFFSET_MINUTES: i32 = -480;
/// 08:00 UTC.
pub const MIDNIGHT_MS: u64 = 1_800_000_000_000;

/// One server of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// A Redis process: which shard, and which of the processes that answer as it.
    Shard(usize, usize),
    /// A primary.
    Primary(usize),
    /// Meta.
    Meta,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(shard, 0) => write!(f, "shard {shard}"),
            Self::Shard(shard, process) => write!(f, "shard {shard}'s process {process}"),
            Self::Primary(primary) => write!(f, "primary {primary}"),
            Self::Meta => f.write_str("meta"),
        }
    }
}

/// Whether a server runs.
#[derive(Debug, Clone)]
pub struct Host {
    /// It takes connections.
    pub up: bool,
    /// It takes them, and does nothing.
    pub frozen: bool,
    /// Counts its starts.
    pub life: u32,
    /// Something changed: it, or its locks.
    pub changed: Arc<Notify>,
}

impl Default for Host {
    fn default() -> Self {
        Self { up: true, frozen: false, life: 1, changed: Arc::default() }
    }
}

impl Host {
    /// It ends; whatever it was at is gone.
    pub fn crash(&mut self) {
        self.up = false;
        self.frozen = false;
        self.life += 1;
        self.changed.notify_waiters();
    }

    /// It takes connections again.
    pub fn start(&mut self) {
        self.up = true;
        self.changed.notify_waiters();
    }

    /// It stands still, or goes on.
    pub fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen && self.up;
        self.changed.notify_waiters();
    }
}

/// Everything but the proxies.
#[derive(Debug)]
pub struct World {
    /// Decides what happens on the wires.
    pub dice: Dice,
    /// What happened.
    pub trace: Trace,
    /// Redis.
    pub shards: Vec<Shard>,
    /// The primaries.
    pub primaries: Vec<Primary>,
    /// Meta.
    pub meta: Meta,
    /// What the clients sent and were told.
    pub history: History,
    /// The routes.
    pub topology: Arc<Topology>,
    /// One deviation of the stores from what they promise.
    pub mutant: Option<Mutant>,
    /// Faults that wait for their moment.
    pub triggers: Vec<Trigger>,
    /// Faults whose moment has come, by their number in the plan.
    pub due: Vec<usize>,
    /// Says that one is due.
    pub due_changed: Arc<Notify>,
    /// What was wrong at some moment of the run.
    pub findings: Vec<String>,
    /// Requests whose coupons a fail-over lost, and when, in microseconds.
    pub lost: BTreeMap<RequestId, u64>,
    /// Steps that a fail-over lost, and when, in microseconds.
    pub lost_steps: Vec<(LostStep, u64)>,
    /// Who lost coupons of which template.
    pub lost_users: BTreeSet<(UserId, TemplateId)>,
    /// Lists of bulk jobs of which a fail-over lost something, and where.
    pub lost_lists: BTreeSet<(BulkJobId, usize)>,
    /// Those that were shorter, or became so, when nobody was going to look at them again.
    pub short_lists: BTreeSet<(BulkJobId, usize)>,
    /// Codes, as batch and index, of which a fail-over lost uses.
    pub lost_uses: BTreeSet<(u32, u32)>,
    /// Templates of which a fail-over lost coupons that nobody will count anew.
    pub lost_for_good: Vec<TemplateId>,
    /// Counts runs of Redis libraries, transactions, and whatever needs a number.
    pub numbers: u64,
    /// The limit per user, and the request of each coupon, as they are checked at each commit.
    pub limits: BTreeMap<TemplateId, u16>,
    /// Calls that were carried out.
    pub calls: u64,
    /// Steps that the patrol wrote down.
    pub patrol_steps: u64,
    /// Reminders that it made.
    pub reminders: u64,
    /// Faults that struck, by kind.
    pub struck: Vec<&'static str>,
    weather: BTreeMap<(usize, usize), Weather>,
    started: Instant,
}

impl World {
    /// All stores empty and well.
    pub fn new(topology: Arc<Topology>, dice: Dice, trace: Trace, mutant: Option<Mutant>) -> Self {
        Self {
            dice,
            trace,
            shards: topology.shards.iter().map(|_| Shard::default()).collect(),
            primaries: (0..topology.primaries.len()).map(Primary::new).collect(),
            meta: Meta::new(&topology),
            history: History::default(),
            topology,
            mutant,
            triggers: Vec::new(),
            due: Vec::new(),
            due_changed: Arc::default(),
            findings: Vec::new(),
            lost: BTreeMap::new(),
            lost_steps: Vec::new(),
            lost_users: BTreeSet::new(),
            lost_lists: BTreeSet::new(),
            short_lists: BTreeSet::new(),
            lost_uses: BTreeSet::new(),
            lost_for_good: Vec::new(),
            numbers: 0,
            limits: BTreeMap::new(),
            calls: 0,
            patrol_steps: 0,
            reminders: 0,
            struck: Vec::new(),
            weather: BTreeMap::new(),
            started: Instant::now(),
        }
    }

    /// Since the start.
    pub fn at(&self) -> Duration {
        self.started.elapsed()
    }

    /// Since the start, in milliseconds.
    pub fn at_ms(&self) -> u64 {
        u64::try_from(self.at().as_millis()).unwrap_or(u64::MAX)
    }

    /// Adds a line to the trace.
    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        let at_ms = self.at_ms();
        self.trace.add(at_ms, what);
    }

    /// Something is wrong.
    pub fn find(&mut self, what: String) {
        self.note(format_args!("WRONG: {what}"));
        self.findings.push(what);
    }

    /// A number that was not used before.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Does the run leave out this rule?
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// A server.
    pub fn host(&mut self, of: Backend) -> &mut Host {
        match of {
            Backend::Shard(shard, process) => &mut self.shards[shard].processes[process].host,
            Backend::Primary(primary) => &mut self.primaries[primary].host,
            Backend::Meta => &mut self.meta.host,
        }
    }

    /// Which process answers this proxy as the shard.
    pub fn shard_of(&self, slot: usize, shard: usize) -> Backend {
        let shard_model = &self.shards[shard];
        Backend::Shard(shard, shard_model.view.get(&slot).copied().unwrap_or(shard_model.main))
    }

    /// Between a proxy and a store.
    pub fn weather(&self, slot: usize, to: Backend) -> Weather {
        self.weather.get(&(slot, self.place(to))).copied().unwrap_or_default()
    }

    /// Sets the weather between a proxy and a store.
    pub fn set_weather(&mut self, slot: usize, to: Backend, weather: Weather) {
        let place = self.place(to);
        self.weather.insert((slot, place), weather);
    }

    /// Fine weather everywhere.
    pub fn clear_weather(&mut self) {
        self.weather.clear();
    }

    fn place(&self, of: Backend) -> usize {
        match of {
            Backend::Meta => 0,
            Backend::Primary(primary) => 1 + primary,
            Backend::Shard(shard, _) => 1 + self.primaries.len() + shard,
        }
    }

    /// The primary of a user, as an index.
    pub fn primary_of(&self, user: UserId) -> usize {
        usize::from(self.topology.primary_of(scrip_shard_config::Tail::of_user(user.get())).0)
    }
}

/// A handle of the world. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sim(Arc<Mutex<World>>);

impl Sim {
    /// A world to share.
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// The world; never held across an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock()
    }

    /// Waits while the server is frozen; `false`: it is not alive any more.
    pub async fn thawed(&self, of: Backend, life: u32) -> bool {
        loop {
            let changed = Arc::clone(&self.world().host(of).changed);
            let changed = changed.notified();
            let (is_frozen, alive) = {
                let mut world = self.world();
                let host = world.host(of);
                (host.frozen, host.up && host.life == life)
            };
            match (alive, is_frozen) {
                (false, _) => return false,
                (true, false) => return true,
                (true, true) => changed.await,
            }
        }
    }

    /// Lets faults happen that wait for this moment.
    pub async fn moment(&self, moment: Moment) {
        let is_due = {
            let mut world = self.world();
            world.calls += u64::from(moment.done);
            super::fault::come(&mut world, moment)
        };
        if is_due {
            // The fault comes first.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        }
    }
}
