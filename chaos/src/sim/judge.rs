//! What the stores hold at the end, for the oracle, and what the oracle may ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use scrip_client::{BulkOutcome, Code, CodeBatchId, CouponId, TemplateId, UserId};
use scrip_protocol::v1::BulkJobState;
use scrip_proxy::bulk::request_of;
use scrip_proxy::exchange::code::CodeKey;
use scrip_proxy::exchange::home;
use scrip_proxy::store::StockKey;
use scrip_shard_config::{SubStock, Tail, stock_key};

use super::ending::{PATROLS, QUIET};
use super::fleet::CLOCK_AHEAD_MAX_MS;
use super::pack;
use super::plan::Plan;
use super::primary::LostStep;
use super::world::{EPOCH_MS, MIDNIGHT_MS, World};
use crate::history::{BulkFact, CodeRef, DeedTold, History, LostCommits, Told};
use crate::oracle::{
    self, Circumstances, CodeBatchRow, CodeUseRow, CouponRow, LedgerRow, ServerSettings, StepRow, StockRow, StoresView,
    SubStockRow, TemplateRow,
};

/// Everything that is wrong at the end, in the oracle's words.
pub fn check(world: &mut World, plan: &Plan) -> Vec<String> {
    let view = view(world);
    let circumstances = Circumstances {
        demand_exceeds_stock: world.lost_for_good.is_empty(),
        replenished: plan.changes_stock(),
        // Allowances are told as "unknown". A full day is no answer for what is under way until the next one.
        doubt_resolved: world.lost.is_empty() && !plan.changes_stock() && !plan.pauses() && !plan.has_days(),
    };
    let history = allowances(world, plan, &view);
    let verdict = oracle::check(&history, &view, circumstances);
    let unsold = view.templates.iter().filter(|row| !world.lost_for_good.contains(&row.template)).filter_map(|row| {
        let issued = view.coupons.iter().filter(|coupon| coupon.template == row.template).count() as u64;
        let text = || format!("template {}: {issued} of {} units are sold", row.template, row.total_stock);
        (issued != row.total_stock).then(text)
    });
    let violations = verdict.violations().into_iter().map(|violation| format!("{:?}: {violation}", violation.kind));
    violations
        .chain(unsold)
        .chain(days(world, plan))
        .chain(pack::torn(world, plan))
        .chain(overdue(world, plan))
        .collect()
}

/// What the patrol had all the quiet time at the end for, and did not do.
fn overdue(world: &World, plan: &Plan) -> Vec<String> {
    let Some(patrol) = &plan.patrol else { return Vec::new() };
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let quiet_ms = EPOCH_MS + plan.heal_at_ms + ms(PATROLS) + CLOCK_AHEAD_MAX_MS;
    let since_ms = (EPOCH_MS + world.at_ms()).saturating_sub(ms(QUIET));
    let mut overdue = world.overdue(since_ms);
    // Within a round and a walk it comes by.
    let window_ms = patrol.round_ms + 1_500;
    if patrol.remind_before_ms.iter().any(|before_ms| *before_ms >= window_ms) {
        overdue.extend(world.unreminded(quiet_ms, since_ms, window_ms));
    }
    overdue
}

/// Users who got more in one day than the limit a day: the days of the rows, whatever clocks wrote them.
fn days(world: &World, plan: &Plan) -> Vec<String> {
    let templates = world.history.templates().iter().zip(&plan.templates);
    let limits: BTreeMap<TemplateId, u32> = templates.map(|(fact, plan)| (fact.template, plan.daily)).collect();
    let mut counts: BTreeMap<(UserId, TemplateId, bool), u32> = BTreeMap::new();
    for (&(user, template, _), row) in world.primaries.iter().flat_map(|primary| &primary.data.coupons) {
        *counts.entry((user, template, row.claimed_at_ms >= MIDNIGHT_MS)).or_default() += 1;
    }
    let limit = |template| limits.get(template).copied().filter(|limit| *limit > 0).unwrap_or(u32::MAX);
    let above = counts.iter().filter(|((_, template, _), count)| **count > limit(template));
    above.map(|((user, template, _), count)| format!("user {user}: {count} of template {template} in a day")).collect()
}

/// The stores as the oracle reads them.
pub fn view(world: &mut World) -> StoresView {
    let mut view = StoresView::default();
    meta(world, &mut view);
    primaries(world, &mut view);
    stock(world, &mut view);
    view
}

