//! What a code means.

use crate::v1::Code;

/// What became of the request: every code has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// It took effect.
    Applied,
    /// It did not and will not take effect: safe to try anew.
    NotApplied,
    /// It may or may not: ask again with the same request id.
    Unknown,
}

impl Code {
    /// What became of the request. `None` for [`Code::Unspecified`], which no proxy sends.
    pub fn disposition(self) -> Option<Disposition> {
        match self {
            Code::Unspecified => None,
            Code::Ok => Some(Disposition::Applied),
            Code::OutcomeUnknown => Some(Disposition::Unknown),
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
            | Code::Overloaded
            | Code::RateLimited
            | Code::DeadlineExceeded
            | Code::Draining
            | Code::NotReady
            | Code::PrimaryUnavailable
            | Code::StockUnavailable
            | Code::MetaUnavailable
            | Code::StoreRefused
            | Code::Contended => Some(Disposition::NotApplied),
        }
    }
}
