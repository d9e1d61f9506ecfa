//! Brings all primaries to the schema that this program works with, and tells them who they are.
//!
//! First the schema on all of them at once; only when all have it, the version of the topology is raised: a primary
//! that cannot be reached must not leave the others fenced off from the proxies that run.

use std::time::Duration;

use scrip_shard_config::{PrimaryId, Topology};
use tokio::task::JoinSet;

use super::dial::Target;
use super::failure::{ER_BAD_DB_ERROR, ER_CANT_DROP_FIELD_OR_KEY, Failed};
use super::limits::MysqlLimits;
use super::pool::Pool;
use super::schema::{Part, statements};
use super::session::Session;
use super::sql;
use super::terms::Terms;
use crate::store::StoreError;

/// How long one statement of a migration may take: it may rebuild a large table.
const STATEMENT_MAX: Duration = Duration::from_secs(3600);
/// How long we wait for somebody else who migrates the same primary, in seconds.
const LOCK_WAIT_S: u64 = 60;

/// What was done to one primary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Migrated {
    /// The migrations applied now, as `primary 1` or `meta 1`. Empty: it had them all.
    pub applied: Vec<String>,
    /// The version of the topology that it had; `None`: it had never been set up.
    pub version_before: Option<u64>,
}

/// What became of one primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which.
    pub primary: PrimaryId,
    /// What was done, or why not. After an error elsewhere the version of the topology is not raised here either.
    pub outcome: Result<Migrated, StoreError>,
}

/// Migrates every primary of the topology, all at once, and registers them in meta. One report each, in the order of
/// the topology. Running it again, or twice at once, is harmless; cancelled, it can be run again.
pub async fn migrate(topology: &Topology, timeouts: MysqlLimits) -> Vec<Report> {
    let mut reports = on_all(topology, timeouts, schema).await;
    if reports.iter().any(|report| report.outcome.is_err()) {
        return reports;
    }
    let raised = on_all(topology, timeouts, raise_version).await;
    for (report, raised) in reports.iter_mut().zip(raised) {
        if let Err(error) = raised.outcome {
            report.outcome = Err(error);
        }
    }
    if reports.iter().all(|report| report.outcome.is_ok()) {
        register_all(topology, timeouts, &mut reports).await;
    }
    reports
}

/// Runs one step on every primary at once.
async fn on_all<F>(topology: &Topology, timeouts: MysqlLimits, step: fn(Target, Vec<Part>) -> F) -> Vec<Report>
where
    F: Future<Output = Result<Migrated, StoreError>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (index, primary) in topology.primaries.iter().enumerate() {
        let target = Target::new(primary, topology.version, timeouts);
        let parts = if primary.id == topology.meta { vec![Part::Primary, Part::Meta] } else { vec![Part::Primary] };
        let (primary, work) = (primary.id, step(target, parts));
        tasks.spawn(async move { (index, Report { primary, outcome: work.await }) });
    }
    let mut reports = tasks.join_all().await;
    reports.sort_by_key(|(index, _)| *index);
    reports.into_iter().map(|(_, report)| report).collect()
}

async fn schema(target: Target, parts: Vec<Part>) -> Result<Migrated, StoreError> {
    let mut session = open(&target).await.map_err(|failed| target.refusal(&failed))?;
    lock(&target, &mut session).await?;
    let migrated = schema_locked(&target, &mut session, &parts).await;
    // The end of the session frees the lock as well.
    let freed: Result<Vec<u64>, Failed> = session.rows(sql::MIGRATE_UNLOCK, (), target.limits().control).await;
    if let Err(failed) = freed {
        tracing::debug!(?failed, "the lock ends with the session");
    }
    migrated
}

/// A session in the primary's database, which is created if need be.
async fn open(target: &Target) -> Result<Session, Failed> {
    match target.open(Some(target.database())).await {
        Err(failed) if failed.code() == Some(ER_BAD_DB_ERROR) => {}
        answer => return answer,
    }
    let text = sql::DATABASE_CREATE.replace("{database}", &target.database().replace('`', "``"));
    target.open(None).await?.packet(text.as_bytes(), 1, target.limits().control).await?;
    target.open(Some(target.database())).await
}

