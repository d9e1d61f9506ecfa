//! What an answer means for the entry that was sent.

use scrip_protocol::code::{Disposition, Fault};
use scrip_protocol::v1::Code;

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has this result, for good.
    Result(Code),
    /// It stays pending: not now, or not known.
    Again,
    /// The same, and so do all others: the template cannot be claimed yet.
    Wait,
}

/// The verdict on an answer. A template that is a draft, paused or not yet to be claimed is waited for; one that is
/// closed, over or sold out is a result. An answer is only ever a result if it says what became of all sends of the claim:
/// the pipeline looks a claim up before it refuses it by a rule.
pub(super) fn verdict(code: Code) -> Verdict {
    match code {
        Code::TemplateNotPublished | Code::TemplatePaused | Code::ClaimNotStarted => Verdict::Wait,
        // Only a cancelled job asks.
        Code::ClaimNotFound => Verdict::Result(Code::BulkJobCancelled),
        Code::RateLimited => Verdict::Again,
        code => match (code.disposition(), code.fault()) {
            (Some(Disposition::Applied), _) => Verdict::Result(code),
            (Some(Disposition::NotApplied), Some(Fault::Rules | Fault::Caller)) => Verdict::Result(code),
            (Some(Disposition::NotApplied), Some(Fault::Service) | None) => Verdict::Again,
            (Some(Disposition::Unknown) | None, _) => Verdict::Again,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        for (code, expect) in [
            (Code::Ok, Verdict::Result(Code::Ok)),
            (Code::SoldOut, Verdict::Result(Code::SoldOut)),
            (Code::LimitReached, Verdict::Result(Code::LimitReached)),
            (Code::TemplateClosed, Verdict::Result(Code::TemplateClosed)),
            (Code::ClaimEnded, Verdict::Result(Code::ClaimEnded)),
            (Code::TemplateNotFound, Verdict::Result(Code::TemplateNotFound)),
            (Code::ClaimNotFound, Verdict::Result(Code::BulkJobCancelled)),
            (Code::TemplateNotPublished, Verdict::Wait),
            (Code::TemplatePaused, Verdict::Wait),
            (Code::ClaimNotStarted, Verdict::Wait),
            (Code::Unspecified, Verdict::Again),
            (Code::OutcomeUnknown, Verdict::Again),
            (Code::RateLimited, Verdict::Again),
        ] {
            assert_eq!(verdict(code), expect, "{code:?}");
        }
        for code in Code::ALL.iter().filter(|code| code.fault() == Some(Fault::Service)) {
            assert_eq!(verdict(*code), Verdict::Again, "{code:?}");
        }
    }
}
