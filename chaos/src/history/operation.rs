//! What operators did to templates, and what they were told.

use std::time::Duration;

use scrip_client::{Code, Disposition, ReplenishError, RequestId, SetStatusError, StockChange, Template, TemplateId};

use super::{History, index_of_last, micros};

/// The number of an operation in its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationIndex(pub u32);

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// More units, or fewer (negative), once under this id.
    Stock {
        /// How many.
        units: i64,
        /// The same id changes the stock once.
        id: RequestId,
    },
    /// Claims are to be refused until the template is resumed.
    Pause,
    /// Claims are to be served again.
    Resume,
    /// Claims are to be refused for good.
    Close,
}

/// What an operator was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationTold {
    /// No answer yet.
    Nothing,
    /// The template has that status.
    Done,
    /// The stock was changed.
    Changed {
        /// By so many units; negative: withdrawn.
        units: i64,
        /// To this total.
        total_stock: u64,
    },
    /// Not applied, and why.
    NotApplied(Code),
    /// It may or may not have been applied.
    Unknown(Code),
}

/// One thing that an operator did, once. A repetition under the same id is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// To which template.
    pub template: TemplateId,
    /// What.
    pub action: Action,
    /// Not later than it left, in microseconds since the start.
    pub sent_at_us: u64,
    /// Not sooner than the answer came, in microseconds since the start.
    pub answered_at_us: u64,
    /// What came back.
    pub told: OperationTold,
}

impl OperationTold {
    /// What the client's result of a change of stock means.
    pub fn of_stock(result: &Result<StockChange, ReplenishError>) -> Self {
        match result {
            Ok(change) => Self::Changed { units: change.units_applied, total_stock: change.total_stock },
            Err(error) => Self::failed(error.disposition(), error.code()),
        }
    }

    /// What the client's result of a change of status means.
    pub fn of_status(result: &Result<Template, SetStatusError>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) => Self::failed(error.disposition(), error.code()),
        }
    }

    fn failed(disposition: Disposition, code: Code) -> Self {
        match disposition {
            Disposition::NotApplied => Self::NotApplied(code),
            Disposition::Applied | Disposition::Unknown => Self::Unknown(code),
        }
    }
}

impl History {
    /// An operator is about to do something.
    ///
    /// # Panics
    /// With the 4,294,967,296th operation.
    pub fn operating(&mut self, template: TemplateId, action: Action, at: Duration) -> OperationIndex {
        let told = OperationTold::Nothing;
        self.operations.push(Operation { template, action, sent_at_us: micros(at), answered_at_us: 0, told });
        OperationIndex(index_of_last(self.operations.len()))
    }

    /// The answer to an operation has come. Only the first counts: there is no second.
    pub fn operated(&mut self, operation: OperationIndex, at: Duration, told: OperationTold) {
        let unanswered = |operation: &&mut Operation| operation.told == OperationTold::Nothing;
        if let Some(operation) = self.operations.get_mut(operation.0 as usize).filter(unanswered) {
            operation.told = told;
            operation.answered_at_us = micros(at);
        }
    }

    /// Whether somebody wanted a template closed for good.
    pub fn is_closed(&self, template: TemplateId) -> bool {
        let closes = |operation: &Operation| operation.template == template && operation.action == Action::Close;
        self.operations.iter().any(closes)
    }

    /// The operations, by number.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }
}
