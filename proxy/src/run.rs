//! Runs a proxy until it is told to stop: loads and checks everything before anything is bound.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use metrics_exporter_prometheus::PrometheusHandle;
use scrip_shard_config::{LoadError, Topology};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Component, Health, Status, ready};
use crate::admission::caller::Callers;
use crate::archive::{self, Archivist};
use crate::bulk::desk::Desk;
use crate::bulk::runner::Runner;
use crate::clock::Clock;
use crate::config::{Config, Limits};
use crate::connection::{ConnectionLimits, Reception};
use crate::coupon_id::CouponIds;
use crate::events;
use crate::exchange;
use crate::exchange::code::Codes;
use crate::flow::{Errands, Flow, FlowLimits};
use crate::keeper::Quiet;
use crate::operation::Operations;
use crate::pack;
use crate::patrol;
use crate::pipeline::{self, Stores, Tuning};
use crate::refresh::Refresher;
use crate::replica;
use crate::server;
use crate::store::StoreError;
use crate::store::mysql::check::{Warning, check_primary};
use crate::store::mysql::{MysqlLimits, MysqlStore, RECORD_ROWS_MAX};
use crate::store::redis::{ConnectError, RedisStockStore};
use crate::tasks::Tasks;
use crate::telemetry::{self, TelemetryError};

/// Why a proxy could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The topology is wrong.
    #[error(transparent)]
    Topology(#[from] LoadError),
    /// Logs or metrics could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A client of Redis could not be made.
    #[error(transparent)]
    Redis(#[from] ConnectError),
    /// A store does not fit the topology.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A listener could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// There is no folder for the archive.
    #[error("patrol.archive_directory: {} is not a folder; make it, or mount it", .0.display())]
    NoArchive(PathBuf),
    /// The ready file could not be written.
    #[error("cannot write the ready file: {0}")]
    ReadyFile(io::Error),
    /// The admin listener failed.
    #[error("the admin listener failed: {0}")]
    Admin(io::Error),
}

type RealStores = Stores<RedisStockStore, MysqlStore, MysqlStore>;
/// What callers ask besides claims and templates.
struct Desks {
    bulk: Desk<MysqlStore>,
    exchange: exchange::desk::Desk<MysqlStore>,
    pack: pack::desk::Desk<MysqlStore>,
}

type RealOperations = Operations<RedisStockStore, MysqlStore, MysqlStore>;

/// Runs until `shutdown`, then drains.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), RunError> {
    let topology = Arc::new(Topology::load(&config.topology)?);
    let metrics = telemetry::init_metrics()?;
    let health = Arc::new(Health::new(&config.name, &topology));
    if let Some(folder) = config.patrol.archive_directory.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(RunError::NoArchive(folder.clone()));
    }
    let stores = connect(&config, &topology).await?;
    let listener = bind(config.listen).await?;
    let admin_listener = bind(config.admin_listen).await?;

    let (flow, errands) = flow(&config, &topology);
    let (tasks, running) = Tasks::on_tokio();
    let operations = start(&config, &flow, errands, &stores, &health, &tasks)?;
    let owner = format!("{}-{:016x}", config.name, rand::random::<u64>());
    if config.patrol.enabled {
        let mut settings = config.patrol.clone();
        if !config.events.enabled {
            // Nobody would be told.
            settings.remind_before.clear();
        }
        let archivist = |primary| {
            let folder = settings.archive_directory.clone()?;
            let archive = archive::Settings { folder, after: settings.archive_after, rows: settings.archive_rows };
            Some(Archivist::new(Arc::clone(&flow), &stores.record, primary, archive))
        };
        patrol::start(&flow, &stores.record, &settings, &owner, archivist, &tasks);
    }
    if config.events.enabled {
        events::start(&flow, (&stores.record, &stores.stock), &config.events, &owner, &tasks);
    }
    replica::start(&flow, &stores.record, &config.replicas, &tasks);
    tasks.spawn(telemetry::upkeep(metrics.clone()));
    let runner = Runner::new(Arc::clone(&flow), stores.meta.clone(), rand::random(), tasks.clone());
    tasks.spawn(Arc::clone(&runner).run());
    let desks = Desks {
        bulk: Desk::new(Arc::clone(&flow), stores.meta.clone(), tasks.clone()),
        exchange: exchange::desk::Desk::new(
            Arc::clone(&flow),
            stores.meta.clone(),
            Codes::new(&config.coupon_key),
            tasks.clone(),
        ),
        pack: pack::desk::Desk::new(Arc::clone(&flow), stores.meta.clone(), tasks.clone()),
    };
    let stopped = CancellationToken::new();
    tasks.spawn(report_weak_settings(Arc::clone(&topology), config.mysql_limits()));
    announce(&config, &listener, &admin_listener)?;
    let stop = stopped.clone().cancelled_owned();
    let admin = tokio::spawn(admin::serve(admin_listener, Arc::clone(&health), render(&flow, runner, metrics), stop));
    health.set(Component::Serving, Status::Up);

    let reception = Arc::new(reception(&config, &topology, flow, operations, desks));
    let draining = {
        let health = Arc::clone(&health);
        async move {
            shutdown.await;
            health.set(Component::Serving, Status::Down("draining".to_owned()));
        }
    };
    server::serve(listener, reception, config.limits.connections_max, draining).await;
    drop(running);
    stopped.cancel();
    admin.await.map_err(|error| RunError::Admin(io::Error::other(error)))?.map_err(RunError::Admin)
}

