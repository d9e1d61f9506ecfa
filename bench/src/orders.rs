//! Orders that lock a coupon and redeem it, one cycle a request, and whether the logs hold every cycle that was told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use scrip_client::{Client, CouponId, Disposition, Failure, OrderError, OrderId, Redemption, UserId};

use crate::Error;
use crate::audit::audit;
use crate::book::Book;
use crate::deployment::Deployment;
use crate::drive::Driver;
use crate::report::Audit;
use crate::spawned::Requests;
use crate::spec::WindowSpec;
use crate::sql;
use crate::workload::{Kind, Workload};

/// Coupons are made before the load, so many for each second of it: more cycles than any run has made.
const CYCLES_PER_S_MAX: u64 = 150_000;
/// Far longer than a cycle.
const LOCK: Duration = Duration::from_secs(60);

/// Every cycle takes the next coupon.
pub(crate) struct Orders {
    clients: Vec<Client>,
    turn: AtomicUsize,
    /// By request number.
    coupons: Vec<Option<CouponId>>,
    redeemed: AtomicU64,
    unknown: AtomicU64,
    workload: Arc<Workload>,
    book: Book,
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
            turn: AtomicUsize::new(0),
            coupons,
            redeemed: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            workload: Arc::clone(workload),
            book,
        }))
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
        let told = self.redeemed.load(Ordering::Relaxed);
        let beyond = stored.saturating_sub(told + self.unknown.load(Ordering::Relaxed));
        let audit = audit(deployment, &self.workload, &self.book, sql::REQUESTS).await?;
        Ok(Audit { misread: told.saturating_sub(stored) + beyond, ..audit })
    }

    async fn cycle(&self, client: &Client, number: u64, order: OrderId, coupon_id: CouponId) -> Result<(), OrderError> {
        let user = UserId(self.workload.send(number).user);
        client.lock_coupons(user, &order, &[coupon_id], LOCK).await?;
        client.redeem_coupons(user, &order, &[Redemption { coupon_id, amount_minor: 100 }]).await?;
        Ok(())
    }
}

impl Requests for Orders {
    async fn ask(&self, number: u64) -> Result<Result<(), Failure>, Error> {
        let client = &self.clients[self.turn.fetch_add(1, Ordering::Relaxed) % self.clients.len()];
        let coupon = usize::try_from(number).ok().and_then(|number| self.coupons.get(number).copied().flatten());
        let Some(coupon) = coupon else {
            return Err(Error::Arguments(format!("the load used up all of {} coupons", self.coupons.len())));
        };
        let order =
            OrderId::try_new(&format!("order {number}")).map_err(|error| Error::Arguments(error.to_string()))?;
        match self.cycle(client, number, order, coupon).await {
            Ok(()) => _ = self.redeemed.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                let is_unknown = error.disposition() == Disposition::Unknown;
                self.unknown.fetch_add(u64::from(is_unknown), Ordering::Relaxed);
                return Ok(Err(error.failure().clone()));
            }
        }
        Ok(Ok(()))
    }
}
