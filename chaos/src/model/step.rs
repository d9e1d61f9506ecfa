//! One step of a run, and how a person reads it.

use std::fmt;

use super::bound::Change;
use super::state::NewRow;

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    Conflict,
    Fenced,
}

/// What a look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The coupon of this very request.
    Own,
    /// The user has as many as the limit allows.
    Limit,
    /// Neither; this is the next number.
    Next(u8),
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Deduct { claim: usize, process: usize, sub_stock: usize, epoch: u8, left: u8 },
    Send { primary: usize, first: usize, second: Option<usize> },
    Arrive { primary: usize, rows: [Option<NewRow>; 2], late: bool, outcome: Outcome },
    ConnectionLost { primary: usize, rows: [Option<NewRow>; 2] },
    CheckFence { primary: usize, rows: [Option<NewRow>; 2] },
    GiveUpWaiting { claim: usize },
    TurnBack { claim: usize },
    LookUp { claim: usize, found: Found },
    Release { process: usize, sub_stock: usize, epoch: u8, left: u8 },
    Prepare { settle: usize, sub_stock: usize, process: usize },
    Advance { settle: usize, epoch: u8 },
    AskLate { settle: usize },
    ReadIssued { settle: usize, primary: usize, issued: u8 },
    Raise { settle: usize, primary: usize, epoch: u8, up: bool, issued: u8 },
    SkipLastFence { settle: usize },
    Count { settle: usize, count: u8, sold_out: bool },
    Move { settle: usize, units: u8, to: usize },
    Install { settle: usize, process: usize, epoch: u8, count: u8, done: bool },
    Change { change: Change },
    RedisEmpty { process: usize },
    RedisOld { process: usize },
    RedisThereAndBack { process: usize },
    RedisSaves,
    RedisSplits,
    KeyVanishes { process: usize, sub_stock: usize },
    ReplicaCatchesUp { primary: usize },
    FailOver { primary: usize, lost: bool },
    MetaRestored,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Step::*;
        match *self {
            Deduct { .. } | Send { .. } | GiveUpWaiting { .. } | TurnBack { .. } | LookUp { .. } => self.of_a_claim(f),
            Arrive { primary, rows, late, outcome } => arrive(f, primary, &rows, late, outcome),
            ConnectionLost { primary, rows } => {
                write!(
                    f,
                    "the connection to the replaced server of primary {primary} ends, and with it the record of "
                )?;
                claims(f, &rows)
            }
            CheckFence { primary, rows } => {
                write!(f, "primary {primary} checks the fence, without a lock, for the record of ")?;
                claims(f, &rows)
            }
            Release { process, sub_stock, epoch, left } => {
                write!(f, "redis {process}: a release of epoch {epoch} arrives; sub-stock {sub_stock} has {left} left")
            }
            Change { change } => change.fmt(f),
            RedisEmpty { .. } | RedisOld { .. } | RedisThereAndBack { .. } | RedisSaves | RedisSplits => {
                self.of_redis(f)
            }
            KeyVanishes { process, sub_stock } => {
                write!(f, "redis {process}: the key of sub-stock {sub_stock} vanishes")
            }
            ReplicaCatchesUp { primary } => write!(f, "the replica of primary {primary} catches up"),
            FailOver { primary, lost } => {
                let lost = if lost { ", which lacks the last commits" } else { "" };
                write!(f, "primary {primary} fails over to its replica{lost}")
            }
            MetaRestored => write!(f, "meta is restored; the epochs restart"),
            _ => self.of_a_settle(f),
        }
    }
}