async fn lock(target: &Target, session: &mut Session) -> Result<(), StoreError> {
    let limit = Duration::from_secs(LOCK_WAIT_S) + target.limits().control;
    let rows = session.rows::<u64>(sql::MIGRATE_LOCK, (LOCK_WAIT_S,), limit).await;
    match rows.map_err(|failed| failed.not_applied(&target.whom()))?.first() {
        Some(1) => Ok(()),
        Some(_) | None => Err(StoreError::Refused(format!(
            "{}: another migration has run for {LOCK_WAIT_S} s; wait for it and start again",
            target.whom()
        ))),
    }
}

async fn schema_locked(target: &Target, session: &mut Session, parts: &[Part]) -> Result<Migrated, StoreError> {
    let applied = apply(target, session, parts).await?;
    let refusal = |failed: Failed| failed.maybe_applied(&target.whom(), 1);
    let before = target.node(session).await.map_err(refusal)?;
    target.check_forward(before)?;
    if before.is_none() {
        let columns = (target.id().0, target.version());
        session.run(sql::NODE_INSERT, columns, target.limits().control).await.map_err(refusal)?;
    }
    Ok(Migrated { applied, version_before: before.map(|node| node.version) })
}

/// Applies what is missing. Who the server says it is comes first: nothing is changed on somebody else's.
async fn apply(target: &Target, session: &mut Session, parts: &[Part]) -> Result<Vec<String>, StoreError> {
    let refusal = |failed: Failed| failed.maybe_applied(&target.whom(), 1);
    let limit = target.limits().control;
    session.packet(sql::SCHEMA_VERSION_CREATE.as_bytes(), 1, limit).await.map_err(refusal)?;
    let mut applied = Vec::new();
    for part in parts {
        let found = part.version(session, limit).await.map_err(refusal)?;
        if found > part.latest() {
            return Err(StoreError::Refused(format!("{}: {}", target.whom(), part.newer(found))));
        }
        if found > 0 && *part == Part::Primary {
            target.check_forward(target.node(session).await.map_err(refusal)?)?;
        }
        for (number, migration) in (1_u32..).zip(part.migrations()).filter(|(number, _)| *number > found) {
            for statement in statements(migration) {
                match session.packet(statement.as_bytes(), 1, STATEMENT_MAX).await {
                    // A migration that stopped midway is run again: the column is gone already.
                    Err(failed) if failed.code() == Some(ER_CANT_DROP_FIELD_OR_KEY) => {}
                    done => drop(done.map_err(refusal)?),
                }
            }
            let columns = (part.name(), number);
            session.run(sql::SCHEMA_VERSION_INSERT, columns, limit).await.map_err(refusal)?;
            applied.push(format!("{} {number}", part.name()));
        }
    }
    Ok(applied)
}

async fn raise_version(target: Target, _: Vec<Part>) -> Result<Migrated, StoreError> {
    let refusal = |failed: Failed| failed.maybe_applied(&target.whom(), 1);
    let mut session = target.open(Some(target.database())).await.map_err(|failed| target.refusal(&failed))?;
    let columns = (target.version(), target.version());
    session.run(sql::NODE_RAISE, columns, target.limits().control).await.map_err(refusal)?;
    Ok(Migrated::default())
}

async fn register_all(topology: &Topology, timeouts: MysqlLimits, reports: &mut [Report]) {
    let Some(meta) = topology.primary(topology.meta) else { return };
    let meta = Pool::new(Target::new(meta, topology.version, timeouts), Part::Meta);
    let terms = Terms::default();
    for (primary, report) in topology.primaries.iter().zip(reports) {
        let target = Target::new(primary, topology.version, timeouts);
        if let Err(error) = register(&terms, &meta, &target).await {
            report.outcome = Err(error);
        }
    }
}

async fn register(terms: &Terms, meta: &Pool, target: &Target) -> Result<(), StoreError> {
    let session = target.dial(Part::Primary).await?;
    terms.registered(meta, target.id(), &session.facts().identity).await.map(drop)
}