fn meta(world: &World, view: &mut StoresView) {
    view.code_batches.extend(world.meta.beside.batches.values().map(|batch| CodeBatchRow {
        batch: batch.batch,
        request: batch.new.request,
        template: batch.new.template,
        count: batch.new.count,
        uses: batch.new.uses,
    }));
    for found in world.meta.templates.values() {
        let template = found.record.template;
        // Units that a fail-over lost after all were sold are not counted anew.
        let sold_out = found.record.sold_out && !world.lost_for_good.contains(&template);
        view.templates.push(TemplateRow { template, total_stock: found.record.total_stock, sold_out });
        let row = |own: &super::meta::Own| SubStockRow {
            template,
            sub_stock: own.record.key.sub_stock,
            allotment: own.record.allotment,
            epoch: own.record.epoch,
        };
        view.sub_stocks.extend(found.sub_stocks.iter().map(row));
    }
}

fn primaries(world: &World, view: &mut StoresView) {
    for (primary, at) in world.primaries.iter().zip(&world.topology.primaries) {
        for (&(user, template, seq), row) in &primary.data.coupons {
            view.coupons.push(CouponRow {
                primary: at.id,
                home: world.topology.primary_of(Tail::of_user(user.get())),
                user,
                template,
                seq: u32::from(seq),
                request: row.request,
                sub_stock: row.sub_stock,
                archived: false,
            });
        }
        for (key, log) in &primary.data.steps {
            view.steps.extend(log.iter().map(|step| StepRow {
                user: key.user,
                template: key.template,
                seq: key.seq,
                number: step.number,
                kind: step.kind,
                order: step.order.clone(),
            }));
        }
        for (&(batch, index), uses) in &primary.data.uses {
            let Ok(batch) = CodeBatchId::try_new(batch) else { continue };
            let code = CodeRef { batch, index };
            let home = world.topology.primary_of(home(CodeKey { batch, index }));
            let code_use =
                |(user, use_no): (&UserId, u32)| CodeUseRow { primary: at.id, home, code, use_no, user: *user };
            view.code_uses.extend(uses.iter().zip(1..).map(code_use));
        }
        for ((StockKey { template, sub_stock }, _), ledger) in &primary.data.ledgers {
            let (template, sub_stock) = (*template, *sub_stock);
            view.ledgers.push(LedgerRow { primary: at.id, template, sub_stock, issued: ledger.issued });
        }
        view.servers.push(ServerSettings {
            primary: at.id,
            version: "a model".to_owned(),
            flush_log_at_commit: 1,
            doublewrite: true,
            binlog: true,
            sync_binlog: 1,
        });
    }
}

fn stock(world: &mut World, view: &mut StoresView) {
    let keys: Vec<(scrip_client::TemplateId, SubStock)> =
        view.sub_stocks.iter().map(|row| (row.template, row.sub_stock)).collect();
    for (template, sub_stock) in keys {
        let shard = usize::from(world.topology.shard_of_key(&stock_key(template.get(), sub_stock)).0);
        let key = StockKey { template, sub_stock };
        if let Some(key) = world.shards[shard].redis().living(key) {
            view.stock.push(StockRow { template, sub_stock, epoch: key.epoch, left: key.count });
        }
    }
}

/// What orders did, without the answers whose steps a fail-over lost afterwards.
fn orders(world: &World, history: &mut History) {
    for deed in world.history.deeds() {
        history.deed(deed.clone());
    }
    for sent in world.history.deed_sends() {
        let deed = &world.history.deeds()[sent.deed.0 as usize];
        let is_lost = |((key, order, _), lost_us): &(LostStep, u64)| {
            let own = order.as_ref() == Some(&deed.order)
                && key.user == deed.user
                && deed.coupons.contains(&(key.template, key.seq));
            own && sent.sent_at_us <= *lost_us
        };
        let index = history.deed_sent(sent.deed, Duration::from_micros(sent.sent_at_us));
        if !(sent.told == DeedTold::Done && world.lost_steps.iter().any(is_lost)) {
            history.deed_answered(index, Duration::from_micros(sent.answered_at_us), sent.told);
        }
    }
}

