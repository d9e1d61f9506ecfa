//! Everything that can break, as data: a fault names its place, and reads as a sentence.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::testbed::{CutAt, Direction};

/// One of several, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Every one.
    All,
    /// The one with this number.
    One(usize),
}

/// The end of a link that is not the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// A client.
    Client(Which),
    /// A primary. The first one holds meta.
    Primary(usize),
    /// A Redis shard.
    Shard(usize),
}

/// The links between these proxies and that party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// Whose.
    pub proxy: Which,
    /// To whom.
    pub party: Party,
}

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Living connections are reset, and new ones served.
    Cut,
    /// Living and new connections are reset.
    Refused,
    /// The next connection to carry so many bytes in this direction is cut.
    CutAfterBytes(Direction, u64),
    /// The next transaction that inserts coupons is cut around its statement.
    CutAtInsert(CutAt),
    /// Everything in this direction is held and delivered at the end.
    OneWay(Direction),
    /// Everything is held, and delivered at the end.
    BlackHole,
    /// Everything comes this much later.
    Delay(Duration),
    /// Everything comes later by a random part of this.
    Jitter(Duration),
    /// Everything comes in pieces of so many bytes.
    TinyChunks(usize),
    /// So many bytes a second pass on each connection.
    Bandwidth(u64),
}

/// What happens to a primary. The second part is what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrimaryFault {
    /// SIGKILL; restarted with its data.
    Killed,
    /// SIGSTOP; SIGCONT.
    Frozen,
    /// A copy of its data is taken; the server is killed, and one with that copy takes its place: a replica that lacks the
    /// last commits is promoted. Never done to the primary that holds meta.
    FailedOver,
    /// It refuses all writes and serves reads, as a managed server does whose disk is full; it takes them again.
    WritesRefused,
    /// Its file system is full; there is room again. Only of the last primary, which has one of its own.
    DiskFull,
}

/// What happens to a Redis shard. The second part is what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardFault {
    /// SIGKILL; restarted with nothing.
    Killed,
    /// SIGSTOP; SIGCONT.
    Frozen,
    /// A copy of its data is taken; it is killed and restarted with that copy.
    OldData,
    /// All keys and functions are deleted.
    Flushed,
    /// A replica is promoted in its place; it resynchronises from the replica and is promoted again, its run_id unchanged.
    FailedOverAndBack,
    /// A replica is promoted, and only the last proxy goes there; all go to the first one again.
    SplitBrain,
    /// SIGKILL, and it stays away until the template is sold out.
    DeadForGood,
}

/// What happens to a proxy. The second part is what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyFault {
    /// SIGKILL; restarted.
    Killed,
    /// SIGSTOP; SIGCONT.
    Frozen,
    /// SIGTERM: it drains; restarted.
    Drained,
}

/// What an operator does to the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// More units, or fewer.
    Stock(i64),
    /// Paused; resumed.
    Paused,
}

/// Something that strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// On links.
    Link(Wire, Trouble),
    /// On a primary.
    Primary(usize, PrimaryFault),
    /// On a shard.
    Shard(usize, ShardFault),
    /// On a proxy.
    Proxy(usize, ProxyFault),
    /// By an operator. No fault, but it comes at its time like one.
    Operator(Order),
}

/// A process that faults are done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessOf {
    Primary(usize),
    Shard(usize),
    Proxy(usize),
}

impl Fault {
    /// The process that it is done to; none: links, and orders of operators.
    pub(super) fn process(&self) -> Option<ProcessOf> {
        match *self {
            Self::Primary(primary, _) => Some(ProcessOf::Primary(primary)),
            Self::Shard(shard, _) => Some(ProcessOf::Shard(shard)),
            Self::Proxy(proxy, _) => Some(ProcessOf::Proxy(proxy)),
            Self::Link(..) | Self::Operator(_) => None,
        }
    }
}

/// A fault in its time, counted from the start of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// When it strikes.
    pub from: Duration,
    /// When it is mended.
    pub until: Duration,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("s"),
            Self::One(number) => write!(f, " {number}"),
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.proxy;
        match self.party {
            Party::Client(client) => write!(f, "client{client} - proxy{proxy}"),
            Party::Primary(0) => write!(f, "proxy{proxy} - primary 0 (and meta)"),
            Party::Primary(primary) => write!(f, "proxy{proxy} - primary {primary}"),
            Party::Shard(shard) => write!(f, "proxy{proxy} - shard {shard}"),
        }
    }
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "requests",
        Direction::ToClient => "answers",
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("cut"),
            Self::Refused => f.write_str("refused"),
            Self::CutAfterBytes(direction, bytes) => write!(f, "cut after {bytes} bytes of {}", arrow(*direction)),
            Self::CutAtInsert(CutAt::BeforeRequest) => f.write_str("cut before a transaction arrives"),
            Self::CutAtInsert(CutAt::BeforeAnswer) => f.write_str("cut between a commit and its answer"),
            Self::OneWay(direction) => write!(f, "one-way: {} are held", arrow(*direction)),
            Self::BlackHole => f.write_str("black hole"),
            Self::Delay(delay) => write!(f, "{delay:?} late"),
            Self::Jitter(jitter) => write!(f, "up to {jitter:?} late"),
            Self::TinyChunks(bytes) => write!(f, "pieces of {bytes} bytes"),
            Self::Bandwidth(bytes) => write!(f, "{bytes} bytes a second"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(wire, trouble) => write!(f, "{wire}: {trouble}"),
            Self::Primary(primary, fault) => write!(f, "primary {primary}: {}", of_primary(*fault)),
            Self::Shard(shard, fault) => write!(f, "shard {shard}: {}", of_shard(*fault)),
            Self::Proxy(proxy, fault) => write!(f, "proxy {proxy}: {}", of_proxy(*fault)),
            Self::Operator(Order::Stock(units)) => write!(f, "operator: {units:+} units"),
            Self::Operator(Order::Paused) => f.write_str("operator: paused"),
        }
    }
}

fn of_primary(fault: PrimaryFault) -> &'static str {
    match fault {
        PrimaryFault::Killed => "killed",
        PrimaryFault::Frozen => "frozen",
        PrimaryFault::FailedOver => "fails over to a replica that lacks the commits since",
        PrimaryFault::WritesRefused => "refuses writes",
        PrimaryFault::DiskFull => "disk full",
    }
}

fn of_shard(fault: ShardFault) -> &'static str {
    match fault {
        ShardFault::Killed => "killed",
        ShardFault::Frozen => "frozen",
        ShardFault::OldData => "restarts with the data of now",
        ShardFault::Flushed => "flushed",
        ShardFault::FailedOverAndBack => "fails over to a replica and back",
        ShardFault::SplitBrain => "split brain",
        ShardFault::DeadForGood => "dead for good",
    }
}

fn of_proxy(fault: ProxyFault) -> &'static str {
    match fault {
        ProxyFault::Killed => "killed",
        ProxyFault::Frozen => "frozen",
        ProxyFault::Drained => "drained",
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, until, fault } = self;
        write!(f, "{:>6.2} s to {:>6.2} s  {fault}", from.as_secs_f64(), until.as_secs_f64())
    }
}

/// [`Planned`] as data.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PlannedReport {
    pub(super) from_ms: u64,
    pub(super) until_ms: u64,
    pub(super) fault: String,
}

impl From<&Planned> for PlannedReport {
    fn from(planned: &Planned) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { from_ms: ms(planned.from), until_ms: ms(planned.until), fault: planned.fault.to_string() }
    }
}