impl Step {
    fn of_a_claim(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Deduct { claim, process, sub_stock, epoch, left } => write!(
                f,
                "claim {claim} gets a unit of sub-stock {sub_stock} from redis {process}: epoch {epoch}, {left} left"
            ),
            Self::Send { primary, first, second } => {
                write!(f, "claim {first}")?;
                if let Some(second) = second {
                    write!(f, ", and claim {second} in one transaction,")?;
                }
                write!(f, " is sent to primary {primary}")
            }
            Self::GiveUpWaiting { claim } => {
                write!(f, "the proxy of claim {claim} gives up waiting: the outcome of its record is unknown")
            }
            Self::TurnBack { claim } => write!(f, "claim {claim} is refused before it was sent to a primary"),
            Self::LookUp { claim, found } => {
                write!(f, "claim {claim} is looked up: ")?;
                match found {
                    Found::Own => write!(f, "its request has its coupon"),
                    Found::Limit => write!(f, "the user has reached the limit"),
                    Found::Next(seq) => write!(f, "nothing; the next number is {seq}"),
                }
            }
            _ => Ok(()),
        }
    }

    fn of_a_settle(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Prepare { settle, sub_stock, process } => {
                write!(
                    f,
                    "settle {settle} of sub-stock {sub_stock}, step 0: reads the nonce of redis {process}, and the servers"
                )
            }
            Self::Advance { settle, epoch } => write!(f, "settle {settle}, step 1: meta's epoch is now {epoch}"),
            Self::AskLate { settle } => write!(f, "settle {settle} asks for the servers only now"),
            Self::ReadIssued { settle, primary, issued } => {
                write!(f, "settle {settle} reads {issued} issued on primary {primary}, without a fence")
            }
            Self::Raise { settle, primary, epoch, up: true, issued } => {
                write!(
                    f,
                    "settle {settle}, step 2: primary {primary} has the fence of epoch {epoch}, and {issued} issued"
                )
            }
            Self::Raise { settle, primary, .. } => {
                write!(f, "settle {settle}, step 2: gives up at primary {primary}: a higher fence, or another server")
            }
            Self::SkipLastFence { settle } => write!(f, "settle {settle} does not wait for the last fence"),
            Self::Count { settle, count, sold_out } => {
                let sold_out = if sold_out { "; sold out" } else { "" };
                write!(f, "settle {settle}, step 3: {count} left{sold_out}")
            }
            Self::Move { settle, units, to } => {
                write!(f, "settle {settle}, step 3: the {units} left move to sub-stock {to}, which has a new epoch")
            }
            Self::Install { settle, process, epoch, count, done } => {
                let done = if done { "installed" } else { "refused" };
                write!(f, "settle {settle}, step 4: {count} units of epoch {epoch} {done} at redis {process}")
            }
            _ => Ok(()),
        }
    }

    fn of_redis(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::RedisEmpty { process } => write!(f, "redis {process} restarts empty"),
            Self::RedisOld { process } => write!(f, "redis {process} restarts with old data"),
            Self::RedisThereAndBack { process } => {
                write!(f, "redis {process} fails over to its replica and back: old counts, the same run_id")
            }
            Self::RedisSaves => write!(f, "the replica of redis 0 catches up, and so does its dump"),
            Self::RedisSplits => write!(f, "a second process with old data answers as the shard too: redis 1"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grow(sub_stock, units) => write!(f, "replenish: sub-stock {sub_stock} is allotted {units} more"),
            Self::Shrink(sub_stock, units) => write!(f, "shrink: sub-stock {sub_stock} is allotted {units} fewer"),
        }
    }
}

fn claims(f: &mut fmt::Formatter<'_>, rows: &[Option<NewRow>]) -> fmt::Result {
    for (index, row) in rows.iter().flatten().enumerate() {
        let and = if index > 0 { " and " } else { "" };
        write!(f, "{and}claim {}", row.claim)?;
    }
    Ok(())
}

fn arrive(
    f: &mut fmt::Formatter<'_>,
    primary: usize,
    rows: &[Option<NewRow>],
    late: bool,
    outcome: Outcome,
) -> fmt::Result {
    let late = if late { "late, " } else { "" };
    write!(f, "{late}at primary {primary}, the record of ")?;
    claims(f, rows)?;
    match outcome {
        Outcome::Committed => {
            write!(f, " commits (")?;
            for (index, row) in rows.iter().flatten().enumerate() {
                let and = if index > 0 { ", " } else { "" };
                write!(f, "{and}epoch {}, number {}", row.epoch, row.seq)?;
            }
            write!(f, ")")
        }
        Outcome::Conflict => write!(f, " meets another row and is undone"),
        Outcome::Fenced => write!(f, " is fenced and undone"),
    }
}
