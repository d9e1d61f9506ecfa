//! The articles' pipeline, honestly tuned, with the same libraries on the same stores: for each claim the template from
//! Redis, an idempotency check in the database, one deduction in Lua, and one INSERT of one row. It keeps fewer promises:
//! a crash between deduction and INSERT loses the unit, and a lost answer doubles it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fred::clients::Pool as RedisPool;
use fred::interfaces::{KeysInterface, LuaInterface};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Pool, PoolConstraints, PoolOpts};
use parking_lot::Mutex;
use scrip_client::TemplateId;
use scrip_shard_config::{Tail, Topology};
use tokio::task::JoinSet;

use crate::audit::audit;
use crate::board::{Board, Target, Watched};
use crate::book::Book;
use crate::counts::Counts;
use crate::deployment::Deployment;
use crate::report::Figures;
use crate::run::figures;
use crate::screen::Screen;
use crate::shard_load::pool;
use crate::spec::{ReferenceSpec, WindowSpec};
use crate::workload::{Kind, Workload};
use crate::{Error, sql};

/// Answers what is left, or -1 when nothing is.
const DEDUCT: &str =
    "if tonumber(redis.call('GET', KEYS[1]) or '0') < 1 then return -1 end return redis.call('DECR', KEYS[1])";
const STOCK: &str = "1000000000";
/// About as long as a template's definition.
const TEMPLATE: &str =
    "{\"name\":\"bench\",\"total\":1000000000,\"limit\":1,\"start_ms\":0,\"end_ms\":0,\"lasts_s\":2592000}";
const CLAIMED_AT_MS: u64 = 1_750_000_000_000;

/// The stores as the pipeline sees them.
struct Pipeline {
    mysql: Vec<Pool>,
    redis: Vec<RedisPool>,
    script: String,
    /// Index into `mysql` of each tail.
    routes: Vec<usize>,
    workload: Workload,
    next: AtomicU64,
    book: Mutex<Book>,
}

/// One measurement under a template id of its own, counted.
pub(crate) async fn measure(
    deployment: &Deployment,
    spec: &ReferenceSpec,
    template: TemplateId,
    window: &WindowSpec,
    screen: Screen,
) -> Result<Figures, Error> {
    let workload = Workload::new(Kind::Rush, window.seed, vec![template]);
    let pipeline = Arc::new(Pipeline::open(deployment, spec, workload).await?);
    let (board, mut tasks) = (Arc::new(Board::new()), JoinSet::new());
    for _ in 0..spec.reference_in_flight {
        let (pipeline, board) = (Arc::clone(&pipeline), Arc::clone(&board));
        tasks.spawn(async move { pipeline.claim_until_stopped(&board).await });
    }
    let tiers = deployment.tiers();
    let watched = board.watch(&Target { proxies: &[], tiers: &tiers, screen }, window).await?;
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    for pool in &pipeline.mysql {
        pool.clone().disconnect().await?;
    }
    let claims = watched.transactions;
    let counts = ["transactions", "coupons", "deductions", "deducted_claims"].map(|name| (name, claims));
    let counts = Counts::of(&counts);
    let book = std::mem::take(&mut *pipeline.book.lock());
    let audit = audit(deployment, &pipeline.workload, &book, sql::REFERENCE_REQUESTS).await?;
    Ok(figures(&Watched { counts, ..watched }, audit, 0.0))
}

impl Pipeline {
    async fn open(deployment: &Deployment, spec: &ReferenceSpec, workload: Workload) -> Result<Self, Error> {
        let mut mysql = Vec::new();
        for database in deployment.testbed.primaries() {
            let options = database.options().prefer_socket(false);
            let mut conn = Conn::new(Opts::from(options.clone())).await?;
            conn.query_drop(sql::REFERENCE_DATABASE).await?;
            conn.query_drop(sql::REFERENCE_TABLE).await?;
            conn.disconnect().await?;
            let size = spec.mysql_pool.max(1);
            let constraints = PoolConstraints::new(size, size).unwrap_or_default();
            let pool = PoolOpts::default().with_constraints(constraints).with_reset_connection(false);
            mysql.push(Pool::new(Opts::from(options.db_name(Some("scrip_reference")).pool_opts(pool))));
        }
        let (mut redis, mut script) = (Vec::new(), String::new());
        for shard in deployment.testbed.shards() {
            let pool = pool(shard, spec.redis_pool).await?;
            for (key, value) in
                [(key("template", workload.templates()[0]), TEMPLATE), (key("stock", workload.templates()[0]), STOCK)]
            {
                pool.set::<(), _, _>(key, value, None, None, false).await?;
            }
            script = pool.next().script_load(DEDUCT).await?;
            redis.push(pool);
        }
        let routes = routes(&deployment.topology);
        Ok(Self { mysql, redis, script, routes, workload, next: AtomicU64::new(0), book: Mutex::default() })
    }

    async fn claim_until_stopped(&self, board: &Board) -> Result<(), Error> {
        while !board.is_stopped() {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let started = Instant::now();
            self.claim(number).await?;
            board.committed(1, started.elapsed());
            self.book.lock().acknowledged.insert(number);
        }
        Ok(())
    }

    async fn claim(&self, number: u64) -> Result<(), Error> {
        let template = self.workload.templates()[0];
        let user = self.workload.send(number).user;
        let tail = Tail::of_user(user).get();
        let redis = &self.redis[(user / 10_000) as usize % self.redis.len()];
        let _template: String = redis.get(key("template", template)).await?;
        // Held over the deduction: to give it back and take another would only queue twice.
        let mut conn = self.mysql[self.routes[usize::from(tail)]].get_conn().await?;
        let known: Option<(u16, Vec<u8>)> =
            conn.exec_first(sql::REFERENCE_SELECT, (tail, user, template.get())).await?;
        if known.is_some() {
            return Err(Error::Void("the reference met a row of its own".to_owned()));
        }
        let left: i64 = redis.evalsha(self.script.as_str(), key("stock", template), ()).await?;
        if left < 0 {
            return Err(Error::Void("the reference ran out of stock".to_owned()));
        }
        let id = self.workload.request_id(number).0;
        Ok(conn.exec_drop(sql::REFERENCE_INSERT, (tail, user, template.get(), &id[..], 0, CLAIMED_AT_MS)).await?)
    }
}

fn key(what: &str, template: TemplateId) -> String {
    format!("reference:{what}:{}", template.get())
}

fn routes(topology: &Topology) -> Vec<usize> {
    let index = |id| topology.primaries.iter().position(|primary| primary.id == id).unwrap_or(0);
    topology.tails().map(|(_, id)| index(id)).collect()
}
