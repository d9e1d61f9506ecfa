//! The patrol: walks over all coupons of a primary and writes down what time has done to them.
//!
//! What a read computes is exact without it: a coupon past its end is expired, a lock that is over is none. The patrol makes
//! it a step of the coupon's log, and with it an event. One proxy at a time does it on each primary, by a lease that only
//! saves work: its steps are numbered like those of orders, so of several writers one wins, and whoever lost reads again.
//!
//! It walks in slices of the clustered index, at a bounded rate, and stops for a while when the record lanes of the primary
//! are loaded, as far as this proxy sees.
//!
//! | where it breaks                      | what is there                   | what follows                               |
//! |--------------------------------------|---------------------------------|--------------------------------------------|
//! | before the steps of a slice are sent | nothing                         | the next holder walks on from the position |
//! | in their transaction                 | all of them or none             | it reads the logs: what is there is not due |
//! | before the position is noted         | the steps, an older position    | some slices are read again, nothing is due |
//!
//! Reminders are made for unused coupons whose end is near: one for each user, template, day of the end and time before it,
//! in one transaction with its event. Their primary key decides who makes it. Not so the coupon: of one that a fail-over has lost
//! since it was read, the user may be reminded.
//!
//! Stores come in through [`PatrolStore`], so that it also walks over model stores, in simulation. With an [`Archivist`], which knows
//! real ones only, it also sees to it that long-dead coupons are archived: see [`crate::archive`].
//!
//! Clocks of proxies differ. So nothing is written down before [`GRACE`] has passed: an order that was in time by the clock
//! of its proxy is not told otherwise by a step.

mod rate;
mod remind;

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, gauge};
use scrip_protocol::v1::{CouponStatus, StepKind};
use scrip_shard_config::{PrimaryId, Tail};
use tokio::time::{Instant, sleep, sleep_until};

use self::rate::Rate;
use crate::archive::Archivist;
use crate::config;
use crate::flow::Flow;
use crate::order::rules::Validity;
use crate::order::rules::due::due;
use crate::store::events::Holder;
use crate::store::patrol::{PatrolStore, Position, Reminder, ReminderKey, Walked};
use crate::store::steps::{CouponKey, CouponLog, NewStep};
use crate::store::{RecordError, RecordWriter, StoreError};
use crate::tasks::Tasks;
use crate::telemetry::metric::{PATROL_LAST_ROUND, PATROL_LEADS, PATROL_POSITION};

/// How long after its time something is written down.
pub const GRACE: Duration = Duration::from_secs(1);
/// The name of the lease.
const LEASE: &str = "patrol";
/// After a holder died, so long nobody patrols.
const LEASE_LASTS: Duration = Duration::from_secs(5);
/// The holder renews so often, and the others ask so often.
const LEASE_EVERY: Duration = Duration::from_millis(1_500);
/// The position is noted so often: what a crash makes be read again.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// A wait above this before a claim is recorded: the primary is loaded.
const LOADED: Duration = Duration::from_millis(5);
/// Between two looks at the load.
const YIELD: Duration = Duration::from_millis(50);
/// A slice waits for the load no longer than this: a rush that never ends must not keep the patrol away for ever.
const YIELD_MAX: Duration = Duration::from_secs(2);
/// How often one slice is tried; what is left of it waits for the next round.
const TRIES_MAX: usize = 8;
/// Reminders dropped at once. Bounds what a transaction locks.
const FORGOTTEN: u32 = 1_000;
/// After an error.
const BACKOFF: Duration = Duration::from_secs(1);

/// Why the walk paused.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Record(#[from] RecordError),
    /// Somebody else patrols.
    #[error("another patrol has taken over")]
    Superseded,
}

/// The patrol of one primary.
struct Patrol<S: PatrolStore> {
    flow: Arc<Flow>,
    store: S,
    primary: PrimaryId,
    writer: S::Writer,
    /// Its tails, ascending.
    tails: Vec<Tail>,
    settings: config::Patrol,
    owner: String,
    gauges: Gauges,
    archivist: Option<Archivist>,
}

#[derive(Debug)]
struct Gauges {
    position: Gauge,
    last_round: Gauge,
    leads: Gauge,
}

/// Starts a patrol on every primary. `owner`: names this run of this proxy. `archivist`: what archives there, if anything does.
pub fn start<S: PatrolStore>(
    flow: &Arc<Flow>,
    store: &S,
    settings: &config::Patrol,
    owner: &str,
    archivist: impl Fn(PrimaryId) -> Option<Archivist>,
    tasks: &Tasks,
) {
    for primary in &flow.topology.primaries {
        let archivist = archivist(primary.id);
        let (flow, settings, owner) = (Arc::clone(flow), settings.clone(), owner.to_owned());
        tasks.spawn(Patrol::new(flow, store.clone(), primary.id, settings, owner, archivist).run());
    }
}

