//! Transactions on a primary: locks, fences, the commit.

use std::time::Duration;

use scrip_proxy::store::pack::PackRow;
use scrip_proxy::store::steps::{NewStep, Spend};
use scrip_proxy::store::{Fence, FenceError, NewCoupon, RecordError, Server, StockKey, StoreError};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Lock, Primary};
use crate::sim::fault::Moment;
use crate::sim::mutant::Mutant;
use crate::sim::wire::CallKind;
use crate::sim::world::{Backend, Sim};

/// How long the server lets a transaction wait for a lock.
pub const LOCK_WAIT: Duration = Duration::from_secs(3);

/// How waiting for locks ended.
pub(super) enum Waited {
    Got,
    TooLong,
    Down,
}

/// One transaction on one life of a primary.
pub(super) struct Transaction<'a> {
    pub(super) sim: &'a Sim,
    pub(super) primary: usize,
    life: u32,
    id: u64,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(sim: &'a Sim, primary: usize, life: u32) -> Self {
        let id = sim.world().number();
        Self { sim, primary, life, id }
    }

    pub(super) async fn lock(&self, locks: &[Lock]) -> Waited {
        let until = Instant::now() + LOCK_WAIT;
        loop {
            if !self.sim.thawed(Backend::Primary(self.primary), self.life).await {
                return Waited::Down;
            }
            let changed = std::sync::Arc::clone(&self.sim.world().primaries[self.primary].host.changed);
            let changed = changed.notified();
            {
                let mut world = self.sim.world();
                let held = &mut world.primaries[self.primary].locks;
                if locks.iter().all(|lock| held.get(lock).is_none_or(|holder| *holder == self.id)) {
                    held.extend(locks.iter().map(|lock| (*lock, self.id)));
                    return Waited::Got;
                }
            }
            if timeout_at(until, changed).await.is_err() {
                return Waited::TooLong;
            }
        }
    }

    /// Until the commit is due; `false`: the server went down, and nothing of it is left.
    pub(super) async fn until_commit(&self) -> bool {
        let pause = {
            let mut world = self.sim.world();
            let commit_ms = world.primaries[self.primary].commit_ms;
            Duration::from_millis(world.dice.within(0..=commit_ms))
        };
        sleep(pause).await;
        self.sim.moment(Moment { kind: CallKind::Commit, done: false }).await;
        self.sim.thawed(Backend::Primary(self.primary), self.life).await
    }

    pub(super) fn end(&self) {
        self.sim.world().primaries[self.primary].unlock(self.id);
    }
}

fn key(row: &NewCoupon) -> StockKey {
    StockKey { template: row.template, sub_stock: row.sub_stock }
}

/// One batch, and the packs that its coupons are of: fences checked under locks held until the commit, rows inserted, ledgers
/// raised.
pub async fn record(
    sim: Sim,
    primary: usize,
    life: u32,
    server: Server,
    (batch, packs): (Vec<NewCoupon>, Vec<PackRow>),
) -> Option<Result<(), RecordError>> {
    if let Some(refused) = refusal(&sim, primary) {
        return Some(Err(refused));
    }
    let transaction = Transaction::begin(&sim, primary, life);
    let recorded = record_in(&transaction, &server, &batch, &packs).await;
    transaction.end();
    recorded
}

pub(super) fn refusal(sim: &Sim, primary: usize) -> Option<RecordError> {
    let mut world = sim.world();
    let Primary { full, deadlocks, .. } = world.primaries[primary];
    if full {
        return Some(RecordError::Refused(format!("primary {primary}: disk full")));
    }
    world.dice.chance(deadlocks).then(|| RecordError::RolledBack(format!("primary {primary}: deadlock")))
}

async fn record_in(
    transaction: &Transaction<'_>,
    server: &Server,
    batch: &[NewCoupon],
    packs: &[PackRow],
) -> Option<Result<(), RecordError>> {
    let (sim, primary) = (transaction.sim, transaction.primary);
    let ledgers: Vec<Lock> = batch.iter().map(|row| Lock::Ledger(key(row), row.stripe)).collect();
    if let Some(failed) = failed(transaction.lock(&ledgers).await, primary) {
        return failed;
    }
    if !fits(sim, primary, server, batch) {
        return Some(Err(RecordError::Fenced));
    }
    let rows = batch.iter().map(|row| Lock::Coupon(row.user, row.template, row.seq));
    let rows: Vec<Lock> = rows.chain(packs.iter().map(|pack| Lock::Pack(pack.key))).collect();
    if let Some(failed) = failed(transaction.lock(&rows).await, primary) {
        return failed;
    }
    if exists(sim, primary, batch) || is_pack_there(sim, primary, packs) {
        return Some(Err(RecordError::Conflict));
    }
    if !transaction.until_commit().await {
        return None;
    }
    sim.world().commit(primary, batch, packs);
    Some(Ok(()))
}

