//! A model of a primary: what it holds, who it is, and what is locked.

pub mod beside;
pub mod patrol;
pub mod transaction;

use std::collections::BTreeMap;

use scrip_client::{BulkJobId, OrderId, RequestId, TemplateId, UserId};
use scrip_protocol::v1::StepKind;
use scrip_proxy::order::rules::{self, Validity};
use scrip_proxy::store::pack::{PackItems, PackKey, PackRow};
use scrip_proxy::store::patrol::ReminderKey;
use scrip_proxy::store::steps::{Budget, CouponKey, CouponLog, Hold, NewStep, Spend, Step};
use scrip_proxy::store::{CouponRow, NewCoupon, Server, StockKey};
use scrip_proxy::template::validity_ms;
use scrip_shard_config::SubStock;

use self::beside::{List, Uses};
use self::patrol::Patrolled;
use super::mutant::Mutant;
use super::world::{Host, World};
use crate::history::{Deed, DeedIndex};

/// A step that a fail-over lost: of which coupon, by which order, of which kind.
pub type LostStep = (CouponKey, Option<OrderId>, StepKind);

/// One primary.
#[derive(Debug)]
pub struct Primary {
    /// Whether it runs.
    pub host: Host,
    /// Which server is behind the name, counted from 1.
    pub generation: u32,
    /// Disk full: it takes no writes.
    pub full: bool,
    /// Transactions that are rolled back as victims of a deadlock, in a thousand.
    pub deadlocks: u32,
    /// How long a commit may take, in milliseconds.
    pub commit_ms: u64,
    /// What was committed.
    pub data: Data,
    /// What replicas hold, the newest first.
    pub copies: Vec<Data>,
    /// Who holds which lock.
    pub locks: BTreeMap<Lock, u64>,
    index: usize,
}

/// What transactions wait for each other for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// A row of a ledger.
    Ledger(StockKey, u16),
    /// A row of a coupon.
    Coupon(UserId, TemplateId, u16),
    /// A template's budget.
    Budget(TemplateId),
    /// A step of a coupon.
    Step(CouponKey, u16),
    /// A pack.
    Pack(PackKey),
    /// A reminder.
    Reminder(ReminderKey),
}

/// What was committed.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// By user, template and number.
    pub coupons: BTreeMap<(UserId, TemplateId, u16), Row>,
    /// The logs of coupons: steps by number.
    pub steps: BTreeMap<CouponKey, Vec<Step>>,
    /// By template.
    pub budgets: BTreeMap<TemplateId, Budget>,
    /// By user and request.
    pub packs: BTreeMap<PackKey, PackItems>,
    /// The lists of bulk jobs.
    pub lists: BTreeMap<BulkJobId, List>,
    /// The uses of codes that live here.
    pub uses: Uses,
    /// What the patrol notes.
    pub patrolled: Patrolled,
    /// By sub-stock and stripe.
    pub ledgers: BTreeMap<(StockKey, u16), Ledger>,
}

/// A coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The request that made it.
    pub request: RequestId,
    /// Where its unit came from.
    pub sub_stock: SubStock,
    /// When.
    pub claimed_at_ms: u64,
}

/// A row of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The fence: the epoch.
    pub epoch: u64,
    /// The fence: the server; none before the first settle.
    pub server: Option<Server>,
    /// Units issued.
    pub issued: u64,
}

impl Data {
    /// A coupon as its log says it stands.
    pub fn row(&self, (user, template, seq): (UserId, TemplateId, u16), row: &Row) -> CouponRow {
        let coupon = CouponRow::new(user, template, seq, row.request, row.claimed_at_ms);
        let last = self.steps.get(&coupon.key()).and_then(|steps| steps.last());
        coupon.held(last.map_or(&Hold::Unused, |step| &step.hold))
    }
}

