//! What orders did with coupons: each *deed* is one thing that one order wants of its coupons, sent any number of times.

use std::time::Duration;

use scrip_client::{Code, Coupon, Disposition, OrderError, OrderId, TemplateId, UserId};
use scrip_protocol::v1::StepKind;
use serde::{Deserialize, Serialize};

use super::{History, index_of_last, micros};

/// The number of a deed in its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeedIndex(pub u32);

/// The number of a send of a deed in its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeedSendIndex(pub u32);

/// What an order may want of its coupons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Act {
    /// To hold them.
    Lock,
    /// To use them.
    Redeem,
    /// To free them.
    Unlock,
    /// To give them back.
    Return,
}

impl Act {
    /// The steps that it writes.
    pub fn kinds(self) -> &'static [StepKind] {
        match self {
            Self::Lock => &[StepKind::Locked],
            Self::Redeem => &[StepKind::Redeemed],
            Self::Unlock => &[StepKind::Unlocked, StepKind::Barred],
            Self::Return => &[StepKind::Returned],
        }
    }
}

/// One thing that an order wants, once: of all of its coupons or of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Whose coupons.
    pub user: UserId,
    /// The order. No other history has it.
    pub order: OrderId,
    /// What it wants.
    pub act: Act,
    /// The coupons: the user's seq-th of the template. The same ones in every deed of the order.
    pub coupons: Vec<(TemplateId, u16)>,
}

/// What a send of a deed brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeedTold {
    /// No answer yet.
    Nothing,
    /// It is done, now or before.
    Done,
    /// Not applied, and why.
    NotApplied(Code),
    /// It may or may not have been applied.
    Unknown(Code),
}

/// One send of a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeedSent {
    /// Of which.
    pub deed: DeedIndex,
    /// Not later than it left, in microseconds since the start.
    pub sent_at_us: u64,
    /// Not sooner than the answer came, in microseconds since the start.
    pub answered_at_us: u64,
    /// What came back.
    pub told: DeedTold,
}

impl DeedTold {
    /// What the client's result means.
    pub fn of(result: &Result<Vec<Coupon>, OrderError>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) => match error.disposition() {
                Disposition::NotApplied => Self::NotApplied(error.code()),
                Disposition::Applied | Disposition::Unknown => Self::Unknown(error.code()),
            },
        }
    }

    /// What a code that is not OK means.
    pub fn refused(code: Code) -> Self {
        match code.disposition() {
            Some(Disposition::NotApplied) => Self::NotApplied(code),
            Some(Disposition::Applied | Disposition::Unknown) | None => Self::Unknown(code),
        }
    }

    /// It brought no definite answer.
    pub fn is_doubt(self) -> bool {
        matches!(self, Self::Nothing | Self::Unknown(_))
    }
}

impl History {
    /// An order wants something; it is not sent yet.
    ///
    /// # Panics
    /// With the 4,294,967,296th deed.
    pub fn deed(&mut self, deed: Deed) -> DeedIndex {
        self.deeds.push(deed);
        DeedIndex(index_of_last(self.deeds.len()))
    }

    /// A deed is about to be sent.
    ///
    /// # Panics
    /// With the 4,294,967,296th send.
    pub fn deed_sent(&mut self, deed: DeedIndex, at: Duration) -> DeedSendIndex {
        self.deed_sends.push(DeedSent { deed, sent_at_us: micros(at), answered_at_us: 0, told: DeedTold::Nothing });
        DeedSendIndex(index_of_last(self.deed_sends.len()))
    }

    /// The answer to a send has come. Only the first counts: there is no second.
    pub fn deed_answered(&mut self, send: DeedSendIndex, at: Duration, told: DeedTold) {
        let unanswered = |sent: &&mut DeedSent| sent.told == DeedTold::Nothing;
        if let Some(sent) = self.deed_sends.get_mut(send.0 as usize).filter(unanswered) {
            sent.told = told;
            sent.answered_at_us = micros(at);
        }
    }

    /// The deeds, by number.
    pub fn deeds(&self) -> &[Deed] {
        &self.deeds
    }

    /// The sends of deeds, by number.
    pub fn deed_sends(&self) -> &[DeedSent] {
        &self.deed_sends
    }
}