async fn connect(config: &Config, topology: &Topology) -> Result<RealStores, RunError> {
    let mysql = MysqlStore::try_new_telling(topology, config.mysql_limits(), config.events.enabled)?;
    let redis = RedisStockStore::connect(topology, config.redis_timeouts()).await?;
    for warning in redis.warnings().await {
        tracing::warn!(%warning, "check the shard's configuration");
    }
    Ok(Stores { stock: redis, record: mysql.clone(), meta: mysql })
}

/// Says what the settings of the primaries cost, where they are weaker than an acknowledgement needs.
async fn report_weak_settings(topology: Arc<Topology>, limits: MysqlLimits) {
    for primary in &topology.primaries {
        let Ok(found) = check_primary(&topology, primary, limits).await else { continue };
        for Warning { setting, value, wanted, cost } in found.warnings {
            tracing::warn!(primary = %primary.id, setting, value, wanted, cost, "weak setting");
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, source })
}

fn flow(config: &Config, topology: &Arc<Topology>) -> (Arc<Flow>, Errands) {
    let Limits { stock_queue_max, record_queue_max, parked_max, .. } = config.limits;
    let lanes_per_primary = config.lanes.record_lanes_per_primary.per_primary(topology.primaries.len());
    let limits = FlowLimits { stock_queue_max, record_queue_max, parked_max, lanes_per_primary };
    let ids = CouponIds::new(&config.coupon_key);
    let (flow, errands) = Flow::new(Arc::clone(topology), limits, Clock::system(), ids, rand::random());
    (Arc::new(flow), errands)
}

fn start(
    config: &Config,
    flow: &Arc<Flow>,
    errands: Errands,
    stores: &RealStores,
    health: &Arc<Health>,
    tasks: &Tasks,
) -> Result<RealOperations, RunError> {
    let tuning = Tuning {
        batch_rows_max: config.limits.batch_rows_max.min(RECORD_ROWS_MAX),
        recent_max: config.limits.recent_max,
        quiet: Quiet {
            first: config.stock.settle_quiet,
            max: config.stock.settle_quiet_max,
            move_after: config.stock.move_after,
        },
        stripe_seed: rand::random(),
    };
    let operations = pipeline::start(flow, errands, stores, tuning, health, tasks);
    let (flow, health) = (Arc::clone(flow), Arc::clone(health));
    let (cache, every) = (stores.stock.template_cache()?, config.templates.refresh_interval);
    let owner = format!("{}-{}", config.name, std::process::id());
    tasks.spawn(Refresher::new(flow, stores.meta.clone(), cache, health, owner, every).run());
    Ok(operations)
}

fn render(flow: &Arc<Flow>, bulk: Arc<Runner<MysqlStore>>, metrics: PrometheusHandle) -> admin::Render {
    let flow = Arc::clone(flow);
    Arc::new(move || metrics.render() + &flow.meter.render() + &flow.render() + &bulk.render())
}

/// Says where it listens, in the log and in the ready file.
fn announce(config: &Config, listener: &TcpListener, admin: &TcpListener) -> Result<(), RunError> {
    let listen = listener.local_addr().map_err(RunError::ReadyFile)?;
    let admin_listen = admin.local_addr().map_err(RunError::ReadyFile)?;
    tracing::info!(name = config.name, %listen, %admin_listen, "listening");
    let Some(path) = &config.ready_file else { return Ok(()) };
    let ready = ready::Ready { listen, admin_listen, pid: std::process::id() };
    ready::write(path, &ready).map_err(RunError::ReadyFile)
}

fn reception(
    config: &Config,
    topology: &Topology,
    flow: Arc<Flow>,
    operations: RealOperations,
    desks: Desks,
) -> Reception {
    let limits = &config.limits;
    let Desks { bulk, exchange, pack } = desks;
    Reception {
        flow,
        start: Arc::new(move |operation, ticket, deadline| operations.start(operation, ticket, deadline)),
        bulk: Arc::new(move |operation, ticket, deadline| bulk.start(operation, ticket, deadline)),
        exchange: Arc::new(move |operation, ticket, deadline| exchange.start(operation, ticket, deadline)),
        pack: Arc::new(move |claim, ticket, deadline| pack.start(claim, ticket, deadline)),
        callers: Callers::new(&config.callers, Instant::now()),
        limits: ConnectionLimits {
            frame_len_max: limits.frame_len_max,
            in_flight_max: limits.in_flight_per_connection_max,
            in_flight_total_max: limits.in_flight_max,
            deadline_default: limits.deadline_default,
            deadline_max: limits.deadline_max,
            hello_timeout: limits.hello_timeout,
            idle_timeout: limits.idle_timeout,
            write_buffer_max: limits.write_buffer_max,
            drain_timeout: limits.drain_timeout,
        },
        name: config.name.clone(),
        fingerprint: topology.fingerprint(),
        in_flight: Arc::new(AtomicUsize::new(0)),
        draining: CancellationToken::new(),
    }
}