/// Steps of coupons, all or none.
pub async fn append(
    sim: Sim,
    primary: usize,
    life: u32,
    steps: Vec<NewStep>,
    spends: Vec<Spend>,
) -> Option<Result<(), RecordError>> {
    if let Some(refused) = refusal(&sim, primary) {
        return Some(Err(refused));
    }
    let transaction = Transaction::begin(&sim, primary, life);
    let appended = append_in(&transaction, &steps, &spends).await;
    transaction.end();
    appended
}

async fn append_in(
    transaction: &Transaction<'_>,
    steps: &[NewStep],
    spends: &[Spend],
) -> Option<Result<(), RecordError>> {
    let (sim, primary) = (transaction.sim, transaction.primary);
    let budgets: Vec<Lock> = spends.iter().map(|spend| Lock::Budget(spend.template)).collect();
    if let Some(failed) = failed(transaction.lock(&budgets).await, primary) {
        return failed;
    }
    let reaches = |spend: &Spend| {
        let world = sim.world();
        let budget = world.primaries[primary].data.budgets.get(&spend.template).copied().unwrap_or_default();
        budget.spent_minor.checked_add_signed(spend.delta_minor).is_some_and(|spent| spent <= budget.granted_minor)
    };
    let unchecked = sim.world().is(Mutant::BudgetUnchecked);
    if !unchecked && !spends.iter().all(reaches) {
        return Some(Err(RecordError::Fenced));
    }
    let rows: Vec<Lock> = steps.iter().map(|new| Lock::Step(new.key, new.step.number)).collect();
    if let Some(failed) = failed(transaction.lock(&rows).await, primary) {
        return failed;
    }
    let exists = |new: &NewStep| {
        let world = sim.world();
        let log = world.primaries[primary].data.steps.get(&new.key);
        log.is_some_and(|log| log.iter().any(|step| step.number == new.step.number))
    };
    let unchecked = |new: &NewStep| {
        let world = sim.world();
        world.is(Mutant::StepOverwrites) || (world.is(Mutant::PatrolUnnumbered) && new.step.order.is_none())
    };
    if steps.iter().any(|new| !unchecked(new) && exists(new)) {
        return Some(Err(RecordError::Conflict));
    }
    if !transaction.until_commit().await {
        return None;
    }
    sim.world().commit_steps(primary, steps, spends);
    Some(Ok(()))
}

pub(super) fn failed(waited: Waited, primary: usize) -> Option<Option<Result<(), RecordError>>> {
    match waited {
        Waited::Got => None,
        Waited::TooLong => Some(Some(Err(RecordError::RolledBack(format!("primary {primary}: lock wait"))))),
        Waited::Down => Some(None),
    }
}

/// Every ledger row carries the fence of every claim that it counts.
fn fits(sim: &Sim, primary: usize, server: &Server, batch: &[NewCoupon]) -> bool {
    let world = sim.world();
    if world.is(Mutant::FenceUnchecked) {
        return true;
    }
    let only_first = if world.is(Mutant::OneFenceForABatch) { 1 } else { batch.len() };
    batch.iter().take(only_first).all(|row| {
        world.primaries[primary].data.ledgers.get(&(key(row), row.stripe)).is_some_and(|ledger| {
            let same_server = ledger.server.as_ref() == Some(server) || world.is(Mutant::FenceWithoutServer);
            ledger.epoch == row.epoch && same_server
        })
    })
}

fn exists(sim: &Sim, primary: usize, batch: &[NewCoupon]) -> bool {
    let world = sim.world();
    let coupons = &world.primaries[primary].data.coupons;
    let mut numbers: Vec<_> = batch.iter().map(|row| (row.user, row.template, row.seq)).collect();
    numbers.sort_unstable();
    let doubled = numbers.windows(2).any(|pair| pair[0] == pair[1]);
    doubled || numbers.iter().any(|number| coupons.contains_key(number))
}

fn is_pack_there(sim: &Sim, primary: usize, packs: &[PackRow]) -> bool {
    let world = sim.world();
    let mut keys: Vec<_> = packs.iter().map(|pack| pack.key).collect();
    keys.sort_unstable();
    let doubled = keys.windows(2).any(|pair| pair[0] == pair[1]);
    doubled || keys.iter().any(|key| world.primaries[primary].data.packs.contains_key(key))
}