impl<S: PatrolStore> Patrol<S> {
    fn new(
        flow: Arc<Flow>,
        store: S,
        primary: PrimaryId,
        settings: config::Patrol,
        owner: String,
        archivist: Option<Archivist>,
    ) -> Self {
        let of = |name| gauge!(name, "primary" => primary.to_string());
        let gauges =
            Gauges { position: of(PATROL_POSITION), last_round: of(PATROL_LAST_ROUND), leads: of(PATROL_LEADS) };
        let tails = flow.topology.tails().filter(|(_, of)| *of == primary).map(|(tail, _)| tail).collect();
        // No record lane has this number; it only names the connection in the log.
        let writer = store.writer(primary, u16::MAX);
        Self { flow, store, primary, writer, tails, settings, owner, gauges, archivist }
    }

    /// Serves for ever. Cancelling is a crash: see the table of the module.
    async fn run(mut self) {
        loop {
            match self.store.hold(self.primary, LEASE, &self.owner, LEASE_LASTS).await {
                Ok(Some(holder)) => {
                    tracing::info!(primary = %self.primary, term = holder.term, "patrols");
                    self.gauges.leads.set(1.0);
                    loop {
                        let Err(error) = self.walk(&holder).await;
                        tracing::debug!(primary = %self.primary, %error, "the patrol pauses");
                        if matches!(error, Stopped::Superseded) {
                            break;
                        }
                        sleep(BACKOFF).await;
                    }
                    self.gauges.leads.set(0.0);
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(primary = %self.primary, %error, "no lease to patrol"),
            }
            sleep(LEASE_EVERY).await;
        }
    }

    /// Walks for as long as the lease is ours and the primary answers.
    async fn walk(&mut self, holder: &Holder) -> Result<Infallible, Stopped> {
        let mut position = self.store.position(self.primary).await?;
        if let Some(archivist) = &mut self.archivist {
            archivist.tidy(holder).await?;
            archivist.begin(position == Position::default()).await?;
        }
        let (mut renewed, mut noted, mut began) = (None, Instant::now(), Instant::now());
        let mut rate = Rate::new(self.settings.rows_per_second);
        loop {
            self.renew(holder, &mut renewed).await?;
            self.give_way().await;
            let rows = self.store.walk(self.primary, position, self.settings.slice_rows as u32).await?;
            self.write_down(&rows).await?;
            self.remind(&rows).await?;
            self.flow.meter.patrol_rows.add(rows.len());
            let at_end = rows.len() < self.settings.slice_rows;
            let archived = self.archive(&rows, at_end, holder).await?;
            position = rows.last().filter(|_| !at_end).map_or_else(Position::default, |last| Position::of(&last.row));
            self.gauges.position.set(self.share(position, at_end));
            if at_end || noted.elapsed() >= NOTE_EVERY {
                noted = Instant::now();
                self.store.note(self.primary, position, holder).await?;
            }
            sleep_until(rate.until(rows.len() + archived, Instant::now())).await;
            if at_end {
                self.forget().await?;
                self.gauges.last_round.set(Duration::from_millis(self.flow.clock.now_ms()).as_secs_f64());
                while began.elapsed() < self.settings.round_interval {
                    self.renew(holder, &mut renewed).await?;
                    sleep(LEASE_EVERY.min(self.settings.round_interval.saturating_sub(began.elapsed()))).await;
                }
                began = Instant::now();
                if let Some(archivist) = &mut self.archivist {
                    archivist.begin(true).await?;
                }
            }
        }
    }

    /// How many coupons left for files.
    async fn archive(&mut self, rows: &[Walked], at_end: bool, holder: &Holder) -> Result<usize, Stopped> {
        let Some(archivist) = &mut self.archivist else { return Ok(0) };
        let archived = archivist.visit(rows, holder).await?;
        Ok(archived + if at_end { archivist.end(holder).await? } else { 0 })
    }

    async fn renew(&mut self, holder: &Holder, renewed: &mut Option<Instant>) -> Result<(), Stopped> {
        if renewed.is_some_and(|at| at.elapsed() < LEASE_EVERY) {
            return Ok(());
        }
        *renewed = Some(Instant::now());
        match self.store.hold(self.primary, LEASE, &holder.owner, LEASE_LASTS).await? {
            Some(now) if now == *holder => Ok(()),
            Some(_) | None => Err(Stopped::Superseded),
        }
    }

    /// Waits while claims wait for this primary.
    async fn give_way(&mut self) {
        let began = Instant::now();
        let loaded = || {
            let lanes = self.flow.record.iter().zip(&self.flow.loads);
            let lanes = lanes.filter(|(queue, _)| queue.primary == self.primary);
            lanes.map(|(_, load)| load.wait()).max().unwrap_or_default() > LOADED
        };
        while loaded() && began.elapsed() < YIELD_MAX {
            sleep(YIELD).await;
        }
    }

    /// Which share of the tails lies behind it.
    fn share(&self, position: Position, at_end: bool) -> f64 {
        let behind = self.tails.partition_point(|tail| at_end || tail.get() < position.tail);
        behind as f64 / self.tails.len().max(1) as f64
    }

    /// Writes the steps that are due for these coupons.
    async fn write_down(&mut self, rows: &[Walked]) -> Result<(), Stopped> {
        let now_ms = self.flow.clock.now_ms();
        let mut keys: Vec<CouponKey> =
            rows.iter().filter(|walked| self.may_be_due(walked, now_ms)).map(|walked| walked.row.key()).collect();
        for _ in 0..TRIES_MAX {
            if keys.is_empty() {
                return Ok(());
            }
            let logs = self.writer.logs(&keys, false).await?;
            let (now_ms, seen_on) = (self.flow.clock.now_ms(), self.writer.connection());
            let steps = logs.iter().filter_map(|log| self.step(log, now_ms, seen_on));
            let steps: Vec<NewStep> = steps.collect();
            match self.writer.append(&steps, &[]).await {
                Ok(()) => {
                    self.flow.meter.patrol_steps.add(steps.len());
                    // A lock that was freed past the coupon's end: the coupon expires next.
                    let freed = steps.iter().filter(|new| new.step.kind == StepKind::Freed);
                    keys = freed.map(|new| new.key).collect();
                }
                Err(RecordError::Conflict) => self.flow.meter.conflicts.add(1),
                Err(RecordError::RolledBack(_)) => sleep(Duration::from_millis(1 + self.flow.roll() % 5)).await,
                // Of an unknown outcome the logs tell, when the slice is read again.
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes the reminders that are due for these coupons and were not made yet.
    async fn remind(&mut self, rows: &[Walked]) -> Result<(), Stopped> {
        let before = &self.settings.remind_before;
        if before.is_empty() {
            return Ok(());
        }
        let now_ms = self.flow.clock.now_ms();
        let unused = rows.iter().map(|walked| &walked.row).filter(|row| row.status == CouponStatus::Unused);
        let due = unused.filter_map(|row| {
            let (_, until_ms) = self.flow.templates.get(row.template)?.validity_ms(row.claimed_at_ms);
            remind::due(row, until_ms, before, now_ms)
        });
        // Of several coupons that end on one day the first.
        let mut due: Vec<Reminder> = due.collect();
        due.dedup_by_key(|reminder| reminder.key);
        for _ in 0..TRIES_MAX {
            let keys: Vec<ReminderKey> = due.iter().map(|reminder| reminder.key).collect();
            let made: HashSet<ReminderKey> = self.store.reminded(self.primary, &keys).await?.into_iter().collect();
            let mut seen = HashSet::new();
            due.retain(|reminder| !made.contains(&reminder.key) && seen.insert(reminder.key));
            match self.store.remind(self.primary, &due).await {
                Ok(()) => {
                    self.flow.meter.patrol_reminders.add(due.len());
                    return Ok(());
                }
                Err(RecordError::Conflict | RecordError::RolledBack(_)) => sleep(Duration::from_millis(5)).await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Drops reminders of coupons that ended the day before yesterday or earlier.
    async fn forget(&mut self) -> Result<(), Stopped> {
        let today = self.flow.clock.now_ms() / 86_400_000;
        let before_day = u32::try_from(today.saturating_sub(1)).unwrap_or(0);
        while self.store.forget(self.primary, before_day, FORGOTTEN).await? == u64::from(FORGOTTEN) {
            sleep(YIELD).await;
        }
        Ok(())
    }

    /// As far as the last step of a coupon tells: most need no look at their log.
    fn may_be_due(&self, walked: &Walked, now_ms: u64) -> bool {
        let row = &walked.row;
        match row.status {
            CouponStatus::Locked => row.locked_until_ms <= graceful(now_ms),
            CouponStatus::Unused if walked.last == Some(StepKind::Expired) => false,
            CouponStatus::Unused => self.flow.templates.get(row.template).is_some_and(|template| {
                let (_, until_ms) = template.validity_ms(row.claimed_at_ms);
                i64::try_from(graceful(now_ms)).is_ok_and(|now_ms| until_ms <= now_ms)
            }),
            CouponStatus::Used | CouponStatus::Expired | CouponStatus::Unspecified => false,
        }
    }

    fn step(&self, log: &CouponLog, now_ms: u64, seen_on: u64) -> Option<NewStep> {
        let template = self.flow.templates.get(log.row.template)?;
        let (from_ms, until_ms) = template.validity_ms(log.row.claimed_at_ms);
        let validity = Validity { from_ms, until_ms };
        due(log, validity, graceful(now_ms))?;
        Some(NewStep { key: log.row.key(), step: due(log, validity, now_ms)?, seen_on })
    }
}

fn graceful(now_ms: u64) -> u64 {
    now_ms.saturating_sub(GRACE.as_millis() as u64)
}
