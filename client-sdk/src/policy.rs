//! What to do with an answer that is not OK: the one place that decides.

use scrip_protocol::v1::Code;
use scrip_protocol::{Disposition, Fault};

use crate::failure::Failure;

/// What a code means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    /// The same request gets the same answer again: tell the caller.
    Final,
    /// Send it again after a wait, out of the budget; where does not matter.
    Again,
    /// Send it again after a wait, out of the budget, rather to another proxy.
    Elsewhere,
    /// The proxy is leaving: send it to another one at once. Costs no budget, since nothing is overloaded.
    MoveOn,
}

/// Which kind of error a code is where an operation has no variant of its own for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something must change before the same request can succeed.
    Rejected,
    /// The same request may succeed later.
    Unavailable,
    /// The outcome is not known.
    Unknown,
}

pub(crate) fn advice(code: Code) -> Advice {
    match code {
        Code::RateLimited
        | Code::CodeGuessing
        | Code::PrimaryUnavailable
        | Code::StockUnavailable
        | Code::MetaUnavailable
        | Code::Contended
        | Code::OutcomeUnknown => Advice::Again,
        Code::HelloRequired | Code::TopologyMismatch | Code::Overloaded | Code::NotReady | Code::StoreRefused => {
            Advice::Elsewhere
        }
        Code::Draining => Advice::MoveOn,
        // The callers' faults, the rules, and a deadline that no attempt can keep any more.
        _ => Advice::Final,
    }
}

pub(crate) fn kind(failure: &Failure) -> Kind {
    let code = failure.code;
    match (code, code.disposition(), code.fault()) {
        (Code::RateLimited, ..) | (_, Some(Disposition::NotApplied), Some(Fault::Service)) => Kind::Unavailable,
        (_, Some(Disposition::NotApplied), Some(Fault::Caller | Fault::Rules)) => Kind::Rejected,
        // A code that a newer proxy added: its range says that much.
        _ if failure.disposition() == Disposition::NotApplied => Kind::Rejected,
        _ => Kind::Unknown,
    }
}

/// Whether this refusal also settles what became of an *earlier* attempt whose answer was lost and that may still be running in
/// another proxy: it can only be given once something stands in the way of that attempt for good.
///
/// - The limit per user: the rows that fill it stay while the template can be claimed, and none of them carries the request id. While the
///   earlier attempt is still running a pause can be lifted, stock can be replenished, and a new day can begin: those settle
///   nothing.
/// - A code that is none, or that other users have used up: what it is never changes, and uses are never given back.
/// - An order that is done with a coupon: it can never take it again, whatever the earlier attempt finds when it reads the
///   log; and if it was applied, the order has itself undone it since. That others hold or have used the coupon settles
///   nothing: the earlier attempt may have held it before them, or may read the log only once they have freed it.
pub(crate) fn settles_earlier_attempts(code: Code) -> bool {
    matches!(code, Code::LimitReached | Code::CodeInvalid | Code::CodeUsedUp | Code::OrderDone)
}

/// Whether this answer to `Hello` means that people must mend something before this client is served.
pub(crate) fn refuses_the_client(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::TopologyMismatch | Code::UnsupportedVersion | Code::InvalidRequest)
}
