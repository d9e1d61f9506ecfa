//! Orders that lock a coupon and redeem it, through the SDK's `OrderStream`s, and whether the logs hold every cycle that was
//! told.

mod desk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use scrip_client::{Client, CouponId};
use tokio::task::JoinSet;

use self::desk::Desk;
use crate::Error;
use crate::audit::audit;
use crate::board::{Board, Target, Watched};
use crate::book::Book;
use crate::deployment::Deployment;
use crate::drive::Driver;
use crate::report::Audit;
use crate::spec::{Load, LoadShare, WindowSpec};
use crate::sql;
use crate::workload::{Kind, Workload};

/// Coupons are made before the load, so many for each second of it: more cycles than any run has made.
const CYCLES_PER_S_MAX: u64 = 150_000;

/// Every cycle takes the next coupon.
pub(crate) struct Orders {
    clients: Vec<Client>,
    /// By request number.
    coupons: Vec<Option<CouponId>>,
    told: Told,
    workload: Arc<Workload>,
    book: Book,
}

/// What callers were told.
#[derive(Debug, Default)]
struct Told {
    redeemed: AtomicU64,
    unknown: AtomicU64,
}

impl Orders {
    /// Gives every user a coupon.
    pub(crate) async fn prepare(
        clients: &[Client],
        workload: &Arc<Workload>,
        window: &WindowSpec,
    ) -> Result<Arc<Self>, Error> {
        let seconds = (window.warm_up + window.duration).as_secs() + 1;
        let mut driver = Driver::new(clients, workload, Kind::Rush.in_flight());
        driver.keep_coupons();
        driver.fill(seconds * CYCLES_PER_S_MAX).await;
        let (mut book, _) = driver.finish().await;
        let coupons = std::mem::take(&mut book.coupons);
        Ok(Arc::new(Self {
            clients: clients.to_vec(),
            coupons,
            told: Told::default(),
            workload: Arc::clone(workload),
            book,
        }))
    }

    /// Warm-up, measurement, and the end of all that is under way.
    pub(crate) async fn phase(
        self: &Arc<Self>,
        target: &Target<'_>,
        load: Load,
        window: &WindowSpec,
    ) -> Result<Watched, Error> {
        let (board, count) = (Arc::new(Board::new()), self.clients.len());
        let mut tasks = JoinSet::new();
        for (index, client) in self.clients.iter().enumerate() {
            let stream = client.order_stream(load.in_flight_max().div_ceil(count.max(1)));
            let share = LoadShare { load, index, count, seed: window.seed };
            tasks.spawn(Desk::new(Arc::clone(self), stream, share).run(Arc::clone(&board)));
        }
        let watched = board.watch(target, window).await;
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        watched
    }

    /// Coupons, logs, and the redemptions that callers were told against those in the logs.
    pub(crate) async fn audit(&self, deployment: &Deployment) -> Result<Audit, Error> {
        let query = sql::of_templates(sql::REDEEMED, self.workload.templates());
        let mut stored = 0;
        for primary in deployment.testbed.primaries() {
            let mut conn = Conn::new(Opts::from(primary.options().prefer_socket(false))).await?;
            stored += conn.query_first::<u64, _>(query.as_str()).await?.unwrap_or(0);
            conn.disconnect().await?;
        }
        let told = self.told.redeemed.load(Ordering::Relaxed);
        let beyond = stored.saturating_sub(told + self.told.unknown.load(Ordering::Relaxed));
        let audit = audit(deployment, &self.workload, &self.book, sql::REQUESTS).await?;
        Ok(Audit { misread: told.saturating_sub(stored) + beyond, ..audit })
    }
}