/// Step 2 of a settle: lock, raise, only then read.
pub async fn raise_fences(
    sim: Sim,
    primary: usize,
    life: u32,
    server: Server,
    fences: Vec<(StockKey, u64)>,
    stripes: u16,
) -> Option<Result<Vec<Fence>, FenceError>> {
    if sim.world().primaries[primary].full {
        return Some(Err(StoreError::Refused(format!("primary {primary}: disk full")).into()));
    }
    let transaction = Transaction::begin(&sim, primary, life);
    let raised = raise_in(&transaction, &server, &fences, stripes).await;
    transaction.end();
    raised
}

async fn raise_in(
    transaction: &Transaction<'_>,
    server: &Server,
    fences: &[(StockKey, u64)],
    stripes: u16,
) -> Option<Result<Vec<Fence>, FenceError>> {
    let (sim, primary) = (transaction.sim, transaction.primary);
    if sim.world().primaries[primary].identity() != server.identity {
        return Some(Err(FenceError::OtherServer));
    }
    let is_early = sim.world().is(Mutant::IssuedReadEarly);
    let early = is_early.then(|| issued(sim, primary, fences));
    let locks: Vec<Lock> = {
        let world = sim.world();
        let of = |(key, _): &(StockKey, u64)| {
            let stripes = world.primaries[primary].stripes(*key).map(|(stripe, _)| Lock::Ledger(*key, stripe));
            stripes.collect::<Vec<_>>()
        };
        fences.iter().flat_map(of).collect()
    };
    match transaction.lock(&locks).await {
        Waited::Got => {}
        Waited::TooLong => {
            return Some(Err(StoreError::Refused(format!("primary {primary}: lock wait")).into()));
        }
        Waited::Down => return None,
    }
    if !transaction.until_commit().await {
        return None;
    }
    let raised = raise(sim, primary, server, fences);
    let issued = early.unwrap_or_else(|| issued(sim, primary, fences));
    Some(answer(sim, primary, fences, stripes, &raised, &issued))
}

fn raise(sim: &Sim, primary: usize, server: &Server, fences: &[(StockKey, u64)]) -> Vec<bool> {
    let mut world = sim.world();
    let ledgers = &mut world.primaries[primary].data.ledgers;
    let mut raised = Vec::with_capacity(fences.len());
    for (key, epoch) in fences {
        let mut is_up = true;
        for (_, ledger) in ledgers.range_mut((*key, 0)..=(*key, u16::MAX)) {
            if ledger.epoch <= *epoch {
                ledger.epoch = *epoch;
                ledger.server = Some(server.clone());
            } else {
                is_up = false;
            }
        }
        raised.push(is_up);
    }
    for ((key, epoch), is_up) in fences.iter().zip(&raised).map(|(fence, is_up)| (*fence, *is_up)) {
        let (template, sub) = (key.template, key.sub_stock);
        let said = if is_up { "is up" } else { "stands above" };
        world.note(format_args!(
            "primary {primary}: fence of template {template} sub-stock {sub} {said}, epoch {epoch}"
        ));
    }
    raised
}

fn issued(sim: &Sim, primary: usize, fences: &[(StockKey, u64)]) -> Vec<u64> {
    let world = sim.world();
    let sum = |key| world.primaries[primary].stripes(key).map(|(_, ledger)| ledger.issued).sum();
    fences.iter().map(|(key, _)| sum(*key)).collect()
}

fn answer(
    sim: &Sim,
    primary: usize,
    fences: &[(StockKey, u64)],
    stripes: u16,
    raised: &[bool],
    issued: &[u64],
) -> Result<Vec<Fence>, FenceError> {
    let world = sim.world();
    let mut answer = Vec::with_capacity(fences.len());
    for (((key, _), is_up), issued) in fences.iter().zip(raised).zip(issued) {
        let found = world.primaries[primary].stripes(*key).count();
        if found != usize::from(stripes) {
            return Err(FenceError::LedgerMissing(format!("{key:?} has {found} ledger rows and must have {stripes}")));
        }
        answer.push(if *is_up { Fence::Raised { issued: *issued } } else { Fence::Above });
    }
    Ok(answer)
}

/// Waits while a transaction holds what is to be read under a lock. `Some(false)`: for too long; `None`: the server went
/// down.
pub async fn unlocked(sim: &Sim, primary: usize, life: u32, blocks: impl Fn(&Primary) -> bool) -> Option<bool> {
    let until = Instant::now() + LOCK_WAIT;
    loop {
        if !sim.thawed(Backend::Primary(primary), life).await {
            return None;
        }
        let changed = std::sync::Arc::clone(&sim.world().primaries[primary].host.changed);
        let changed = changed.notified();
        if !blocks(&sim.world().primaries[primary]) {
            return Some(true);
        }
        if timeout_at(until, changed).await.is_err() {
            return Some(false);
        }
    }
}
