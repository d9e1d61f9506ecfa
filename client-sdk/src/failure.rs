//! How one request failed, before it becomes the error of an operation.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use scrip_protocol::v1::Code;
use scrip_protocol::{Disposition, TemplateId};

/// What is known about a request that failed. A failure that the client finds by itself, without a proxy, carries the code that a
/// proxy would have used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub(crate) code: Code,
    pub(crate) number: i32,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) template: Option<TemplateId>,
    pub(crate) sent: u32,
}

impl Failure {
    /// A failure that this side found.
    pub(crate) fn local(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, number: code as i32, detail: detail.into(), retry_after: None, template: None, sent: 0 }
    }

    /// An attempt may have taken effect; `last` is what was heard since, if anything.
    pub(crate) fn in_doubt(last: Option<&Failure>, why: &'static str) -> Self {
        let detail = match last {
            None => Cow::Borrowed(why),
            Some(last) => Cow::Owned(format!("{why}; the last answer was {last}")),
        };
        Self::local(Code::OutcomeUnknown, detail)
    }

    /// The code. [`Code::Unspecified`] for one that a newer proxy sent; then [`Failure::number`] tells more.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The number of the code as it was sent.
    pub fn number(&self) -> i32 {
        self.number
    }

    /// What was wrong and how to mend it, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// When the proxy advises to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Of a pack: the template of the item that the refusal is about.
    pub fn template(&self) -> Option<TemplateId> {
        self.template
    }

    /// How many times the request was written to a connection.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// What became of the request. The range of the number decides, so that a code that this version does not know has a meaning
    /// too; a number outside of the ranges, or one that claims success, tells nothing.
    pub fn disposition(&self) -> Disposition {
        match Disposition::of_number(self.number) {
            Disposition::NotApplied => Disposition::NotApplied,
            Disposition::Applied | Disposition::Unknown => Disposition::Unknown,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Code::Unspecified => write!(f, "code {}", self.number)?,
            code => f.write_str(code.as_str_name().strip_prefix("CODE_").unwrap_or(code.as_str_name()))?,
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disposition_follows_the_ranges_of_the_numbers() {
        for number in -1..=120 {
            let code = Code::try_from(number).unwrap_or_default();
            let failure = Failure { number, ..Failure::local(code, "") };
            let expected = match code {
                Code::Unspecified | Code::Ok => None,
                code => code.disposition(),
            };
            if let Some(expected) = expected {
                assert_eq!(failure.disposition(), expected, "{number}");
            }
        }
    }
}
