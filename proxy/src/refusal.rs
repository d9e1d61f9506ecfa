//! The one place where errors become codes of the wire. Every match is exhaustive: a new error has to say whose fault
//! it is and whether the request was applied.

use scrip_protocol::v1::Code;

use crate::settle::SettleError;
use crate::store::bulk::BulkError;
use crate::store::exchange::ExchangeError;
use crate::store::{FenceError, MetaError, StoreError};

/// An answer other than OK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the caller's program reads.
    pub code: Code,
    /// What the caller's people read.
    pub detail: String,
}

/// What a failed call would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it only reads.
    Read,
    /// It changes something.
    Write,
}

impl Refusal {
    /// A refusal with words of its own.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// A failed call to meta.
    pub fn of_meta(error: &MetaError, effect: Effect) -> Self {
        let code = match error {
            MetaError::TemplateNotFound => Code::TemplateNotFound,
            MetaError::RequestIdReused => Code::RequestIdReused,
            MetaError::Status(_) => Code::InvalidTransition,
            MetaError::WithdrawalPending => Code::Contended,
            MetaError::Limit(_) => Code::InvalidRequest,
            MetaError::Store(error) => of_store(error, Code::MetaUnavailable, effect),
        };
        Self::new(code, error.to_string())
    }

    /// A failed call to a primary.
    pub fn of_primary(error: &StoreError, effect: Effect) -> Self {
        Self::new(of_store(error, Code::PrimaryUnavailable, effect), error.to_string())
    }

    /// A request about a bulk job that failed.
    pub fn of_bulk(error: &BulkError, effect: Effect) -> Self {
        let code = match error {
            BulkError::NotFound => Code::BulkJobNotFound,
            BulkError::TemplateNotFound => Code::TemplateNotFound,
            BulkError::RequestIdReused => Code::RequestIdReused,
            BulkError::Sealed => Code::BulkJobSealed,
            BulkError::Cancelled => Code::BulkJobCancelled,
            BulkError::State(_) => Code::InvalidTransition,
            BulkError::CountMismatch { .. } | BulkError::OtherUsers => Code::BulkCountMismatch,
            BulkError::Contended => Code::Contended,
            BulkError::Meta(error) => of_store(error, Code::MetaUnavailable, effect),
            BulkError::Primary { error, .. } => of_store(error, Code::PrimaryUnavailable, effect),
        };
        Self::new(code, error.to_string())
    }

    /// A request about exchange codes that failed.
    pub fn of_exchange(error: &ExchangeError, effect: Effect) -> Self {
        let code = match error {
            ExchangeError::NotFound => Code::CodeInvalid,
            ExchangeError::TemplateNotFound => Code::TemplateNotFound,
            ExchangeError::RequestIdReused => Code::RequestIdReused,
            ExchangeError::Full => Code::StoreRefused,
            ExchangeError::Meta(error) => of_store(error, Code::MetaUnavailable, effect),
        };
        Self::new(code, error.to_string())
    }

    /// A settle that stopped, before anything that the caller asked for took effect.
    pub fn of_settle(error: &SettleError) -> Self {
        let code = match error {
            SettleError::Primary { error, .. } => match error {
                FenceError::OtherServer | FenceError::Store(_) => Code::PrimaryUnavailable,
                FenceError::LedgerMissing(_) => Code::StoreRefused,
            },
            SettleError::PrimariesChanged => Code::Contended,
            SettleError::Meta(error) => return Self::of_meta(error, Effect::Read),
            SettleError::Cancelled => Code::Draining,
        };
        Self::new(code, error.to_string())
    }
}

fn of_store(error: &StoreError, unreachable: Code, effect: Effect) -> Code {
    match (error, effect) {
        (StoreError::Unreachable(_), _) | (StoreError::Unknown(_), Effect::Read) => unreachable,
        (StoreError::Refused(_), _) => Code::StoreRefused,
        (StoreError::Unknown(_), Effect::Write) => Code::OutcomeUnknown,
    }
}
