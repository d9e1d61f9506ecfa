//! Packs: several coupons of several templates to one user, all or nothing, in one transaction.
//!
//! ```text
//! connection -> admission -> desk (a task a pack) -> stock lanes -> pack lane (one a primary) -> connection
//! ```
//!
//! The desk knows the templates, asks the lane what is there, takes the units of one template after the other through the
//! stock lanes, and hands all of them to the lane, which records them in one transaction. Units of packs and of claims come
//! from the same sub-stocks, through the same calls, and are counted in the same ledgers.
//!
//! Invariants:
//! - A request id is one pack: its row ([`PackRow`](crate::store::pack::PackRow)) is written in the transaction of its coupons.
//!   Whoever finds the row finds all of them; whoever finds it with other items is refused.
//! - Units are taken in the order of the template ids, and a pack waits for a template only with empty hands: so no two packs
//!   wait for each other, and what a pack cannot use is there for others.
//! - Units are given back at most once, each under the epoch of its grant, after the transaction that decided has ended, and
//!   never after one of unknown outcome.
//! - A rule refuses a pack only after it was looked up: a replay never gets a different answer. *Sold out* is said of an item
//!   when meta says it of the template, as for a claim.
//! - The transaction checks the fences of all units under a lock, so one fenced unit keeps all coupons from being issued. The
//!   numbers of the coupons follow those that were read on the same connection, so the limits hold as they do for claims. It
//!   locks as a batch of claims does: ledger rows in their order, then coupons in theirs, and last the packs.
//!
//! A proxy may be killed anywhere:
//!
//! | killed | what is left behind | what becomes of it |
//! |---|---|---|
//! | before or while units are taken | units that nobody holds | the next settle of their sub-stocks brings them back |
//! | with all units in hand | the same | the same; the caller's next send begins anew |
//! | in the transaction | all coupons and the pack's row, or none | the next send finds the row, or begins anew |
//! | after the commit | all coupons | the next send is a replay |
//! | while units are given back | some are given back, some are not | the next settle |

pub mod desk;
pub mod hand;
pub mod lane;
mod plan;
mod stock;

use std::sync::Arc;

use scrip_protocol::v1::Code;
use scrip_protocol::{RequestId, TemplateId};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::claim::Unit;
use crate::store::CouponRow;
use crate::store::pack::{PackItems, PackKey};
use crate::template::Template;

/// The request id of one coupon of a pack: the first 16 bytes of SHA-256 over the text `scrip pack REQUEST TEMPLATE UNIT`,
/// with the pack's request id in hexadecimal, and decimal numbers; the units of a template are numbered 1, 2, ... A text, so
/// that SQL can do it too.
#[must_use]
pub fn request_of(pack: RequestId, template: TemplateId, unit: u8) -> RequestId {
    let digest = Sha256::digest(format!("scrip pack {pack} {template} {unit}"));
    RequestId(std::array::from_fn(|at| digest[at]))
}

/// Some coupons of one template.
#[derive(Debug, Clone)]
pub struct Item {
    /// The template, as of when the pack last began.
    pub template: Arc<Template>,
    /// How many.
    pub count: u8,
}

/// A pack that is asked for.
#[derive(Debug, Clone)]
pub struct Pack {
    /// By whom, and under which request id.
    pub key: PackKey,
    /// In the caller's order.
    pub items: Vec<Item>,
    /// The same, as they are kept.
    pub kept: PackItems,
}

impl Pack {
    /// The request id of each of its coupons, in the order of the items.
    fn units(&self) -> impl Iterator<Item = (&Item, RequestId)> {
        self.items.iter().flat_map(|item| item.requests(self.key.request).map(move |request| (item, request)))
    }
}

impl Item {
    fn id(&self) -> TemplateId {
        self.template.record.template
    }

    /// The request ids of its coupons, in their order.
    fn requests(&self, pack: RequestId) -> impl Iterator<Item = RequestId> {
        let template = self.id();
        (1..=self.count).map(move |unit| request_of(pack, template, unit))
    }
}

/// What became of a pack at its lane.
#[derive(Debug)]
pub struct Verdict {
    /// What.
    pub outcome: Outcome,
    /// A transaction with its units was sent, and its outcome was unknown: they are never given back.
    pub burned: bool,
}

/// What a pack lane says.
#[derive(Debug)]
pub enum Outcome {
    /// Its coupons were recorded, in the order of the items.
    Made(Vec<CouponRow>),
    /// They had been recorded before.
    Found(Vec<CouponRow>),
    /// The same; those that are not there any more are archived.
    Partly(Vec<Option<CouponRow>>),
    /// It was only looked up: it is not there, and the user's limits leave room for it.
    Absent,
    /// A pack of other items has this request id.
    Reused,
    /// A rule stands against one of its items.
    Refused(TemplateId, Code),
    /// These of its units are of old epochs, and count no more.
    Fenced(Vec<Unit>),
    /// It was not decided.
    Failed(Code, String),
}

/// A pack at its lane: to be looked up, or to be recorded.
#[derive(Debug)]
pub struct PackTask {
    verdict: Option<oneshot::Sender<Verdict>>,
    /// The pack.
    pub pack: Arc<Pack>,
    /// The units of each item; `None`: it is only looked up.
    pub units: Option<Vec<Vec<Unit>>>,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// When it entered the queue: for the account of where time goes, and for nothing else.
    pub since: Instant,
    /// As in [`Verdict`].
    pub burned: bool,
    /// Units that were fenced after the outcome of an earlier transaction was unknown: it is looked up once more.
    pub fenced: Vec<Unit>,
}

impl PackTask {
    /// A pack on its way to its lane, and where the verdict comes from.
    pub fn new(
        pack: Arc<Pack>,
        units: Option<Vec<Vec<Unit>>>,
        deadline: Instant,
    ) -> (Self, oneshot::Receiver<Verdict>) {
        let (verdict, from) = oneshot::channel();
        let (since, burned, fenced) = (Instant::now(), false, Vec::new());
        (Self { verdict: Some(verdict), pack, units, deadline, since, burned, fenced }, from)
    }

    /// Tells the desk.
    pub fn end(&mut self, outcome: Outcome) {
        if let Some(verdict) = self.verdict.take() {
            // Who does not listen any more has stopped, as a crash would have stopped it.
            drop(verdict.send(Verdict { outcome, burned: self.burned }));
        }
    }

    /// It was not decided. While a transaction of it may yet commit, nothing is definite.
    pub fn fail(&mut self, code: Code, detail: &str) {
        if self.burned {
            return self.end(Outcome::Failed(
                Code::OutcomeUnknown,
                format!("{detail}; whether the pack was recorded is not known yet"),
            ));
        }
        self.end(Outcome::Failed(code, detail.to_owned()));
    }

    /// The desk was told.
    pub fn is_ended(&self) -> bool {
        self.verdict.is_none()
    }

    /// Its deadline has passed.
    pub fn is_late(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    /// All of its units.
    fn all_units(&self) -> impl Iterator<Item = Unit> {
        self.units.iter().flatten().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_never_change() {
        let check = |pack, template, unit, expect: &str| {
            let template = TemplateId::try_new(template).expect("not 0");
            assert_eq!(request_of(RequestId([pack; 16]), template, unit).to_string(), expect);
        };
        // printf 'scrip pack 07070707070707070707070707070707 42 1' | sha256sum
        check(7, 42, 1, "9bb6e5320fe4590cd76420c7502574fe");
        check(0, u32::MAX, 4, "076ecaed263816437dfc5b897f7c9fc5");
    }
}
