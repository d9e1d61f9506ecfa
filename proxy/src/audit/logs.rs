//! The operation logs of coupons on one primary, retraced.

use std::collections::BTreeMap;

use super::link::{Link, LinkError};
use super::meta::MetaView;
use super::scan::LISTED_MAX;
use super::sql;
use crate::order::rules::{Validity, retrace, spent};
use crate::store::mysql::LogLine;
use crate::store::steps::{CouponKey, CouponLog};
use crate::template::validity_ms;

/// All logs of a primary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Logs {
    pub(super) steps: u64,
    /// What the steps take from the budget of each template that has one, in minor units.
    pub(super) spent: BTreeMap<u32, i128>,
    /// What the primary says of it: granted and spent.
    pub(super) budgets: BTreeMap<u32, (u64, u64)>,
    /// At most [`LISTED_MAX`].
    pub(super) broken: Vec<BrokenLog>,
}

/// A log that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BrokenLog {
    pub(super) user: u64,
    pub(super) template: u32,
    pub(super) seq: u16,
    /// The first step that is wrong.
    pub(super) step: u16,
    pub(super) flaw: Flaw,
}

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Its coupon is not there.
    NoCoupon,
    /// The rules ask for something else.
    Broken { expected: String },
}

/// The log that is being put together, line by line.
struct Reader<'a> {
    before: &'a MetaView,
    logs: Logs,
    current: Option<CouponLog>,
    unreadable: Option<&'static str>,
}

impl Logs {
    /// Reads and retraces them, one at a time.
    pub(super) async fn read(link: &mut Link, before: &MetaView) -> Result<Logs, LinkError> {
        let mut reader = Reader { before, logs: Logs::default(), current: None, unreadable: None };
        link.each(sql::LOGS, |line: LogLine| {
            if let Err(what) = reader.add(&line) {
                reader.unreadable = Some(what);
            }
        })
        .await?;
        reader.end();
        let budgets: Vec<(u32, u64, u64)> = link.rows(sql::BUDGETS, ()).await?;
        let budget = |(template, granted, spent)| (template, (granted, spent));
        reader.logs.budgets = budgets.into_iter().map(budget).collect();
        match reader.unreadable {
            None => Ok(reader.logs),
            Some(what) => Err(LinkError(format!("a log of a coupon holds {what}"))),
        }
    }
}

impl Reader<'_> {
    fn add(&mut self, line: &LogLine) -> Result<(), &'static str> {
        self.logs.steps += 1;
        let Some(step) = line.step()? else { return Ok(()) };
        if self.before.templates.get(&line.template).is_some_and(|template| template.budget_minor > 0) {
            *self.logs.spent.entry(line.template).or_default() += i128::from(spent(&step));
        }
        let is_same =
            |key: CouponKey| (key.user.get(), key.template.get(), key.seq) == (line.user, line.template, line.seq);
        if line.request.is_empty() {
            self.end();
            if step.number == 1 {
                self.list((line.user, line.template, line.seq), step.number, Flaw::NoCoupon);
            }
            return Ok(());
        }
        if !self.current.as_ref().is_some_and(|log| is_same(log.row.key())) {
            self.end();
        }
        let row = line.coupon()?;
        self.current.get_or_insert_with(|| CouponLog { row, steps: Vec::new() }).steps.push(step);
        Ok(())
    }

    fn end(&mut self) {
        let Some(log) = self.current.take() else { return };
        let key = log.row.key();
        // A template that is younger than the reading of meta: its logs are left to the next audit.
        let Some(template) = self.before.templates.get(&key.template.get()) else { return };
        let (from_ms, until_ms) = validity_ms(template.validity.as_ref(), log.row.claimed_at_ms);
        if let Err((step, expected)) = retrace(&log, Validity { from_ms, until_ms }) {
            self.list((key.user.get(), key.template.get(), key.seq), step, Flaw::Broken { expected });
        }
    }

    fn list(&mut self, (user, template, seq): (u64, u32, u16), step: u16, flaw: Flaw) {
        if self.logs.broken.len() < LISTED_MAX {
            self.logs.broken.push(BrokenLog { user, template, seq, step, flaw });
        }
    }
}
