//! What the patrol notes on a primary, and what must hold of what it writes.

use std::collections::BTreeMap;

use scrip_protocol::v1::StepKind;
use scrip_proxy::order::rules::Validity;
use scrip_proxy::order::rules::due::due;
use scrip_proxy::store::RecordError;
use scrip_proxy::store::events::Holder;
use scrip_proxy::store::patrol::{Position, Reminder, ReminderKey, Walked};
use scrip_proxy::store::steps::{CouponKey, Hold, NewStep};
use scrip_proxy::template::validity_ms;

use super::transaction::{Transaction, failed, refusal};
use super::{Data, Lock};
use crate::sim::mutant::Mutant;
use crate::sim::world::{EPOCH_MS, Sim, World};

/// What the patrol notes.
#[derive(Debug, Clone, Default)]
pub struct Patrolled {
    /// How far the walk has come.
    pub position: Position,
    /// Who patrols, unless nobody ever did.
    pub lease: Option<Lease>,
    /// The reminders that were made.
    pub reminders: BTreeMap<ReminderKey, Reminder>,
}

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it, or held it last.
    pub owner: String,
    /// Rises with every new holder.
    pub term: u64,
    /// When it ends, by the run's clock.
    pub until_ms: u64,
}

impl Patrolled {
    /// Takes the lease if it is over, or keeps one's own; whether it has another holder now.
    pub fn take(&mut self, owner: &str, now_ms: u64, lasts_ms: u64) -> bool {
        let (held_by, term, until_ms) =
            self.lease.as_ref().map_or(("", 0, 0), |lease| (&lease.owner, lease.term, lease.until_ms));
        let is_other = held_by != owner;
        if is_other && until_ms >= now_ms {
            return false;
        }
        self.lease =
            Some(Lease { owner: owner.to_owned(), term: term + u64::from(is_other), until_ms: now_ms + lasts_ms });
        is_other
    }

    /// Whether the lease is still this holder's.
    pub fn is_held_by(&self, holder: &Holder) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.owner == holder.owner && lease.term == holder.term)
    }
}

impl Data {
    /// The next coupons after a position. `skips`: a mutant, which does not go on within a user.
    pub fn walk(&self, after: Position, count_max: usize, skips: bool) -> Vec<Walked> {
        let rows = self.coupons.iter().map(|(key, row)| self.row(*key, row));
        let mut rows: Vec<_> = rows.map(|row| (Position::of(&row), row)).collect();
        rows.retain(|(at, _)| *at > after && !(skips && at.user == after.user));
        rows.sort_unstable_by_key(|(at, _)| *at);
        rows.truncate(count_max);
        let last = |key: CouponKey| self.steps.get(&key)?.last().map(|step| step.kind);
        rows.into_iter().map(|(_, row)| Walked { row, last: last(row.key()) }).collect()
    }
}

/// One transaction: all of these reminders, or none.
pub async fn remind(sim: Sim, primary: usize, life: u32, reminders: Vec<Reminder>) -> Option<Result<(), RecordError>> {
    if let Some(refused) = refusal(&sim, primary) {
        return Some(Err(refused));
    }
    let transaction = Transaction::begin(&sim, primary, life);
    let made = remind_in(&transaction, &reminders).await;
    transaction.end();
    made
}

async fn remind_in(transaction: &Transaction<'_>, reminders: &[Reminder]) -> Option<Result<(), RecordError>> {
    let (sim, primary) = (transaction.sim, transaction.primary);
    let locks: Vec<Lock> = reminders.iter().map(|reminder| Lock::Reminder(reminder.key)).collect();
    if let Some(failed) = failed(transaction.lock(&locks).await, primary) {
        return failed;
    }
    let exists = {
        let world = sim.world();
        let made = &world.primaries[primary].data.patrolled.reminders;
        !world.is(Mutant::RemindsAnyway) && reminders.iter().any(|reminder| made.contains_key(&reminder.key))
    };
    if exists {
        return Some(Err(RecordError::Conflict));
    }
    if !transaction.until_commit().await {
        return None;
    }
    sim.world().commit_reminders(primary, reminders);
    Some(Ok(()))
}

