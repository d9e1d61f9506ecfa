//! Users who look at their coupons, and whether they see all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use scrip_client::{Client, CouponQuery, Failure, UserId};

use crate::Error;
use crate::arrival::mix;
use crate::audit::audit;
use crate::deployment::Deployment;
use crate::drive::Driver;
use crate::report::Audit;
use crate::spawned::Requests;
use crate::sql;
use crate::workload::{Kind, READ_USERS, Workload};

/// Pages of coupons, of users in no order.
pub(crate) struct Readers {
    clients: Vec<Client>,
    turn: AtomicUsize,
    /// Coupons of each user.
    coupons: usize,
    /// Pages on which a coupon was missing or strange.
    wrong: AtomicU64,
    workload: Arc<Workload>,
}

impl Readers {
    /// Gives every user a coupon of each template, and counts them.
    pub(crate) async fn prepare(
        deployment: &Deployment,
        clients: &[Client],
        workload: &Arc<Workload>,
    ) -> Result<(Arc<Self>, Audit), Error> {
        let mut driver = Driver::new(clients, workload, Kind::Rush.in_flight());
        let coupons = workload.templates().len();
        driver.fill(READ_USERS * coupons as u64).await;
        let (book, _) = driver.finish().await;
        let audit = audit(deployment, workload, &book, sql::REQUESTS).await?;
        if let Some(why) = audit.void() {
            return Err(Error::Void(why));
        }
        if audit.rows < READ_USERS * coupons as u64 {
            let rows = audit.rows;
            return Err(Error::Arguments(format!("users could not be given their coupons: there are {rows} only")));
        }
        let readers = Self {
            clients: clients.to_vec(),
            turn: AtomicUsize::new(0),
            coupons,
            wrong: AtomicU64::new(0),
            workload: Arc::clone(workload),
        };
        Ok((Arc::new(readers), audit))
    }

    /// Whose turn it is in a request of this number, and through which client.
    pub(crate) fn pick(&self, number: u64) -> (&Client, UserId) {
        let client = &self.clients[self.turn.fetch_add(1, Ordering::Relaxed) % self.clients.len()];
        (client, UserId(self.workload.reader(mix(self.workload.seed(), number) % READ_USERS)))
    }

    /// Coupons of each user.
    pub(crate) fn coupons(&self) -> usize {
        self.coupons
    }

    /// Pages that were not what they had to be, since the last call.
    pub(crate) fn take_wrong(&self) -> u64 {
        self.wrong.swap(0, Ordering::Relaxed)
    }
}

impl Requests for Readers {
    async fn ask(&self, number: u64) -> Result<Result<(), Failure>, Error> {
        let (client, user) = self.pick(number);
        // More than a user has: one too many would be seen.
        let page_size = u32::try_from(self.coupons + 1).unwrap_or(u32::MAX);
        let page = match client.list_coupons(&CouponQuery::new(user).page_size(page_size), None).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error.failure().clone())),
        };
        let templates = self.workload.templates();
        let own = page.coupons.iter().filter(|coupon| coupon.user == user && templates.contains(&coupon.template));
        if own.count() != self.coupons || page.next.is_some() {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Ok(()))
    }
}