/// What stands beside the claims. Of a list that a fail-over took something of, whatever is there is right; who is not there was taken, if
/// nobody was going to look again: the job was cancelled, or the list had been read to its end. And where it took uses of
/// a code, the oracle is told that they may be gone, and nothing else.
fn beside(world: &World, history: &mut History, resolved: &History, view: &StoresView) {
    let coupons: BTreeSet<_> = view.coupons.iter().map(|row| row.request).collect();
    let outcome = |job: &BulkFact, user: UserId, told: BulkOutcome| {
        let at = world.primary_of(user);
        let is_lost = job.told.iter().any(|id| world.lost_lists.contains(&(*id, at)));
        let freed = world.lost_users.contains(&(user, job.template));
        match told {
            BulkOutcome::Pending if is_lost && coupons.contains(&request_of(job.request, user)) => {
                BulkOutcome::Issued(CouponId([0; 16]))
            }
            BulkOutcome::Pending if is_lost => BulkOutcome::Refused(Code::Unspecified),
            BulkOutcome::Refused(Code::LimitReached) if freed => BulkOutcome::Refused(Code::Unspecified),
            told => told,
        }
    };
    history.beside_of(resolved, outcome);
    for job in resolved.jobs() {
        let Some(mut results) = history.results_of(job.request).map(<[_]>::to_vec) else { continue };
        let listed: BTreeSet<UserId> = results.iter().map(|(user, _)| *user).collect();
        let is_short = |user: &UserId| {
            let at = world.primary_of(*user);
            job.told.iter().any(|id| {
                let cancelled = world.meta.job(*id).is_ok_and(|job| job.state == BulkJobState::Cancelled);
                world.short_lists.contains(&(*id, at)) || (cancelled && world.lost_lists.contains(&(*id, at)))
            })
        };
        let taken = job.users.iter().filter(|user| !listed.contains(user) && is_short(user));
        results.extend(taken.map(|user| (*user, BulkOutcome::Refused(Code::Unspecified))));
        history.job_ended(job.request, results);
    }
    for (batch, index) in &world.lost_uses {
        let Ok(batch) = CodeBatchId::try_new(*batch) else { continue };
        let tail = home(CodeKey { batch, index: *index });
        let primary = world.topology.primary_of(tail);
        history.lost(LostCommits { primary, tails: vec![tail.get()..=tail.get()], from_us: u64::MAX, until_us: 0 });
    }
}

/// What the oracle must not blame, as told "unknown".
///
/// A fail-over to a replica that lacked commits makes answers from before it untrue: that is the replication which was
/// chosen. What it lost of a template that had been sold out stays unsold. And where stock is added, or a template paused and
/// resumed, one of two sends at the same time may be refused before, and the other one granted after.
fn allowances(world: &World, plan: &Plan, view: &StoresView) -> History {
    let changes = plan.changes_stock() || plan.pauses();
    let lost_beside = !world.lost_lists.is_empty() || !world.lost_uses.is_empty();
    if world.lost.is_empty() && world.lost_steps.is_empty() && !lost_beside && !changes {
        return world.history.clone();
    }
    let last_us = world.lost.values().max().copied().unwrap_or(0);
    // Claims by code have ids of the proxies', and what was lost is known by them.
    let resolved = oracle::resolved(&world.history, view);
    let requests = resolved.requests();
    let mut granted = vec![false; requests.len()];
    for sent in world.history.sends() {
        granted[sent.request.0 as usize] |= matches!(sent.told, Told::Coupon { .. });
    }
    let mut history = History::default();
    world.history.templates().iter().for_each(|fact| history.created(*fact));
    for request in requests {
        history.request(*request);
    }
    for sent in world.history.sends() {
        let number = sent.request.0 as usize;
        let request = &requests[number];
        let is_allowed = match sent.told {
            Told::Coupon { .. } => world.lost.get(&request.id).is_some_and(|lost_us| sent.sent_at_us <= *lost_us),
            Told::NotApplied(Code::SoldOut) if world.lost_for_good.contains(&request.template) => true,
            Told::NotApplied(Code::SoldOut) if sent.sent_at_us <= last_us => true,
            Told::NotApplied(Code::LimitReached) => world.lost_users.contains(&(request.user, request.template)),
            Told::NotApplied(Code::SoldOut | Code::TemplatePaused) => changes && granted[number],
            // Of a pack, for the sake of another one of its templates.
            Told::NotApplied(Code::ClaimEnded) => changes || !world.lost.is_empty(),
            Told::NotApplied(_) | Told::Unknown(_) | Told::Nothing => false,
        };
        let index = history.sent(sent.request, Duration::from_micros(sent.sent_at_us));
        if !is_allowed {
            history.answered(index, Duration::from_micros(sent.answered_at_us), sent.told);
        }
    }
    for operation in world.history.operations() {
        let at = Duration::from_micros(operation.sent_at_us);
        let index = history.operating(operation.template, operation.action, at);
        history.operated(index, Duration::from_micros(operation.answered_at_us), operation.told);
    }
    for asked in world.history.asks() {
        let is_lost = world.lost.contains_key(&requests[asked.request.0 as usize].id);
        let index = history.asked(asked.request, Duration::from_micros(asked.asked_at_us));
        if !is_lost {
            history.found(index, Duration::from_micros(asked.answered_at_us), asked.found);
        }
    }
    orders(world, &mut history);
    beside(world, &mut history, &resolved, view);
    history
}