impl World {
    fn commit_reminders(&mut self, primary: usize, reminders: &[Reminder]) {
        for reminder in reminders {
            let Reminder { key, seq, until_ms, at_ms } = *reminder;
            let ReminderKey { user, template, before_ms, .. } = key;
            let place = format!("coupon {seq} of user {user}, template {template}, {before_ms} ms before its end");
            self.note(format_args!("primary {primary} commits the reminder of {place}"));
            self.reminders += 1;
            let coupon = CouponKey { user, template, seq };
            if self.primaries[primary].data.patrolled.reminders.insert(key, *reminder).is_some() {
                self.find(format!("reminded twice: {place}"));
            }
            // It may have been seen on the server that a fail-over replaced, and be lost.
            let is_lost = self.lost_users.contains(&(user, template));
            if !is_lost && self.validity(primary, coupon).is_none_or(|validity| validity.until_ms != until_ms) {
                self.find(format!("reminded of an end that is none: {place}"));
            }
            let left_ms = u64::try_from(until_ms).unwrap_or(u64::MAX).saturating_sub(at_ms);
            if left_ms == 0 || left_ms > before_ms {
                self.find(format!("reminded {left_ms} ms before the end: {place}"));
            }
        }
    }

    /// When a coupon can be used; `None`: there is no such coupon.
    fn validity(&self, primary: usize, CouponKey { user, template, seq }: CouponKey) -> Option<Validity> {
        let row = self.primaries[primary].data.coupons.get(&(user, template, seq))?;
        let definition = &self.meta.templates.get(&template)?.record.definition;
        let (from_ms, until_ms) = validity_ms(definition.validity.as_ref(), row.claimed_at_ms);
        Some(Validity { from_ms, until_ms })
    }

    /// What time does is not written down before its time: by the run's clock, which is behind that of every proxy, and by which
    /// whatever a proxy promised until then is over.
    pub(super) fn check_time(&mut self, primary: usize, NewStep { key, step, .. }: &NewStep) {
        self.patrol_steps += 1;
        let log = self.primaries[primary].data.steps.get(key);
        let before = log.and_then(|log| log.iter().rev().find(|before| before.number < step.number));
        let over_ms = match (step.kind, before.map(|before| &before.hold)) {
            (StepKind::Freed, Some(Hold::Locked { until_ms, .. })) => i64::try_from(*until_ms).ok(),
            (StepKind::Expired, _) => self.validity(primary, *key).map(|validity| validity.until_ms),
            // It follows from nothing, as the rules say.
            _ => None,
        };
        let Some(over_ms) = over_ms else { return };
        let early_ms = over_ms.saturating_sub_unsigned(EPOCH_MS + self.at_ms());
        if early_ms > 0 {
            let CouponKey { user, template, seq } = key;
            let kind = step.kind;
            self.find(format!(
                "{kind:?} {early_ms} ms before its time: coupon {seq} of user {user}, template {template}"
            ));
        }
    }

    /// Users who claimed and whose coupon ended between these times, and who were not reminded while there were so many
    /// milliseconds for it.
    pub fn unreminded(&self, from_ms: u64, until_ms: u64, window_ms: u64) -> Vec<String> {
        let mut unreminded = Vec::new();
        for (index, primary) in self.primaries.iter().enumerate() {
            for (&(user, template, seq), row) in &primary.data.coupons {
                let validity = self.validity(index, CouponKey { user, template, seq });
                let end_ms = validity.and_then(|validity| u64::try_from(validity.until_ms).ok()).unwrap_or(u64::MAX);
                let is_quiet = row.claimed_at_ms >= from_ms && end_ms <= until_ms;
                let mut made = primary.data.patrolled.reminders.keys();
                let is_made = made.any(|key| key.user == user && key.template == template);
                if is_quiet && !is_made && end_ms.saturating_sub(row.claimed_at_ms) >= window_ms {
                    unreminded.push(format!("not reminded: coupon {seq} of user {user}, template {template}"));
                }
            }
        }
        unreminded
    }

    /// Coupons of which something has been due since then, by the run's clock, and is not written down.
    pub fn overdue(&self, since_ms: u64) -> Vec<String> {
        let mut overdue = Vec::new();
        for (index, primary) in self.primaries.iter().enumerate() {
            for &(user, template, seq) in primary.data.coupons.keys() {
                let key = CouponKey { user, template, seq };
                let (log, validity) = (primary.log(key), self.validity(index, key));
                let step = log.zip(validity).and_then(|(log, validity)| due(&log, validity, since_ms));
                overdue.extend(step.map(|step| {
                    format!("not written down: coupon {seq} of user {user}, template {template}: {:?}", step.kind)
                }));
            }
        }
        overdue
    }
}
