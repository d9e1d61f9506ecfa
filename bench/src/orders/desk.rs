//! One client's part of the cycles.

use std::iter::from_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use scrip_client::{CouponId, Disposition, OrderCompletion, OrderId, OrderRequest, OrderStream, Redemption, UserId};

use super::Orders;
use crate::Error;
use crate::arrival::Arrivals;
use crate::board::Board;
use crate::drive::take;
use crate::spec::LoadShare;

/// The longest wait without a look at the board.
const TICK: Duration = Duration::from_millis(50);
/// Far longer than a cycle.
const LOCK: Duration = Duration::from_secs(60);
const AMOUNT_MINOR: u64 = 100;

/// One client. Its cycles are numbered `index`, `index + stride`, and so on.
pub(super) struct Desk {
    orders: Arc<Orders>,
    stream: OrderStream,
    share: LoadShare,
    /// By cycle of this desk: when it was due and when it was begun, since the start.
    cycles: Vec<Times>,
    /// Cycles whose coupon is locked and whose redemption waits to be sent.
    locked: Vec<usize>,
    batch: Vec<OrderCompletion>,
    failure: Option<Error>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    lag: Duration,
    begun: Instant,
}

/// The tag of a request: the cycle, and whether it is the second of the two.
fn tag(cycle: usize, redeems: bool) -> u64 {
    (cycle as u64) << 1 | u64::from(redeems)
}

impl Desk {
    pub(super) fn new(orders: Arc<Orders>, stream: OrderStream, share: LoadShare) -> Self {
        let (cycles, locked, batch) = (Vec::new(), Vec::new(), Vec::new());
        Self { orders, stream, share, cycles, locked, batch, failure: None }
    }

    /// Makes cycles until the board says stop, then brings those under way to their end.
    pub(super) async fn run(mut self, board: Arc<Board>) -> Result<(), Error> {
        let (mut arrivals, started) = (self.share.arrivals(), Instant::now());
        while self.failure.is_none() && !board.is_stopped() {
            self.redeem();
            board.sent(self.lock(started.elapsed(), arrivals.as_mut()));
            let due = arrivals.as_ref().filter(|_| self.stream.room() > 0).map(Arrivals::due);
            take(
                &self.stream,
                &mut self.batch,
                due.map_or(TICK, |due| due.saturating_sub(started.elapsed()).min(TICK)),
            )
            .await;
            self.note(&board);
        }
        while self.stream.outstanding() > 0 || !self.locked.is_empty() {
            self.redeem();
            take(&self.stream, &mut self.batch, TICK).await;
            self.note(&board);
        }
        self.failure.map_or(Ok(()), Err)
    }

    fn redeem(&mut self) {
        let Self { orders, share, locked, .. } = self;
        let mut requests = from_fn(|| {
            let cycle = locked.pop()?;
            let (user, order, coupon_id) = named(orders, share, cycle).ok()?;
            let redemption = Redemption { coupon_id, amount_minor: AMOUNT_MINOR };
            Some((tag(cycle, true), OrderRequest::redeem(user, &order, &[redemption])))
        });
        self.stream.submit(&mut requests);
    }

    fn lock(&mut self, elapsed: Duration, mut arrivals: Option<&mut Arrivals>) -> usize {
        let Self { orders, share, cycles, failure, .. } = self;
        let begun = Instant::now();
        let mut requests = from_fn(|| {
            let lag = match &mut arrivals {
                None => Duration::ZERO,
                Some(arrivals) => {
                    let lag = elapsed.checked_sub(arrivals.due())?;
                    arrivals.advance();
                    lag
                }
            };
            let cycle = cycles.len();
            let (user, order, coupon) = named(orders, share, cycle).map_err(|error| *failure = Some(error)).ok()?;
            cycles.push(Times { lag, begun });
            Some((tag(cycle, false), OrderRequest::lock(user, &order, &[coupon], LOCK)))
        });
        self.stream.submit(&mut requests)
    }

    fn note(&mut self, board: &Board) {
        let Self { orders, cycles, locked, batch, .. } = self;
        let mut ended = Vec::with_capacity(batch.len());
        for done in batch.drain(..) {
            // Tags count cycles of one run: far below what a usize holds.
            let (cycle, redeems) = ((done.tag >> 1) as usize, done.tag & 1 == 1);
            let counts = match &done.result {
                Ok(_) if !redeems => {
                    locked.push(cycle);
                    continue;
                }
                Ok(_) => Some(&orders.told.redeemed),
                Err(error) => (error.disposition() == Disposition::Unknown).then_some(&orders.told.unknown),
            };
            counts.map(|count| count.fetch_add(1, Ordering::Relaxed));
            ended.push((cycles[cycle], done.result));
        }
        if ended.is_empty() {
            return;
        }
        let now = Instant::now();
        board.answered(ended.len(), |recorder, at| {
            for (times, result) in &ended {
                let result = result.as_ref().map(drop).map_err(|error| error.failure());
                recorder.read(result, times.lag, now.saturating_duration_since(times.begun), at);
            }
        });
    }
}

fn named(orders: &Orders, share: &LoadShare, cycle: usize) -> Result<(UserId, OrderId, CouponId), Error> {
    let number = share.index + cycle * share.count;
    let Some(coupon) = orders.coupons.get(number).copied().flatten() else {
        return Err(Error::Arguments(format!("the load used up all of {} coupons", orders.coupons.len())));
    };
    let order = OrderId::try_new(&format!("order {number}")).map_err(|error| Error::Arguments(error.to_string()))?;
    Ok((UserId(orders.workload.send(number as u64).user), order, coupon))
}
