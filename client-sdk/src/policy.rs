//! What to do with an answer that is not OK: the one place that decides.

use scrip_protocol::v1::Code;

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
        Code::Unspecified | Code::Ok => Advice::Final,
        Code::MalformedFrame
        | Code::FrameTooLarge
        | Code::InvalidRequest
        | Code::UnsupportedVersion
        | Code::Unauthenticated
        | Code::DuplicateCorrelationId
        | Code::RequestIdReused
        | Code::TemplateNotFound
        | Code::TemplateNotPublished
        | Code::TemplatePaused
        | Code::TemplateClosed
        | Code::ClaimNotStarted
        | Code::ClaimEnded
        | Code::SoldOut
        | Code::LimitReached
        | Code::ClaimNotFound
        | Code::InvalidTransition
        | Code::DailyLimitReached
        | Code::DeadlineExceeded => Advice::Final,
        Code::RateLimited
        | Code::PrimaryUnavailable
        | Code::StockUnavailable
        | Code::MetaUnavailable
        | Code::Contended
        | Code::OutcomeUnknown => Advice::Again,
        Code::HelloRequired | Code::TopologyMismatch | Code::Overloaded | Code::NotReady | Code::StoreRefused => {
            Advice::Elsewhere
        }
        Code::Draining => Advice::MoveOn,
    }
}

pub(crate) fn kind(code: Code) -> Kind {
    match code {
        Code::MalformedFrame
        | Code::FrameTooLarge
        | Code::InvalidRequest
        | Code::UnsupportedVersion
        | Code::HelloRequired
        | Code::Unauthenticated
        | Code::TopologyMismatch
        | Code::DuplicateCorrelationId
        | Code::RequestIdReused
        | Code::TemplateNotFound
        | Code::TemplateNotPublished
        | Code::TemplatePaused
        | Code::TemplateClosed
        | Code::ClaimNotStarted
        | Code::ClaimEnded
        | Code::SoldOut
        | Code::LimitReached
        | Code::ClaimNotFound
        | Code::InvalidTransition
        | Code::DailyLimitReached => Kind::Rejected,
        Code::Overloaded
        | Code::RateLimited
        | Code::DeadlineExceeded
        | Code::Draining
        | Code::NotReady
        | Code::PrimaryUnavailable
        | Code::StockUnavailable
        | Code::MetaUnavailable
        | Code::StoreRefused
        | Code::Contended => Kind::Unavailable,
        Code::Unspecified | Code::Ok | Code::OutcomeUnknown => Kind::Unknown,
    }
}

/// Whether this refusal also settles what became of an *earlier* attempt whose answer was lost and that may still be running in
/// another proxy. Only the limit per user does: the rows that fill it are never deleted, and none of them carries the request id, so
/// the earlier attempt cannot get in any more. While it is still running a pause can be lifted, stock can be replenished, and a new day
/// can begin.
pub(crate) fn settles_earlier_attempts(code: Code) -> bool {
    match code {
        Code::LimitReached => true,
        Code::Unspecified
        | Code::Ok
        | Code::MalformedFrame
        | Code::FrameTooLarge
        | Code::InvalidRequest
        | Code::UnsupportedVersion
        | Code::HelloRequired
        | Code::Unauthenticated
        | Code::TopologyMismatch
        | Code::DuplicateCorrelationId
        | Code::RequestIdReused
        | Code::TemplateNotFound
        | Code::TemplateNotPublished
        | Code::TemplatePaused
        | Code::TemplateClosed
        | Code::ClaimNotStarted
        | Code::ClaimEnded
        | Code::SoldOut
        | Code::ClaimNotFound
        | Code::InvalidTransition
        | Code::DailyLimitReached
        | Code::Overloaded
        | Code::RateLimited
        | Code::DeadlineExceeded
        | Code::Draining
        | Code::NotReady
        | Code::PrimaryUnavailable
        | Code::StockUnavailable
        | Code::MetaUnavailable
        | Code::StoreRefused
        | Code::Contended
        | Code::OutcomeUnknown => false,
    }
}

/// Whether this answer to `Hello` means that people must mend something before this client is served.
pub(crate) fn refuses_the_client(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::TopologyMismatch | Code::UnsupportedVersion | Code::InvalidRequest)
}
