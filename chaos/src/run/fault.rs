//! Everything that can break, as data: a fault names its place, and reads as a sentence.

mod words;

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
