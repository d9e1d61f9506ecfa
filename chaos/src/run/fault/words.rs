//! Faults in words.

use std::fmt;

use super::{Fault, Order, Party, Planned, PrimaryFault, ProxyFault, ShardFault, Trouble, Which, Wire};
use crate::testbed::{CutAt, Direction};

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