impl Primary {
    /// The primary with this index in the topology.
    pub fn new(index: usize) -> Self {
        Self {
            host: Host::default(),
            generation: 1,
            full: false,
            deadlocks: 0,
            commit_ms: 2,
            data: Data::default(),
            copies: Vec::new(),
            locks: BTreeMap::new(),
            index,
        }
    }

    /// What the server says of itself.
    pub fn identity(&self) -> String {
        identity(self.index, self.generation)
    }

    /// It ends; transactions under way are undone.
    pub fn crash(&mut self) {
        self.locks.clear();
        self.host.crash();
    }

    /// The committed coupons of a user and template.
    pub fn coupons(&self, user: UserId, template: TemplateId) -> impl Iterator<Item = CouponRow> {
        let range = (user, template, 0)..=(user, template, u16::MAX);
        self.data.coupons.range(range).map(|(key, row)| self.data.row(*key, row))
    }

    /// A committed coupon and its log.
    pub fn log(&self, key: CouponKey) -> Option<CouponLog> {
        let coupon = (key.user, key.template, key.seq);
        let row = self.data.row(coupon, self.data.coupons.get(&coupon)?);
        Some(CouponLog { row, steps: self.data.steps.get(&key).cloned().unwrap_or_default() })
    }

    /// Whether a transaction holds a step of these.
    pub fn is_step_locked(&self, key: CouponKey) -> bool {
        self.locks.range(Lock::Step(key, 0)..=Lock::Step(key, u16::MAX)).next().is_some()
    }

    /// Whether a transaction holds a coupon of these.
    pub fn is_locked(&self, user: UserId, template: TemplateId) -> bool {
        let range = Lock::Coupon(user, template, 0)..=Lock::Coupon(user, template, u16::MAX);
        self.locks.range(range).next().is_some()
    }

    /// Lets go of a transaction's locks.
    pub fn unlock(&mut self, transaction: u64) {
        self.locks.retain(|_, holder| *holder != transaction);
        self.host.changed.notify_waiters();
    }

    /// The stripes of a sub-stock's ledger.
    pub fn stripes(&self, key: StockKey) -> impl Iterator<Item = (u16, &Ledger)> {
        self.data.ledgers.range((key, 0)..=(key, u16::MAX)).map(|((_, stripe), ledger)| (*stripe, ledger))
    }
}

/// Steps that the copy lacks: of which coupon, by which order, of which kind.
fn lost_steps(old: &Data, copy: &Data) -> Vec<LostStep> {
    let mut lost = Vec::new();
    for (key, log) in &old.steps {
        let kept = copy.steps.get(key).map_or(0, Vec::len);
        lost.extend(log.iter().skip(kept).map(|step| (*key, step.order.clone(), step.kind)));
    }
    lost
}

/// What the generation-th server of a primary says of itself.
pub fn identity(index: usize, generation: u32) -> String {
    format!("server-{index}-{generation}")
}

impl World {
    /// A primary ends. What was committed stays; of a mutant, what its last copy has.
    pub fn crash_primary(&mut self, primary: usize) {
        let forgetful = self.is(Mutant::CommitsNotDurable);
        let primary = &mut self.primaries[primary];
        primary.crash();
        if let Some(copy) = primary.copies.first().filter(|_| forgetful) {
            primary.data = copy.clone();
        }
    }

    /// Another server takes over, with what its copy has.
    pub fn fail_over(&mut self, primary: usize, copy: usize) {
        let model = &mut self.primaries[primary];
        model.crash();
        let data = match copy {
            0 => model.data.clone(),
            older => model.copies.get(older - 1).unwrap_or(&model.data).clone(),
        };
        let old = std::mem::replace(&mut model.data, data);
        model.copies.clear();
        model.generation += 1;
        model.host.start();
        let kept = &model.data.coupons;
        let lost: Vec<_> = old.coupons.iter().filter(|(key, _)| !kept.contains_key(key)).collect();
        let lost_steps = lost_steps(&old, &model.data);
        let (count, identity, at_us) = (lost.len(), model.identity(), self.at().as_micros() as u64);
        for ((user, template, _), row) in lost {
            self.lost.insert(row.request, at_us);
            self.lost_users.insert((*user, *template));
            self.mourn(*template);
        }
        let steps = lost_steps.len();
        self.lost_steps.extend(lost_steps.into_iter().map(|step| (step, at_us)));
        self.mourn_beside(primary, &old);
        self.note(format_args!("primary {primary} is {identity} now; {count} coupons and {steps} steps are lost"));
    }

