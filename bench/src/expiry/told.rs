//! What the streams of events tell of the coupons that end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use scrip_chaos::testbed::Consumer;
use scrip_client::TemplateId;
use scrip_client::event::{Event, EventKind};
use tokio::time::sleep;

use crate::Error;
use crate::deployment::Deployment;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Users whose coupon was told to have expired: each has one.
pub(super) struct Told {
    expired: Arc<Mutex<Expired>>,
    _consumer: Consumer,
}

struct Expired {
    users: HashSet<u64>,
    last: Instant,
}

impl Told {
    /// Listens from now on.
    pub(super) fn start(deployment: &Deployment, template: TemplateId) -> Result<Self, Error> {
        let expired = Arc::new(Mutex::new(Expired { users: HashSet::new(), last: Instant::now() }));
        let heard = Arc::clone(&expired);
        let take = move |event: Event| {
            let Some(coupon) = event.coupon else { return };
            if event.kind == EventKind::Expired && event.template == template {
                let mut heard = heard.lock();
                if heard.users.insert(coupon.user.get()) {
                    heard.last = Instant::now();
                }
            }
        };
        let consumer = Consumer::start(&deployment.testbed, &deployment.topology, "bench", take)?;
        Ok(Self { expired, _consumer: consumer })
    }

    /// Waits for so many; how many there are, and when the last one came.
    pub(super) async fn all(&self, coupons: u64, until: Instant) -> (u64, Instant) {
        loop {
            let (told, last) = {
                let expired = self.expired.lock();
                (expired.users.len() as u64, expired.last)
            };
            if told >= coupons || Instant::now() >= until {
                return (told, last);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