    /// What is lost of a sub-stock that was drained is not counted anew: nothing fences it again.
    fn mourn(&mut self, template: TemplateId) {
        let Some(found) = self.meta.templates.get(&template) else { return };
        let drained = found.sub_stocks.iter().any(|own| own.record.drained_epoch > 0);
        if (drained || found.record.sold_out) && !self.lost_for_good.contains(&template) {
            self.lost_for_good.push(template);
        }
    }

    /// A batch becomes durable, and the packs that its coupons are of. Everything that must hold of it at this moment is checked.
    pub fn commit(&mut self, primary: usize, batch: &[NewCoupon], packs: &[PackRow]) {
        for PackRow { key, items } in packs {
            self.primaries[primary].data.packs.insert(*key, items.clone());
            self.note(format_args!("primary {primary} commits pack {} of user {}: {items}", key.request, key.user));
        }
        for row in batch {
            self.check(primary, row);
            let data = &mut self.primaries[primary].data;
            let value = Row { request: row.request, sub_stock: row.sub_stock, claimed_at_ms: row.claimed_at_ms };
            data.coupons.insert((row.user, row.template, row.seq), value);
            let key = StockKey { template: row.template, sub_stock: row.sub_stock };
            data.ledgers.entry((key, row.stripe)).or_default().issued += 1;
            let NewCoupon { user, template, seq, sub_stock, epoch, .. } = row;
            self.note(format_args!(
                "primary {primary} commits coupon {seq} of user {user}, template {template}, from {sub_stock} epoch {epoch}"
            ));
        }
        let mut templates: Vec<TemplateId> = batch.iter().map(|row| row.template).collect();
        templates.sort_unstable();
        templates.dedup();
        for template in templates {
            self.check_total(template);
        }
    }

    /// Steps become durable.
    pub fn commit_steps(&mut self, primary: usize, steps: &[NewStep], spends: &[Spend]) {
        for Spend { template, delta_minor } in spends {
            let budget = self.primaries[primary].data.budgets.entry(*template).or_default();
            budget.spent_minor = budget.spent_minor.saturating_add_signed(*delta_minor);
        }
        let overwrites = self.is(Mutant::StepOverwrites);
        for new in steps {
            let new = &self.renumbered(primary, new);
            if new.step.order.is_none() {
                self.check_time(primary, new);
            }
            let NewStep { key, step, .. } = new;
            let data = &mut self.primaries[primary].data;
            let is_there = data.coupons.contains_key(&(key.user, key.template, key.seq));
            let log = data.steps.entry(*key).or_default();
            let before = log.len();
            match log.iter_mut().find(|other| other.number == step.number).filter(|_| overwrites) {
                Some(other) => *other = step.clone(),
                None => log.push(step.clone()),
            }
            let CouponKey { user, template, seq } = key;
            let order = step.order.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            self.note(format_args!(
                "primary {primary} commits step {} of coupon {seq} of user {user}, template {template}: order {order} {:?}",
                step.number, step.kind
            ));
            if !is_there || usize::from(step.number) != before + 1 {
                self.find(format!("step {} of coupon {seq} of user {user} comes after {before}", step.number));
            }
            self.check_log(primary, *key);
        }
        spends.iter().for_each(|spend| self.check_budget(spend.template));
    }

    /// Of a mutant, what time has done is the next step, whatever was seen before it.
    fn renumbered(&self, primary: usize, new: &NewStep) -> NewStep {
        let mut new = new.clone();
        if new.step.order.is_none() && self.is(Mutant::PatrolUnnumbered) {
            let log = self.primaries[primary].data.steps.get(&new.key);
            new.step.number = log.and_then(|log| log.last()).map_or(0, |last| last.number) + 1;
        }
        new
    }

    /// Whether one of a deed's coupons has a step of its order and its kind.
    pub fn has_step(&self, deed: DeedIndex) -> bool {
        let Deed { user, order, act, coupons } = &self.history.deeds()[deed.0 as usize];
        let logs = &self.primaries[self.primary_of(*user)].data.steps;
        coupons.iter().any(|&(template, seq)| {
            let log = logs.get(&CouponKey { user: *user, template, seq });
            log.is_some_and(|log| {
                log.iter().any(|step| step.order.as_ref() == Some(order) && act.kinds().contains(&step.kind))
            })
        })
    }

    /// Every step is the one that the rules decide on those before it.
    fn check_log(&mut self, primary: usize, key: CouponKey) {
        let Some(log) = self.primaries[primary].log(key) else { return };
        let definition = self.meta.templates.get(&key.template).map(|found| &found.record.definition);
        let validity = definition.and_then(|definition| definition.validity.as_ref());
        let (from_ms, until_ms) = validity_ms(validity, log.row.claimed_at_ms);
        if let Err((number, problem)) = rules::retrace(&log, Validity { from_ms, until_ms }) {
            let CouponKey { user, template, seq } = key;
            let place = format!("coupon {seq} of user {user}, template {template}");
            self.find(format!("step {number} of {place} does not follow: {problem}"));
        }
    }

    /// Each primary has spent what its logs say, and all together no more than the budget.
    fn check_budget(&mut self, template: TemplateId) {
        let Some(found) = self.meta.templates.get(&template) else { return };
        let budget = found.record.definition.budget_minor;
        let mut spent = 0;
        let mut wrong = Vec::new();
        for primary in &self.primaries {
            let logs = primary.data.steps.iter().filter(|(key, _)| key.template == template);
            let in_logs: i64 = logs.flat_map(|(_, log)| log).map(rules::spent).sum();
            let own = primary.data.budgets.get(&template).map_or(0, |budget| budget.spent_minor);
            if i64::try_from(own) != Ok(in_logs) {
                wrong.push(format!("template {template}: {own} spent, {in_logs} in the logs"));
            }
            spent += own;
        }
        if spent > budget {
            wrong.push(format!("overspent: template {template} has a budget of {budget}, and {spent} is spent"));
        }
        wrong.into_iter().for_each(|wrong| self.find(wrong));
    }

    fn check(&mut self, primary: usize, row: &NewCoupon) {
        let NewCoupon { user, template, seq, request, .. } = *row;
        let own: Vec<CouponRow> = self.primaries[primary].coupons(user, template).collect();
        if own.iter().any(|other| other.request == request) {
            self.find(format!("request {request} of user {user} gets a second coupon of template {template}"));
        }
        if usize::from(seq) != own.len() + 1 {
            self.find(format!("user {user} has {} coupons of template {template} and gets number {seq}", own.len()));
        }
        if self.limits.get(&template).is_some_and(|limit| seq > *limit) {
            self.find(format!("user {user} gets coupon {seq} of template {template}, above the limit"));
        }
        if self.primary_of(user) != primary {
            self.find(format!("user {user} gets a coupon on primary {primary}"));
        }
    }

    fn check_total(&mut self, template: TemplateId) {
        let of_template =
            |primary: &Primary| primary.data.coupons.keys().filter(|key| key.1 == template).count() as u64;
        let issued: u64 = self.primaries.iter().map(of_template).sum();
        let total = self.meta.total(template);
        if issued > total {
            self.find(format!("oversold: template {template} has {total} units, and {issued} coupons"));
        }
    }
}
